// SPDX-License-Identifier: Apache-2.0

package pack

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/internal/model"
	"github.com/anyinfer/anyinfer/internal/platform"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// openELF opens a file that must be for the target. Errors end with fix, the advice
// for the user.
func (a *Archive) openELF(path, fix string) (*elf.File, error) {
	f, err := elf.Open(path)
	if err != nil {
		if err := model.CheckExists(path); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s is not a program or library for linux (%w); %s", path, err, fix)
	}
	if !platform.Linux[a.arch].Is(f) {
		f.Close()
		return nil, fmt.Errorf("%s is for %s, the target is %s; %s", path, platform.Name(f.Machine, f.Class), a.target, fix)
	}
	return f, nil
}

// CheckProgram returns an error if a program cannot run, or open libraries, on the target.
func (a *Archive) CheckProgram(path string) error {
	fix := fmt.Sprintf("build it with 'anyinfer build --target %s'", a.target)
	f, err := a.openELF(path, fix)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return fmt.Errorf("%s is not a program, its ELF type is %v; %s", path, f.Type, fix)
	}
	i := slices.IndexFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	if i < 0 {
		return fmt.Errorf("%s is a static program or a library, and cannot load an engine's library; want a dynamic program, such as a Go program that imports an engine: %s", path, fix)
	}
	name, err := io.ReadAll(io.LimitReader(f.Progs[i].Open(), 4096))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	loader, want := string(bytes.TrimRight(name, "\x00")), platform.Linux[a.arch].Interpreter
	if want != "" && loader != want {
		return fmt.Errorf("%s needs the loader %s, and the engines for %s need %s; %s, which sets it", path, loader, a.target, want, fix)
	}
	return nil
}

// checkLibrary returns an error if a library is not for the target.
func (a *Archive) checkLibrary(path string) error {
	f, err := a.openELF(path, "remove it with 'anyinfer sdk remove', and install it again")
	if err != nil {
		return err
	}
	return f.Close()
}

// importedLibraries returns the names of the libraries that a file is linked with.
func importedLibraries(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ImportedLibraries()
}

// dependenciesElsewhere returns the dependencies of a library that its RPATH or
// RUNPATH finds. It omits the system's folders, because their C library belongs to
// this system.
func dependenciesElsewhere(path string) (found []string, err error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	imported, err := f.ImportedLibraries()
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
			for _, name := range imported {
				library := filepath.Join(dir, name)
				if _, err := os.Stat(library); err == nil && !slices.Contains(found, library) {
					found = append(found, library)
				}
			}
		}
	}
	return found, nil
}

// glibcVersion returns the version of glibc that a file needs; empty if it needs none.
func glibcVersion(path string) (version string) {
	f, err := elf.Open(path)
	if err != nil {
		return "" // not a program or library
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
