// SPDX-License-Identifier: Apache-2.0

// Command anyinfer installs the SDKs of the engines, says which work, and runs models with them.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs a command line and returns the exit code: 1 for a failure, 2 for a wrong command line.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	started := false // cobra checks the command line before this
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		started = true
		if verbose, _ := cmd.Flags().GetBool("verbose"); verbose {
			slog.SetLogLoggerLevel(slog.LevelDebug)
		}
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(stderr, "anyinfer: %v\n", err)
	if usage := (usageError{}); !started || errors.As(err, &usage) {
		fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", cmd.CommandPath())
		return 2
	}
	return 1
}

// usageError is a wrong command line that a command finds itself.
type usageError struct{ error }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "anyinfer",
		Short:         "Run models with native inference engines",
		Version:       version(),
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().Bool("verbose", false, "show all that engines have to say, not only warnings")
	root.AddCommand(newBenchCommand(), newBenchWorkerCommand(), newBuildCommand(), newDemoCommand(), newDoctorCommand(), newInspectCommand(),
		newPackCommand(), newRunCommand(), newSDKCommand(), newShimCommand())
	return root
}

func version() string {
	return fmt.Sprintf("%s (%s %s/%s)", cmp.Or(ownVersion(), "(unknown)"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// ownVersion is that of this module, in whichever the program was built.
func ownVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == modulePath {
			return m.Version
		}
	}
	return ""
}
