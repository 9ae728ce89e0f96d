// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package isolate

import (
	"os"
	"os/exec"
)

func ownExecutable() (string, error) { return os.Executable() }

func setName(string) {}

// startProcess starts a child, which ends when it sees that the program has ended.
func startProcess(cmd *exec.Cmd) error { return cmd.Start() }

func endWithProgram() error { return nil }
