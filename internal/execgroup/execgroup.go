// SPDX-License-Identifier: Apache-2.0

// Package execgroup runs commands that start other processes, as compilers and build
// tools do, and ends all of them together.
package execgroup

import (
	"context"
	"os/exec"
	"time"
)

// CommandContext is like exec.CommandContext, but also ends the processes that the
// command started. If stdout and stderr are not files, Wait returns after all of them
// have ended, so that their files can be removed.
func CommandContext(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 5 * time.Second
	group(cmd)
	return cmd
}
