// SPDX-License-Identifier: Apache-2.0

// Command ci runs the project's own checks, in the folder of go.mod:
//
//	go run ./internal/ci --list      # shows the steps
//	go run ./internal/ci lint test   # runs some of them
package main

import (
	"fmt"
	"os"
)

// commands have arguments of their own. Other arguments of this program are
// names of steps.
var commands = map[string]func(args []string) error{"--list": list, "fuzz": fuzzTargets, "mutants": runMutants, "weight": runWeight}

func main() {
	run, args := runSteps, os.Args[1:]
	if len(args) > 0 && commands[args[0]] != nil {
		run, args = commands[args[0]], args[1:]
	}
	if err := run(args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
