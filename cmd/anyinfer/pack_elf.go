// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/internal/platform"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// openELF opens a file that is to be for a target; fix is what to do where it is not.
func openELF(file string, t target, fix string) (*elf.File, error) {
	f, err := elf.Open(file)
	if err != nil {
		if _, missing := os.Stat(file); missing != nil {
			return nil, exists(file)
		}
		return nil, fmt.Errorf("%s is no program or library for linux (%w); %s", file, err, fix)
	}
	if !platform.Linux[t.arch].Is(f) {
		f.Close()
		return nil, fmt.Errorf("%s is for %s, the target is %s; %s", file, platform.Name(f.Machine, f.Class), t, fix)
	}
	return f, nil
}

// checkProgram finds out whether a program can run on the target and open libraries there.
func checkProgram(file string, t target) error {
	fix := fmt.Sprintf("build it with 'anyinfer build --target %s'", t)
	f, err := openELF(file, t, fix)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return fmt.Errorf("%s is no program but %v; %s", file, f.Type, fix)
	}
	i := slices.IndexFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	if i < 0 {
		return fmt.Errorf("%s is static, or a library: it cannot open an engine's; a Go program that imports an engine can: %s", file, fix)
	}
	name, err := io.ReadAll(io.LimitReader(f.Progs[i].Open(), 4096))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	loader, want := string(bytes.TrimRight(name, "\x00")), t.interpreter()
	if want != "" && loader != want {
		return fmt.Errorf("%s wants the loader %s, and the engines for %s are for systems that have %s; %s, which sets that", file, loader, t, want, fix)
	}
	return nil
}

func checkLibrary(file string, t target) error {
	f, err := openELF(file, t, "remove it with 'anyinfer sdk remove', and install it again")
	if err != nil {
		return err
	}
	return f.Close()
}

// neededBy are the names of the libraries that a file is linked with.
func neededBy(file string) ([]string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ImportedLibraries()
}

// neededElsewhere are the libraries that a library is linked with and finds in folders of this machine, but for those of the
// system, whose C library is not to be brought along.
func neededElsewhere(file string) (found []string, err error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	needed, err := f.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		paths, err := f.DynString(tag)
		if err != nil {
			return nil, err
		}
		for _, dir := range filepath.SplitList(strings.Join(paths, ":")) {
			if !filepath.IsAbs(dir) || strings.HasPrefix(dir, "/lib") || strings.HasPrefix(dir, "/usr/lib") {
				continue
			}
			for _, name := range needed {
				path := filepath.Join(dir, name)
				if _, err := os.Stat(path); err == nil && !slices.Contains(found, path) {
					found = append(found, path)
				}
			}
		}
	}
	return found, nil
}

// glibcOf is the version of glibc that a file needs; "" where it needs none.
func glibcOf(file string) (version string) {
	f, err := elf.Open(file)
	if err != nil {
		return "" // no program or library
	}
	defer f.Close()
	libraries, _ := f.DynamicVersionNeeds()
	for _, l := range libraries {
		for _, n := range l.Needs {
			if v, ok := strings.CutPrefix(n.Dep, "GLIBC_2."); ok && sdkdir.CompareVersions("2."+v, version) > 0 {
				version = "2." + v
			}
		}
	}
	return version
}
