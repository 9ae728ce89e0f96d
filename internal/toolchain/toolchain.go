// SPDX-License-Identifier: Apache-2.0

// Package toolchain compiles the shims of engines in C++, for this machine or
// another, from sources that the engines' packages register.
package toolchain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/anyinfer/anyinfer/cinclude"
	"github.com/anyinfer/anyinfer/internal/platform"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/toolchain/sources"
)

// Recipe describes how to compile an engine's shim. A new engine needs an entry in All.
type Recipe struct {
	Engine  string
	Sources fs.FS // nil: the registered sources of the engine's package
	SDK     SDK
}

// sources returns the sources, of which the .cc files are compiled.
func (r Recipe) sources() (fs.FS, error) {
	if r.Sources != nil {
		return r.Sources, nil
	}
	if files, ok := sources.Find(r.Engine); ok {
		return files, nil
	}
	return nil, fmt.Errorf("the shim's sources are in the package %s, which this program does not import", r.Engine)
}

// SDK describes the files of a C++ SDK.
type SDK struct {
	Name   string // for messages
	Env    string // the environment variable that names its folder
	Header string // the header that defines the version, below the folder of the headers
	// Macros in Header are the numbers of the version. If the headers have none, Version is the version for which the
	// shim is written.
	Macros  []string
	Version string
	// Libraries are the names for a linker's -l. The first is required, the others are linked if they exist.
	Libraries []string
	// OldStrings is the mangled name of a function in libraries that use the std::string from before GCC 5.
	OldStrings string
	// Packaged means that 'anyinfer sdk install' installs the SDK.
	Packaged bool
	// System is the folder in which system packages install the SDK, or "".
	System string
	Arch   string // the GOARCH of the SDK; empty means that of this machine
}

// Location describes the files of an SDK on this machine.
type Location struct {
	Root       string
	Include    string   // folder of the headers
	Libraries  []string // files
	OldStrings bool     // the libraries were compiled with the std::string from before GCC 5
	Strict     bool     // undefined symbols in the libraries are an error when the shim is linked
	SameFolder bool     // the shim is installed beside the libraries and finds them there, so that the folder can be moved
}

// LibDir returns the folder of the libraries.
func (p Location) LibDir() string { return filepath.Dir(p.Libraries[0]) }

// Find returns the recipe of an engine.
func Find(engine string) (Recipe, bool) {
	for _, r := range All {
		if r.Engine == engine {
			return r, true
		}
	}
	return Recipe{}, false
}

// Library returns the name of the shim's file.
func (r Recipe) Library() string { return "libanyinfer_" + r.Engine + ".so" }

// Installed returns the folders of the engine's installed SDKs, the newest first.
func (r Recipe) Installed() (dirs []string) {
	list, _ := sdkdir.List() // an unreadable root holds no usable SDK
	for _, s := range list {
		if s.Engine == r.Engine && s.OS == runtime.GOOS && s.Arch == r.SDK.GOARCH() {
			dirs = append(dirs, s.Dir)
		}
	}
	return dirs
}

// Locate finds the SDK to compile with: the folder explicit, else the environment variable's, else the first of
// installed that has headers, else the system's.
func (r Recipe) Locate(explicit string, installed ...string) (Location, error) {
	for _, named := range []struct{ source, dir string }{{"--root", explicit}, {r.SDK.Env, os.Getenv(r.SDK.Env)}} {
		if named.dir != "" {
			p, err := r.SDK.Find(named.dir)
			if err != nil {
				return p, fmt.Errorf("%s: %w", named.source, err)
			}
			return p, nil
		}
	}
	reason := "none is installed"
	if r.SDK.System != "" {
		installed = append(installed[:len(installed):len(installed)], r.SDK.System)
	}
	for _, dir := range installed {
		p, err := r.SDK.Find(dir)
		if err == nil {
			return p, nil
		}
		reason = err.Error() // the folder has only a shim
	}
	return Location{}, fmt.Errorf("no %s to compile with: %s is not set, and %s; %sset %s to a folder with include/%s and lib/lib%s.so or .a",
		r.SDK.Name, r.SDK.Env, reason, r.install(), r.SDK.Env, r.SDK.Header, r.SDK.Libraries[0])
}

// install returns the command that installs the SDK, for the error message; empty if there is none.
func (r Recipe) install() string {
	if r.SDK.Packaged {
		return "run 'anyinfer sdk install " + r.Engine + "', or "
	}
	return ""
}

// ProgramFlags returns the compiler's flags for a C++ program that uses the SDK directly.
func (r Recipe) ProgramFlags() ([]string, error) {
	p, err := r.Locate("", r.Installed()...)
	if err != nil {
		return nil, err
	}
	return append(append(p.flags(), "-Wl,-rpath,"+p.LibDir()), append(p.linkArgs(), "-pthread")...), nil
}

// flags returns the flags that compile a program with the SDK.
func (p Location) flags() []string {
	flags := append(cxxFlags[:len(cxxFlags):len(cxxFlags)], "-I", p.Include)
	if p.OldStrings {
		flags = append(flags, "-D_GLIBCXX_USE_CXX11_ABI=0")
	}
	return flags
}

// linkArgs returns the arguments that link a program with the SDK. It uses -l, because a shared library without a
// soname, such as the one in MNN's wheel, would otherwise be recorded by its path.
func (p Location) linkArgs() (args []string) {
	for _, l := range p.Libraries {
		if filepath.Ext(l) == ".a" {
			// Backends register themselves in static initializers, to which nothing refers.
			args = append(args, "-Wl,--whole-archive", l, "-Wl,--no-whole-archive")
		} else {
			args = append(args, "-L", filepath.Dir(l), "-l:"+filepath.Base(l))
		}
	}
	return args
}

// Version reads the version of an SDK.
func (r Recipe) Version(p Location) (string, error) {
	if r.SDK.Version != "" {
		return r.SDK.Version, nil
	}
	file := filepath.Join(p.Include, filepath.FromSlash(r.SDK.Header))
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var numbers []string
	for _, m := range r.SDK.Macros {
		number := m
		for range 4 { // a macro's value may be another macro
			if found := regexp.MustCompile(`(?m)^\s*#\s*define\s+` + number + `\s+(\w+)`).FindSubmatch(text); found != nil {
				number = string(found[1])
			}
		}
		if _, err := strconv.Atoi(number); err != nil {
			return "", fmt.Errorf("%s does not define %s as a number", file, m)
		}
		numbers = append(numbers, number)
	}
	return strings.Join(numbers, "."), nil
}

// Digest identifies the sources and flags of a shim, so that versions of this module with different shims differ.
func (r Recipe) Digest() (string, error) {
	own, err := r.sources()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprint(h, cxxFlags, linkFlags, ownFolderFlag, exports)
	for _, files := range []fs.FS{cinclude.Headers, own} {
		err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(files, name)
			fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

var (
	cxxFlags = []string{"-std=c++17"}
	// noexecstack: MNN's assembler files do not declare a non-executable stack, and new C libraries refuse to open
	// libraries that need an executable one.
	linkFlags = []string{"-Wl,--gc-sections", "-Wl,-z,defs", "-Wl,-z,noexecstack", "-pthread", "-ldl"}
)

// ownFolderFlag makes the loader search the shim's own folder before LD_LIBRARY_PATH, where another version of the SDK
// may be.
const ownFolderFlag = "-Wl,--disable-new-dtags"

// exports is a version script for the linker: a shim exports only its entry point, so that its other symbols, including
// those of a static SDK and of the C++ library's templates, cannot be confused with another engine's.
const exports = "{ global: anyinfer_engine; local: *; };\n"

// Compiler returns the command of the compiler for the shim.
func (r Recipe) Compiler() ([]string, error) { return CXX.For(r.SDK.GOARCH()).Compiler() }

// Build compiles the shim with an SDK to the file library, and writes its steps to log.
func (r Recipe) Build(ctx context.Context, sdk Location, library string, log io.Writer) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("shims are compiled on linux only; this is %s", runtime.GOOS)
	}
	sources, err := r.sources()
	if err != nil {
		return err
	}
	files, err := fs.Glob(sources, "*.cc")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(library), 0o777); err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "anyinfer-shim")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	script := filepath.Join(temp, "exports")
	if err := os.WriteFile(script, []byte(exports), 0o600); err != nil {
		return err
	}
	cxx, err := r.Compiler()
	if err != nil {
		return err
	}
	fmt.Fprintf(log, "compiling %s with %s on %s\n", strings.Join(files, ", "), strings.Join(cxx, " "), strings.Join(sdk.Libraries, ", "))
	args := sdk.linkArgs()
	if dir := sdk.LibDir(); filepath.Ext(sdk.Libraries[0]) != ".a" {
		if sdk.SameFolder {
			dir = "$ORIGIN"
			args = append(args, ownFolderFlag)
		}
		args = append(args, "-Xlinker", "-rpath", "-Xlinker", dir)
	}
	if sdk.Strict {
		args = append(args, "-Wl,--no-allow-shlib-undefined")
	}
	args = append(append(args, linkFlags...), "-Wl,--version-script="+script)
	args = append(args, strings.Fields(os.Getenv("LDFLAGS"))...)
	if err := CXX.For(r.SDK.GOARCH()).Compile(ctx, library, files, sdk.flags(), args, sources); err != nil {
		return err
	}
	return r.SDK.check(library)
}

// Find locates the SDK in root, which may be a build tree.
func (s SDK) Find(root string) (Location, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return Location{}, err
	}
	p := Location{Root: root}
	triplet := platform.Linux[s.GOARCH()].Triplet // in the folders of Debian's and JetPack's packages
	for _, dir := range []string{"include", "include/" + triplet} {
		if dir = filepath.Join(root, dir); exists(filepath.Join(dir, filepath.FromSlash(s.Header))) {
			p.Include = dir
			break
		}
	}
	if p.Include == "" {
		return p, fmt.Errorf("%s has no include/%s", root, s.Header)
	}
	for _, dir := range []string{"lib", "lib64", "", "build", "lib/" + triplet} {
		for _, ext := range []string{".so", ".a"} {
			for _, name := range s.Libraries {
				file := filepath.Join(root, dir, "lib"+name+ext)
				if !exists(file) {
					break
				}
				p.Libraries = append(p.Libraries, file)
			}
			if p.Libraries != nil {
				p.OldStrings, err = s.hasOldStrings(p.Libraries)
				return p, err
			}
		}
	}
	return p, errors.New(root + " has no lib" + s.Libraries[0] + ".so or .a in lib, lib64, build or itself")
}

// hasOldStrings reports whether a library's symbol table has the function OldStrings.
func (s SDK) hasOldStrings(libraries []string) (bool, error) {
	for _, l := range libraries {
		if s.OldStrings == "" {
			break
		}
		content, err := os.ReadFile(l)
		if err != nil || bytes.Contains(content, []byte(s.OldStrings+"\x00")) {
			return err == nil, err
		}
	}
	return false, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
