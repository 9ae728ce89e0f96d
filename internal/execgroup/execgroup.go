// SPDX-License-Identifier: Apache-2.0

// Package execgroup runs commands that start others, as compilers and build
// tools do, and ends all of them together.
package execgroup

import (
	"context"
	"os/exec"
	"time"
)

// CommandContext is exec.CommandContext, but what the command started ends
// with it. Where stdout and stderr are no files, Wait returns after all of
// them have ended: what they wrote to can be removed then.
func CommandContext(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 5 * time.Second
	group(cmd)
	return cmd
}
