// SPDX-License-Identifier: Apache-2.0

// Package pack makes archives of a program, engines' libraries and models, which
// run on another machine without an installation.
package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/internal/platform"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// Archive collects the files of an archive. SDKs must be added before the program,
// and Write is called last.
type Archive struct {
	target     string // GOOS/GOARCH, for ARM with the variant: linux/arm/v7
	arch, arm  string // GOARCH, GOARM
	program    string // its base name
	isCommand  bool   // the program is the command anyinfer
	files      []file
	models     []string // names in the archive
	libraries  []library
	glibc      string // the oldest version with which all files run; empty if not known
	unlicensed []string
}

// file is a file of the archive.
type file struct {
	name       string // path in the archive's folder
	path       string // on this machine; empty: text is the content
	text       string
	executable bool
}

// library is an engine's library.
type library struct {
	engine, version string
	name            string // path in the archive's folder
	onLoaderPath    bool   // the dynamic loader must search its folder
}

// New makes an empty archive for a target such as linux/arm64 or linux/arm/v7.
func New(target string) (*Archive, error) {
	goos, rest, _ := strings.Cut(target, "/")
	arch, variant, _ := strings.Cut(rest, "/")
	if _, known := platform.Linux[arch]; !known || goos != "linux" {
		return nil, fmt.Errorf("archives are made for linux on %s, not for %s", strings.Join(slices.Sorted(maps.Keys(platform.Linux)), ", "), target)
	}
	return &Archive{target: target, arch: arch, arm: strings.TrimPrefix(variant, "v")}, nil
}

// companions are the extensions of files, and of the second files that engines
// expect beside them.
var companions = []struct {
	first, second string
	required      bool
}{
	{".xml", ".bin", true}, {".tnnproto", ".tnnmodel", true}, {".pdmodel", ".pdiparams", false}, {".mnn", ".mnn.weight", false},
}

// AddModel adds the files of a model, and the companions beside it, under the names
// that engines expect.
func (a *Archive) AddModel(paths ...string) error {
	first := "models/" + filepath.Base(paths[0])
	if i := slices.IndexFunc(a.files, func(f file) bool { return f.name == first }); i >= 0 {
		return fmt.Errorf("%s and %s would both be %s; rename one", a.files[i].path, paths[0], first)
	}
	a.models = append(a.models, first)
	a.files = append(a.files, file{name: first, path: paths[0]})
	for _, c := range companions {
		stem, ok := strings.CutSuffix(paths[0], c.first)
		if !ok {
			continue
		}
		second := stem + c.second
		if len(paths) > 1 {
			second = paths[1]
		}
		if _, err := os.Stat(second); errors.Is(err, fs.ErrNotExist) {
			if c.required {
				return fmt.Errorf("%s is missing, which belongs to %s; if it has another name, rename it after the model", second, paths[0])
			}
			continue
		}
		a.files = append(a.files, file{name: strings.TrimSuffix(first, c.first) + c.second, path: second})
	}
	return nil
}

// AddSDK adds an SDK's libraries and licences.
func (a *Archive) AddSDK(sdk sdkdir.SDK) error {
	if err := a.checkLibrary(sdk.LibraryPath()); err != nil {
		return err
	}
	folder := "lib/" + sdk.Engine
	l := library{engine: sdk.Engine, version: sdk.Version, name: folder + "/" + filepath.Base(sdk.LibraryPath())}
	opened, err := os.Stat(sdk.LibraryPath())
	if err != nil {
		return err
	}
	err = a.addFolder(sdk.LibDir(), folder, func(path string, info fs.FileInfo) bool {
		// The library also has a link under its plain name, for linkers.
		return filepath.Ext(path) != ".a" && (path == sdk.LibraryPath() || !os.SameFile(info, opened))
	})
	if err != nil {
		return err
	}
	// A shim that was compiled with an SDK elsewhere has that SDK's folder as its
	// RUNPATH.
	dependencies, err := dependenciesElsewhere(sdk.LibraryPath())
	if err != nil {
		return err
	}
	for _, path := range dependencies {
		l.onLoaderPath = true
		name := folder + "/" + filepath.Base(path)
		a.files = slices.DeleteFunc(a.files, func(f file) bool { return f.name == name }) // of an SDK that the shim does not use
		a.files = append(a.files, file{name: name, path: path})
	}
	a.libraries = append(a.libraries, l)
	all := func(string, fs.FileInfo) bool { return true }
	err = a.addFolder(filepath.Join(sdk.Dir, "licenses"), "licenses/"+sdk.Engine, all)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// The licences of an SDK elsewhere are in a folder above its libraries.
	found := false
	for _, path := range dependencies {
		for dir, level := filepath.Dir(path), 0; level <= 2 && !found; dir, level = filepath.Dir(dir), level+1 {
			licenses := licensesIn(dir, "licenses/"+sdk.Engine)
			a.files, found = append(a.files, licenses...), licenses != nil
		}
	}
	if !found {
		a.unlicensed = append(a.unlicensed, sdk.Engine)
	}
	return nil
}

// addFolder adds the files below a folder for which include returns true.
func (a *Archive) addFolder(dir, to string, include func(path string, info fs.FileInfo) bool) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err != nil || !include(path, info) {
			return err
		}
		name, err := filepath.Rel(dir, path)
		a.files = append(a.files, file{name: to + "/" + filepath.ToSlash(name), path: path})
		return err
	})
}

// addExecutable adds the program. If it is linked with an engine's library, the
// dynamic loader must find the library.
func (a *Archive) addExecutable(path string) error {
	if err := a.CheckProgram(path); err != nil {
		return err
	}
	linked, err := importedLibraries(path)
	if err != nil {
		return err
	}
	for i, l := range a.libraries {
		if slices.ContainsFunc(linked, func(name string) bool {
			return slices.ContainsFunc(a.files, func(f file) bool { return f.name == "lib/"+l.engine+"/"+name })
		}) {
			a.libraries[i].onLoaderPath = true
		}
	}
	a.program = filepath.Base(path)
	a.files = append(a.files, file{name: "bin/" + a.program, path: path, executable: true})
	for _, f := range a.files {
		a.glibc = slices.MaxFunc([]string{a.glibc, glibcVersion(f.path)}, sdkdir.CompareVersions)
	}
	return nil
}

// Requirements returns the system that the archive needs, such as linux/arm64 with
// glibc 2.17 or newer.
func (a *Archive) Requirements() string {
	if a.glibc == "" {
		return a.target
	}
	return a.target + " with glibc " + a.glibc + " or newer"
}

// Unlicensed returns the engines, modules and programs whose licences were not found.
func (a *Archive) Unlicensed() []string { return a.unlicensed }
