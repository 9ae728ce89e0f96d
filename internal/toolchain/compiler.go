// SPDX-License-Identifier: Apache-2.0

package toolchain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/anyinfer/anyinfer/cinclude"
	"github.com/anyinfer/anyinfer/internal/execgroup"
	"github.com/anyinfer/anyinfer/internal/platform"
)

// Strict are the compiler's flags for example C code.
var Strict = []string{"-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"}

// Language is a language of shims, with its compilers.
type Language struct {
	name      string
	compiler  string   // the environment variable that names the compiler
	compilers []string // without that variable, the first of these that is installed
	flags     string   // the environment variable with more flags
	install   string   // the Debian package with a compiler
}

// The languages of shims.
var (
	C   = Language{"C", "CC", []string{"cc", "gcc", "clang"}, "CFLAGS", "g++"}
	CXX = Language{"C++", "CXX", []string{"c++", "g++", "clang++"}, "CXXFLAGS", "g++"}
)

// For returns the language with Debian's cross compilers for another GOARCH.
func (l Language) For(goarch string) Language {
	if p, ok := platform.Linux[goarch]; ok && goarch != runtime.GOARCH {
		gnu := l.compilers[1]
		l.compilers, l.install = []string{p.Compiler(gnu)}, p.Package(gnu)
	}
	return l
}

// Compiler returns the command of the compiler: a program and its first arguments.
func (l Language) Compiler() ([]string, error) {
	if command := strings.Fields(os.Getenv(l.compiler)); len(command) > 0 {
		if _, err := exec.LookPath(command[0]); err != nil {
			return nil, fmt.Errorf("no %s compiler: $%s: %w", l.name, l.compiler, err)
		}
		return command, nil
	}
	for _, c := range l.compilers {
		if path, err := exec.LookPath(c); err == nil {
			return []string{path}, nil
		}
	}
	return nil, fmt.Errorf("no %s compiler: none of %s is installed; install one (on Debian and Ubuntu: apt install %s), or name one in $%s",
		l.name, strings.Join(l.compilers, ", "), l.install, l.compiler)
}

// Compile compiles files, whose names are relative to sources, to a shared library. The compiler finds headers of sources
// and anyinfer_engine.h in the same folder. It gets flags before the files and libs after them.
func (l Language) Compile(ctx context.Context, library string, files, flags, libs []string, sources ...fs.FS) error {
	args, err := l.Compiler()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "anyinfer-shim")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	problems := []error{os.CopyFS(dir, cinclude.Headers)}
	for _, s := range sources {
		problems = append(problems, os.CopyFS(dir, s))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	args = append(args, "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-I", dir, "-o", library)
	args = append(append(args, flags...), strings.Fields(os.Getenv(l.flags))...)
	for _, f := range files {
		args = append(args, filepath.Join(dir, f))
	}
	cmd := execgroup.CommandContext(ctx, args[0], append(args[1:], libs...)...)
	if out, err := cmd.CombinedOutput(); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return nil
}
