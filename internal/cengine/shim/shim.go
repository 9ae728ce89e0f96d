// SPDX-License-Identifier: Apache-2.0

// Package shim compiles the shared library of an engine in C from sources that
// a program carries.
package shim

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/anyinfer/anyinfer/cinclude"
)

// Strict are the flags for C that is to be read by people.
var Strict = []string{"-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"}

// Build compiles file, which lies in one of sources, to a shared library.
// Beside it the compiler finds all of sources and anyinfer_engine.h. It is
// $CC or cc, and gets flags and $CFLAGS.
func Build(library, file string, flags []string, sources ...fs.FS) error {
	cc, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil {
		return fmt.Errorf("no C compiler: %w", err)
	}
	dir, err := os.MkdirTemp("", "anyinfer-shim")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	problems := []error{os.WriteFile(filepath.Join(dir, "anyinfer_engine.h"), []byte(cinclude.Header), 0o600)}
	for _, s := range sources {
		problems = append(problems, os.CopyFS(dir, s))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	args := append([]string{"-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-I", dir, "-o", library}, flags...)
	args = append(args, strings.Fields(os.Getenv("CFLAGS"))...)
	cmd := exec.Command(cc, append(args, filepath.Join(dir, file), "-lm")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return nil
}
