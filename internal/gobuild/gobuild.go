// SPDX-License-Identifier: Apache-2.0

// Package gobuild runs go build for another kind of machine.
package gobuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/internal/execgroup"
	"github.com/anyinfer/anyinfer/internal/shell"
)

// Build is a call of go build.
type Build struct {
	Target      string // for errors, such as linux/arm/v7
	Dir         string // working folder; empty: this process's
	Env         []string
	Interpreter string // the dynamic loader that the program names; empty: the go command's choice
	Out         string
	Tags        []string
	Flags       []string
	Packages    []string
}

// Run prints the command line on stdout and runs it.
func (b Build) Run(ctx context.Context, stdout, stderr io.Writer) error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("there is no go command in $PATH; install Go")
	}
	args, err := b.args(ctx)
	if err != nil {
		return err
	}
	var line []string
	for _, e := range b.Env {
		name, value, _ := strings.Cut(e, "=")
		line = append(line, name+"="+shell.Quote(value))
	}
	for _, a := range append([]string{"go"}, args...) {
		line = append(line, shell.Quote(a))
	}
	fmt.Fprintln(stdout, strings.Join(line, " "))
	cmd := execgroup.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = b.Dir, append(os.Environ(), b.Env...), stdout, stderr
	if err := cmd.Run(); err != nil {
		return cmp.Or(ctx.Err(), fmt.Errorf("go build for %s: %w", b.Target, err))
	}
	return nil
}

// args returns the arguments of the go command.
func (b Build) args(ctx context.Context) ([]string, error) {
	flags := b.Flags
	if b.Interpreter != "" {
		// A -ldflags on the command line replaces the one in GOFLAGS.
		if set, _ := execgroup.CommandContext(ctx, "go", "env", "GOFLAGS").Output(); strings.Contains(string(set), "-ldflags") {
			return nil, errors.New("GOFLAGS has -ldflags, and " + b.Target + " needs one more; write -- -ldflags=... on the command line instead")
		}
		flags = addLinkerFlags(flags, "-I "+b.Interpreter)
	}
	args := []string{"build"}
	if b.Out != "" {
		args = append(args, "-o", b.Out)
	}
	if b.Tags != nil {
		args = append(args, "-tags", strings.Join(b.Tags, ","))
	}
	return slices.Concat(args, flags, b.Packages), nil
}

// addLinkerFlags adds flags that go build passes to the linker. Of several
// -ldflags only the last one that matches a package counts, so each gets more.
// The user's flags come later, so they win.
func addLinkerFlags(args []string, more string) []string {
	all := []string{"-ldflags=" + more}
	for i := 0; i < len(args); i++ {
		name, value, given := strings.Cut(args[i], "=")
		if name != "-ldflags" && name != "--ldflags" {
			all = append(all, args[i])
			continue
		}
		if !given && i+1 < len(args) {
			i++
			value = args[i]
		}
		pattern := ""
		if value = strings.TrimSpace(value); value != "" && value[0] != '-' {
			pattern, value, _ = strings.Cut(value, "=")
			pattern += "="
		}
		all = append(all, strings.TrimSpace("-ldflags="+pattern+more+" "+value))
	}
	return all
}
