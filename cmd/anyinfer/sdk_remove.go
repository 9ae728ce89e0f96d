// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/sdkinstall"
)

func newSDKRemove() *cobra.Command {
	var f sdkFlags
	cmd := &cobra.Command{
		Use:               "remove ENGINE...",
		Short:             "Remove installed SDKs",
		ValidArgsFunction: completeEngine,
		RunE: func(cmd *cobra.Command, engines []string) error {
			root, err := f.root()
			if err != nil {
				return err
			}
			if len(engines) == 0 {
				return usageError{errors.New("name an engine; 'anyinfer sdk list' shows the installed SDKs")}
			}
			installed, err := sdkdir.ListDir(root)
			if err != nil {
				return err
			}
			for _, engine := range engines { // other versions of this program may have more engines
				if !slices.ContainsFunc(installed, func(s sdkdir.SDK) bool { return s.Engine == engine }) {
					if err := checkEngine(engine); err != nil {
						return err
					}
				}
			}
			goos, goarch := f.target()
			var errs []error
			for _, engine := range engines {
				removed, err := sdkinstall.Remove(root, engine, f.version, goos, goarch)
				for _, dir := range removed {
					fmt.Fprintf(cmd.OutOrStdout(), "removed: %s\n", dir)
				}
				if err == nil && len(removed) == 0 {
					err = fmt.Errorf("no %s SDK %sfor %s/%s is in %s; 'anyinfer sdk list' shows the installed SDKs",
						engine, spaced(f.version), goos, goarch, root)
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		},
	}
	f.add(cmd, "version of the SDK (default all)")
	return cmd
}

func spaced(s string) string {
	if s == "" {
		return ""
	}
	return s + " "
}
