// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/anyinfer/anyinfer/internal/suggest"
)

// instead has command lines that do what commands would do that do not exist.
var instead = map[string]string{"compare": "run MODEL... --engine A,B"}

// noArgs is the Args of a command without arguments, or with subcommands.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if names == nil {
		return fmt.Errorf("'%s' takes no arguments, got %q", cmd.CommandPath(), args[0])
	}
	if line := instead[args[0]]; line != "" && !cmd.HasParent() {
		return fmt.Errorf("there is no command '%s %s'; did you mean %s?", cmd.CommandPath(), args[0], line)
	}
	return fmt.Errorf("there is no command '%s %s'%s", cmd.CommandPath(), args[0], suggest.Choices(args[0], names))
}

// flagError is the FlagErrorFunc of all commands.
func flagError(cmd *cobra.Command, err error) error {
	unknown, invalid := (*pflag.NotExistError)(nil), (*pflag.InvalidValueError)(nil)
	switch {
	case errors.As(err, &unknown) && cmd.HasAvailableSubCommands() && cmd.Flags().NArg() > 0: // a command that does not exist, with its flags
		return noArgs(cmd, cmd.Flags().Args())
	case errors.As(err, &unknown) && cmd.Flags().Lookup(strings.TrimSpace(unknown.GetSpecifiedShortnames())) != nil: // with one dash, as in the go command
		return fmt.Errorf("%w; did you mean --%s?", err, unknown.GetSpecifiedShortnames())
	case errors.As(err, &unknown):
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		if similar := suggest.Similar("--"+unknown.GetSpecifiedName(), names); similar != nil {
			return fmt.Errorf("%w; did you mean %s?", err, strings.Join(similar, " or "))
		}
	case errors.As(err, &invalid):
		want := map[string]string{"int": "a whole number", "duration": "a time such as 200ms, 5s or 1m", "bool": "true or false"}
		f := invalid.GetFlag()
		return fmt.Errorf("--%s %q: want %s", f.Name, invalid.GetValue(), cmp.Or(want[f.Value.Type()], "a "+f.Value.Type()))
	}
	return err
}
