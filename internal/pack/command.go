// SPDX-License-Identifier: Apache-2.0

package pack

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
	"strings"

	"github.com/anyinfer/anyinfer/internal/execgroup"
	"github.com/anyinfer/anyinfer/internal/gobuild"
	"github.com/anyinfer/anyinfer/internal/module"
	"github.com/anyinfer/anyinfer/internal/platform"
)

// AddCommand builds the command anyinfer below the folder temp, which must exist
// until Write, and adds it with the licences of its modules.
//
// It is built in the module of the working folder, if that is or requires this one,
// else from the given version. If the working folder's module lacks packages that
// only the command needs, it is built with a copy of its go.mod and go.sum in temp.
func (a *Archive) AddCommand(ctx context.Context, temp, version string, stdout, stderr io.Writer) error {
	b := gobuild.Build{
		Target:      a.target,
		Env:         []string{"GOOS=linux", "GOARCH=" + a.arch, "CGO_ENABLED=0"},
		Interpreter: platform.Linux[a.arch].Interpreter,
		Out:         filepath.Join(temp, "anyinfer"),
		Flags:       []string{"-trimpath", "-ldflags=-s -w"},
		Packages:    []string{module.Path + "/cmd/anyinfer"},
	}
	if a.arm != "" {
		b.Env = append(b.Env, "GOARM="+a.arm)
	}
	hint := "name a program with --program, this one built for " + a.target + " or another"
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("there is no go command to build this program with; " + hint)
	}
	modules, err := moduleFolders(ctx, b)
	if err != nil && ctx.Err() == nil {
		problem := ""
		switch required, copyErr := copyModule(ctx, temp); {
		case copyErr != nil:
			return copyErr
		case required:
			problem = "this program cannot be built in the module here"
			b.Env = append(b.Env, "GOWORK=off")
			b.Flags = append(b.Flags, "-mod=mod", "-modfile="+filepath.Join(temp, moduleCopy))
		case released(version):
			problem = "version " + version + " of this program cannot be built here"
			b.Env = append(b.Env, "GOWORK=off")
			b.Flags = append(b.Flags, "-mod=mod")
			b.Dir = filepath.Join(temp, "module")
			text := fmt.Sprintf("module pack\n\ngo 1.26.0\n\nrequire %s %s\n", module.Path, version)
			if err := errors.Join(os.Mkdir(b.Dir, 0o777), os.WriteFile(filepath.Join(b.Dir, "go.mod"), []byte(text), 0o666)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("this program is not a released version that could be fetched, and the working folder is neither in its module nor in one that requires %s; "+
				"change to such a folder, or %s. The go command reports:\n  %s", module.Path, hint, strings.ReplaceAll(err.Error(), "\n", "\n  "))
		}
		if modules, err = moduleFolders(ctx, b); err != nil {
			err = fmt.Errorf("%s; %s. The go command reports:\n  %s", problem, hint, strings.ReplaceAll(err.Error(), "\n", "\n  "))
		}
	}
	if err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	if err := b.Run(ctx, stdout, stderr); err != nil {
		return err
	}
	for path, dir := range modules {
		a.files = append(a.files, licensesIn(dir, "licenses/"+path)...)
	}
	a.isCommand = true
	return a.addExecutable(b.Out)
}

// moduleFolders returns the folders of the modules whose packages b needs, and Go's
// own as "go".
func moduleFolders(ctx context.Context, b gobuild.Build) (map[string]string, error) {
	args := []string{"list", "-deps", "-f", "{{with .Module}}{{.Path}}\t{{.Dir}}{{else}}go\t{{.Root}}{{end}}"}
	for _, f := range b.Flags {
		if strings.HasPrefix(f, "-mod") {
			args = append(args, f)
		}
	}
	cmd := execgroup.CommandContext(ctx, "go", append(args, b.Packages...)...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = b.Dir, append(os.Environ(), b.Env...), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, errors.New(cmp.Or(strings.TrimSpace(stderr.String()), err.Error()))
	}
	folders := map[string]string{}
	for line := range strings.Lines(stdout.String()) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		folders[path] = dir
	}
	return folders, nil
}

// released reports whether a version can be fetched as a Go module.
func released(version string) bool {
	return strings.HasPrefix(version, "v") && !strings.Contains(version, "+")
}

// moduleCopy is the name of the copy of the working folder's go.mod. The go command
// keeps go.sum beside it, with the extension .sum.
const moduleCopy = "app.mod"

// copyModule copies go.mod and go.sum of the working folder's module to dir, and
// reports whether it requires this module. The copy of go.sum also has this module's
// sums, so its dependencies have the versions with which it was tested, unless the
// application requires newer ones.
func copyModule(ctx context.Context, dir string) (required bool, err error) {
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
	file := filepath.Join(dir, moduleCopy)
	if err := errors.Join(os.WriteFile(file, text, 0o666), os.WriteFile(strings.TrimSuffix(file, ".mod")+".sum", sums, 0o666)); err != nil {
		return false, err
	}
	list := execgroup.CommandContext(ctx, "go", "list", "-m", "-mod=mod", "-modfile="+file, "-f", "{{.Dir}}", module.Path)
	list.Env = append(os.Environ(), "GOWORK=off")
	source, err := list.Output()
	if err != nil {
		return false, nil // the module does not require this one
	}
	more, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(source)), "go.sum"))
	if err != nil { // it is not in the module cache, and will be fetched
		return true, nil
	}
	f, err := os.OpenFile(strings.TrimSuffix(file, ".mod")+".sum", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return false, err
	}
	_, err = f.Write(more)
	return true, errors.Join(err, f.Close())
}
