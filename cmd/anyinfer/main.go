// SPDX-License-Identifier: Apache-2.0

// Command anyinfer installs the SDKs of engines, checks which work, and runs models with them.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/internal/module"
	"github.com/anyinfer/anyinfer/isolate"
)

func main() {
	isolate.Main()
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Stop(signals) // a second signal ends the process at once
		cancel(interrupted{s})
	}()
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs a command line, prints its errors, and returns the exit code.
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
	rejectUnknownArgs(root)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !started {
		err = usageError{err}
	}
	code := exitCode(ctx, err)
	if code == exitSuccess {
		return code
	}
	for _, e := range messages(ctx, err) {
		fmt.Fprintf(stderr, "anyinfer: %v\n", e)
	}
	if code == exitUsage {
		fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", cmd.CommandPath())
	}
	if cmd.Annotations[evaluated] != "" {
		fmt.Fprintln(stdout, "false")
	}
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "anyinfer",
		Short: "Run models with native inference engines",
		Long: `Run models with native inference engines.

The exit code is 0 for success, 1 for a failure and 2 for an invalid command line: an unknown command, flag or engine, or an
invalid value. It is 130 after Ctrl-C and 143 after SIGTERM.`,
		Version:       version(),
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().Bool("verbose", false, "log all messages of engines, not only warnings and errors")
	root.AddCommand(newBenchCommand(), newBenchWorkerCommand(), newBuildCommand(), newDemoCommand(), newDoctorCommand(), newInspectCommand(),
		newModelCommand(), newPackCommand(), newRunCommand(), newSDKCommand(), newSeeCommand(), newShimCommand())
	return root
}

func version() string {
	return fmt.Sprintf("%s (%s %s/%s)", cmp.Or(module.Version(), "(unknown)"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
