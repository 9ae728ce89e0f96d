// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
// version that the running program is of. What is not needed there otherwise, as the packages for command lines in the module
// of an application, is fetched for a copy of go.mod and go.sum below temp. It returns the licences of what is in it.
func buildCommand(ctx context.Context, t target, out, temp string, stdout, stderr io.Writer) ([]packed, error) {
	b := build{target: t, out: out, flags: []string{"-trimpath", "-ldflags=-s -w"}, packages: []string{commandPath}}
	instead := "name a program with --program, this one built for " + t.String() + " or another"
	if _, err := exec.LookPath("go"); err != nil {
		return nil, notHere{"there is no go command to build this program with", instead}
	}
	dir := ""
	licenses, err := b.licenses(ctx, dir)
	if err != nil && ctx.Err() == nil {
		what := ""
		switch requires, copied := copyModule(ctx, temp); {
		case copied != nil:
			return nil, copied
		case requires:
			what = "this program cannot be built in the module here"
			b.module, b.settings = []string{"-mod=mod", "-modfile=" + filepath.Join(temp, copiedModule)}, []string{"GOWORK=off"}
			licenses, err = b.licenses(ctx, dir)
		case released(ownVersion()):
			what = "version " + ownVersion() + " of this program cannot be built here"
			dir = filepath.Join(temp, "module")
			text := fmt.Sprintf("module pack\n\ngo 1.26.0\n\nrequire %s %s\n", modulePath, ownVersion())
			if err := errors.Join(os.Mkdir(dir, 0o777), os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o666)); err != nil {
				return nil, err
			}
			b.module, b.settings = []string{"-mod=mod"}, []string{"GOWORK=off"}
			licenses, err = b.licenses(ctx, dir)
		default:
			what = "this program is of no released version, which could be fetched, and the working folder has neither its source nor a module that requires " + modulePath
			instead = "change to one, or " + instead
		}
		if err != nil {
			err = notHere{what, instead + ". The go command says:\n  " + strings.ReplaceAll(err.Error(), "\n", "\n  ")}
		}
	}
	if err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	return licenses, b.run(ctx, dir, stdout, stderr)
}

// released reports whether a version can be fetched.
func released(version string) bool {
	return strings.HasPrefix(version, "v") && !strings.Contains(version, "+")
}

// copiedModule is the copy of the working folder's go.mod, beside which the go command keeps what becomes of go.sum.
const copiedModule = "app.mod"

// copyModule copies go.mod and go.sum of the working folder's module to dir, where it requires this one. The copy of go.sum has
// the sums of this module, too, so that what this module needs is of the versions that it was tested with, wherever the
// application wants none newer.
func copyModule(ctx context.Context, dir string) (requires bool, err error) {
	env, err := execgroup.CommandContext(ctx, "go", "env", "GOMOD").Output()
	gomod := strings.TrimSpace(string(env))
	if err != nil || gomod == "" || gomod == os.DevNull {
		return false, nil
	}
	text, err := os.ReadFile(gomod)
	if err != nil {
		return false, err
	}
	sums, err := os.ReadFile(strings.TrimSuffix(gomod, ".mod") + ".sum")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	file := filepath.Join(dir, copiedModule)
	if err := errors.Join(os.WriteFile(file, text, 0o666), os.WriteFile(strings.TrimSuffix(file, ".mod")+".sum", sums, 0o666)); err != nil {
		return false, err
	}
	list := execgroup.CommandContext(ctx, "go", "list", "-m", "-mod=mod", "-modfile="+file, "-f", "{{.Dir}}", modulePath)
	list.Env = append(os.Environ(), "GOWORK=off")
	source, err := list.Output()
	if err != nil {
		return false, nil // as it is not required
	}
	more, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(source)), "go.sum"))
	if err != nil { // it is fetched
		return true, nil
	}
	f, err := os.OpenFile(strings.TrimSuffix(file, ".mod")+".sum", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return false, err
	}
	_, err = f.Write(more)
	return true, errors.Join(err, f.Close())
}

// licenses are those of the modules that packages are of, and of Go.
func (b build) licenses(ctx context.Context, dir string) (files []packed, err error) {
	env, err := b.env()
	if err != nil {
		return nil, err
	}
	args := []string{"list", "-deps", "-f", "{{with .Module}}{{.Path}}\t{{.Dir}}{{else}}go\t{{.Root}}{{end}}"}
	cmd := execgroup.CommandContext(ctx, "go", append(append(args, b.module...), b.packages...)...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), env...), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, errors.New(cmp.Or(strings.TrimSpace(stderr.String()), err.Error()))
	}
	modules := slices.Sorted(strings.Lines(stdout.String()))
	for _, m := range slices.Compact(modules) {
		path, from, _ := strings.Cut(strings.TrimSpace(m), "\t")
		files = append(files, licensesIn(from, "licenses/"+path)...)
	}
	return files, nil
}
