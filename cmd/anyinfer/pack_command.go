// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/internal/execgroup"
)

const (
	modulePath  = "github.com/anyinfer/anyinfer"
	commandPath = modulePath + "/cmd/anyinfer"
)

// buildCommand builds this command: in the module of the working folder, where that is or requires this one, else of the
// version that the running program is of, in a module below temp. It returns the licences of what is in it.
func buildCommand(ctx context.Context, t target, out, temp string, stdout, stderr io.Writer) ([]packed, error) {
	b := build{target: t, out: out, flags: []string{"-trimpath", "-ldflags=-s -w"}, packages: []string{commandPath}}
	instead := "name a program with --program, this one built for " + t.String() + " or another"
	if _, err := exec.LookPath("go"); err != nil {
		return nil, notHere{"there is no go command to build this program with", instead}
	}
	dir := ""
	licenses, err := b.licenses(ctx, dir)
	if err != nil && ctx.Err() == nil {
		version := ownVersion()
		if !strings.HasPrefix(version, "v") || strings.Contains(version, "+") {
			return nil, notHere{"this program was not built of a released version, and this is not the folder of its source", "change to that, or " + instead}
		}
		dir = filepath.Join(temp, "module")
		text := fmt.Sprintf("module pack\n\ngo 1.26.0\n\nrequire %s %s\n", modulePath, version)
		if err := errors.Join(os.Mkdir(dir, 0o777), os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o666)); err != nil {
			return nil, err
		}
		b.flags, b.settings = append(b.flags, "-mod=mod"), []string{"GOWORK=off"}
		if licenses, err = b.licenses(ctx, dir); err != nil {
			err = notHere{fmt.Sprintf("version %s of this program cannot be built here: %v", version, err), instead}
		}
	}
	if err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	return licenses, b.run(ctx, dir, stdout, stderr)
}

// licenses are those of the modules that packages are of, and of Go.
func (b build) licenses(ctx context.Context, dir string) (files []packed, err error) {
	env, err := b.env()
	if err != nil {
		return nil, err
	}
	args := []string{"list", "-deps", "-f", "{{with .Module}}{{.Path}}\t{{.Dir}}{{else}}go\t{{.Root}}{{end}}"}
	if slices.Contains(b.flags, "-mod=mod") {
		args = append(args, "-mod=mod")
	}
	cmd := execgroup.CommandContext(ctx, "go", append(args, b.packages...)...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), env...), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	modules := slices.Sorted(strings.Lines(stdout.String()))
	for _, m := range slices.Compact(modules) {
		path, from, _ := strings.Cut(strings.TrimSpace(m), "\t")
		found, err := filepath.Glob(filepath.Join(from, "LICENSE*"))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			files = append(files, packed{name: "licenses/" + path + "/" + filepath.Base(f), from: f})
		}
	}
	return files, nil
}
