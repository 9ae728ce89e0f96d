// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// rejectUnknownArgs makes cobra's own commands return an error for unknown
// arguments instead of printing their help. It must be called after SetOut.
func rejectUnknownArgs(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = func(c *cobra.Command, args []string) error {
				found, rest, err := root.Find(args)
				switch {
				case err != nil || len(rest) == 0:
					return err
				case found.HasSubCommands():
					return noArgs(found, rest)
				}
				return fmt.Errorf("there is no command '%s'; '%s' has no subcommands", strings.Join(append([]string{root.Name()}, args...), " "), found.CommandPath())
			}
		case "completion":
			c.Args = noArgs
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
}
