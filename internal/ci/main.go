// SPDX-License-Identifier: Apache-2.0

// Command ci runs the project's own checks: go run ./internal/ci STEP, in the
// folder of go.mod.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

var commands = map[string]func(args []string) error{"mutants": runMutants, "weight": runWeight}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		names := slices.Sorted(maps.Keys(commands))
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/ci STEP, where STEP is one of", strings.Join(names, ", "))
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
