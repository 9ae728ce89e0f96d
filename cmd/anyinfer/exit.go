// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"syscall"
)

// Exit codes. After a signal the code is 128 plus its number, as in a shell.
const (
	exitSuccess = 0
	exitFailure = 1
	exitUsage   = 2
	exitSignal  = 128
)

// usageError is an error of the command line itself: it does not depend on files
// or on the machine.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// interrupted is the cause of a command's context after a signal canceled it.
type interrupted struct{ signal os.Signal }

func (i interrupted) Error() string {
	if i.signal == os.Interrupt {
		return "interrupted"
	}
	return "ended by a signal: " + i.signal.String()
}

// exitCode returns the exit code of a command that returned err.
func exitCode(ctx context.Context, err error) int {
	signal, usage := interrupted{}, usageError{}
	switch {
	case err == nil:
		return exitSuccess
	case errors.As(context.Cause(ctx), &signal):
		if s, ok := signal.signal.(syscall.Signal); ok {
			return exitSignal + int(s)
		}
		return exitFailure
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitFailure
}

// messages returns the errors to print for err, and the signal that caused it, if
// any. It omits the context.Canceled that the signal caused.
func messages(ctx context.Context, err error) []error {
	cause := context.Cause(ctx)
	if cause == nil {
		return []error{err}
	}
	var all []error
	joined, several := err.(interface{ Unwrap() []error })
	switch {
	case several:
		for _, e := range joined.Unwrap() {
			if !errors.Is(e, context.Canceled) {
				all = append(all, e)
			}
		}
	case !errors.Is(err, context.Canceled):
		all = append(all, err)
	}
	return append(all, cause)
}
