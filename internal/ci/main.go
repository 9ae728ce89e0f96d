// SPDX-License-Identifier: Apache-2.0

// Command ci runs the project's own checks, in the folder of go.mod:
//
//	go run ./internal/ci --list      # shows the steps
//	go run ./internal/ci lint test   # runs some of them
package main

import (
	"errors"
	"fmt"
	"os"
)

// commands take arguments of their own; all else that this program runs is a
// step of the table.
var commands = map[string]func(args []string) error{"--list": list, "fuzz": fuzzTargets}

func main() {
	run, args := runSteps, os.Args[1:]
	if len(args) > 0 && commands[args[0]] != nil {
		run, args = commands[args[0]], args[1:]
	}
	if err := run(args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}
