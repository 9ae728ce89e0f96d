// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/sdkinstall"
)

func newSDKCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sdk",
		Short: "Install, list and remove the engines' SDKs",
		Long: `Install, list and remove the engines' SDKs: their shared libraries and C headers.

They are in $` + sdkdir.EnvRoot + `, else in the user's cache folder, where the engines find them.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSDKInstall(), newSDKList(), newSDKEnv(), newSDKRemove())
	return cmd
}

// sdkFlags select SDKs.
type sdkFlags struct{ version, os, arch, dir string }

func (f *sdkFlags) add(cmd *cobra.Command, version string) {
	cmd.Flags().StringVar(&f.version, "version", "", version)
	cmd.Flags().StringVar(&f.os, "os", "", "operating system, named as in GOOS (default "+runtime.GOOS+")")
	cmd.Flags().StringVar(&f.arch, "arch", "", "architecture, named as in GOARCH (default "+runtime.GOARCH+")")
	cmd.Flags().StringVar(&f.dir, "dir", "", "root of the SDKs (default $"+sdkdir.EnvRoot+", else in the user's cache folder)")
	completeSDKFlags(cmd)
}

// oneEngine is the Args of a command that installs SDKs: at least one engine whose SDK can be installed.
func oneEngine(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("name an engine: %s", strings.Join(pinnedEngines(), ", "))
	}
	for _, engine := range args {
		if err := checkEngine(engine); err != nil {
			return err
		}
		if !hasPackage(engine) {
			return fmt.Errorf("no package has the SDK of %s: %s. Installable are: %s", engine, buildHint(engine), strings.Join(pinnedEngines(), ", "))
		}
	}
	return checkEngines(args)
}

func pinnedEngines() []string {
	var names []string
	for _, p := range sdkinstall.Pins() {
		if !slices.Contains(names, p.Engine) {
			names = append(names, p.Engine)
		}
	}
	return names
}

func (f *sdkFlags) target() (goos, goarch string) {
	goos, goarch = runtime.GOOS, runtime.GOARCH
	if f.os != "" {
		goos = f.os
	}
	if f.arch != "" {
		goarch = f.arch
	}
	return goos, goarch
}

func (f *sdkFlags) root() (string, error) {
	if f.dir != "" {
		return filepath.Abs(f.dir)
	}
	return sdkdir.Root()
}
