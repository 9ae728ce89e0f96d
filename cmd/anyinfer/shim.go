// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/model"
	"github.com/anyinfer/anyinfer/internal/pypi"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/shell"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

func newShimCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shim",
		Short: "Compile the shims of engines in C++",
		Long: `Compile the shims of engines in C++: the libraries between this program and an SDK without a C API.

'anyinfer sdk install' does that for SDKs that it installs.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newShimBuild())
	return cmd
}

func newShimBuild() *cobra.Command {
	var root, out, target string
	cmd := &cobra.Command{
		Use:   "build ENGINE",
		Short: "Compile an engine's shim with an SDK on this machine",
		Long: `Compile an engine's shim with $CXX or c++, from sources in this program.

The SDK is in the folder of --root, else of the engine's variable, such as MNN_ROOT, else it is the SDK that
'anyinfer sdk install' installed. The folder has the headers in include, and the library, shared or static, in lib or at the top;
a build tree works, too. The compiler also gets $CXXFLAGS and $LDFLAGS. Without --out the shim is installed where engines
find it.

With --target, the SDK must be for that processor, and without $CXX the compiler is Debian's cross compiler, such as
aarch64-linux-gnu-g++.`,
		Example: `  MNN_ROOT=/opt/mnn anyinfer shim build mnn
  anyinfer shim build mnn --root ~/src/MNN --out ./libanyinfer_mnn.so
  anyinfer shim build mnn --target linux/arm64 --root ~/MNN-arm64 --out ./libanyinfer_mnn.so`,
		Args:              oneShim,
		ValidArgsFunction: completeShim,
		RunE: func(cmd *cobra.Command, args []string) error {
			recipe, _ := toolchain.Find(args[0])
			recipe, err := recipe.For(target)
			if err != nil {
				return usageError{fmt.Errorf("--target: %w", err)}
			}
			from, err := recipe.Locate(root, recipe.Installed()...)
			if err != nil {
				return err
			}
			stdout := cmd.OutOrStdout()
			library := out
			if out != "" {
				err = recipe.Build(cmd.Context(), from, out, stdout)
			} else {
				library, err = installShim(cmd.Context(), recipe, from, stdout)
			}
			if err != nil {
				return err
			}
			info, err := os.Stat(library)
			if err != nil {
				return err
			}
			fmt.Fprintf(stdout, "built: %s (%s)\n", library, pypi.Size(info.Size()))
			if library, err := filepath.Abs(out); err == nil && out != "" {
				fmt.Fprintf(stdout, "Set %s=%s, so that the engine finds it.\n", dylib.Spec{Engine: recipe.Engine}.Env(), shell.Quote(library))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "folder of the SDK")
	cmd.Flags().StringVar(&target, "target", "", "machine to build for, such as linux/arm64 (default this one)")
	cmd.Flags().StringVar(&out, "out", "", "file to write (default in the folder where engines find it)")
	must(cmd.MarkFlagDirname("root"))
	must(cmd.MarkFlagFilename("out", "so"))
	return cmd
}

// installShim compiles a shim and installs it where the engine finds it.
func installShim(ctx context.Context, recipe toolchain.Recipe, from toolchain.Location, log io.Writer) (library string, err error) {
	root, err := sdkdir.Root()
	if err != nil {
		return "", err
	}
	sdk, err := recipe.Install(ctx, from, root, log)
	return sdk.LibraryPath(), err
}

func shimEngines() []string {
	var names []string
	for _, r := range toolchain.All {
		names = append(names, r.Engine)
	}
	return names
}

// oneShim is the Args of a command that needs the name of an engine with a shim.
func oneShim(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return fmt.Errorf("name an engine: %s", strings.Join(shimEngines(), ", "))
	case len(args) > 1:
		return errors.New("name one engine")
	}
	if err := checkEngine(args[0]); err != nil {
		return err
	}
	if _, ok := toolchain.Find(args[0]); !ok {
		return fmt.Errorf("the engine %s needs no shim: it opens its SDK directly (%s); shims are for: %s",
			args[0], model.InstallHint(args[0]), strings.Join(shimEngines(), ", "))
	}
	return nil
}
