// SPDX-License-Identifier: Apache-2.0

//go:build linux

package toolchain

import (
	"bytes"
	"debug/elf"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/platform"
	"github.com/anyinfer/anyinfer/internal/toolchain/sources"
)

// sdkFiles are the sources of an SDK with the difficulties of real ones: a part that
// registers itself and is referred to by nothing, C++ templates with static
// variables, and assembly code without a .note.GNU-stack section.
var sdkFiles = map[string]string{
	"include/tiny/version.h": "#define TINY_RELEASE 12\n#define TINY_MAJOR TINY_RELEASE\n# define  TINY_MINOR 0 // of 12\n",
	"include/tiny/tiny.h":    "#include <string>\nint tiny_parts(std::string name);\nstruct tiny_registrar { tiny_registrar(); };\n",
	"tiny.cc": "#include <tiny/tiny.h>\ntemplate <class T> struct all { static T n; };\ntemplate <class T> T all<T>::n;\n" +
		"tiny_registrar::tiny_registrar() { all<int>::n++; }\nint tiny_parts(std::string name) { return name == \"all\" ? all<int>::n : -1; }\n",
	"part.cc": "#include <tiny/tiny.h>\nstatic tiny_registrar here;\n",
	"word.s":  ".data\n.globl tiny_word\ntiny_word: .long 7\n",
}

var shimSources = fstest.MapFS{
	"shim.cc": {Data: []byte("//go:build cgo && tiny\n#include \"anyinfer_engine.h\"\n#include \"parts.h\"\n" +
		"ANYINFER_EXPORT const anyinfer_api* ANYINFER_ENTRY(void) { return reinterpret_cast<const anyinfer_api*>(static_cast<size_t>(parts())); }\n")},
	"parts.cc": {Data: []byte("#include \"parts.h\"\n#include <tiny/tiny.h>\nint parts() { return tiny_parts(\"all\"); }\n")},
	"parts.h":  {Data: []byte("#include <cstddef>\nint parts();\n")},
	"tiny.go":  {Data: []byte("package tiny\n")},
}

func recipe() Recipe {
	return Recipe{Engine: "tiny", Sources: shimSources, SDK: SDK{
		Name: "Tiny", Env: "TINY_ROOT", Packaged: true, Header: "tiny/version.h", Macros: []string{"TINY_MAJOR", "TINY_MINOR"}, Libraries: []string{"tiny", "tiny_more"},
	}}
}

// buildSDK builds an SDK whose library is lib, and returns its folder.
func buildSDK(t *testing.T, lib string, flags ...string) string {
	t.Helper()
	cxx, err := CXX.Compiler()
	if err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	root := filepath.Join(t.TempDir(), "a, b")
	for name, text := range sdkFiles {
		file := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o777))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, lib)), 0o777))
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	sources := append(flags, "-fPIC", "-Iinclude", "tiny.cc", "part.cc", "word.s")
	if strings.HasSuffix(lib, ".so") {
		run(cxx[0], append([]string{"-shared", "-Wl,-soname," + filepath.Base(lib), "-o", lib}, sources...)...)
	} else {
		run(cxx[0], append([]string{"-c"}, sources...)...)
		run("ar", "rc", lib, "tiny.o", "part.o", "word.o")
	}
	return root
}

// find returns the SDK in root.
func find(t *testing.T, r Recipe, root string) Location {
	t.Helper()
	place, err := r.SDK.Find(root)
	require.NoError(t, err)
	return place
}

func TestBuild(t *testing.T) {
	for _, lib := range []string{"lib/libtiny.a", "lib64/libtiny.so", "libtiny.so", "build/libtiny.a"} {
		t.Run(lib, func(t *testing.T) {
			root := buildSDK(t, lib)
			r := recipe()
			file := filepath.Join(t.TempDir(), "new folder", r.Library())
			var log bytes.Buffer
			require.NoError(t, r.Build(t.Context(), find(t, r, root), file, &log))
			require.Regexp(t, `^compiling parts.cc, shim.cc with \S+ on `+filepath.Join(root, lib)+"\n$", log.String())

			f, err := elf.Open(file)
			require.NoError(t, err)
			defer f.Close()
			symbols, err := f.DynamicSymbols()
			require.NoError(t, err)
			for _, s := range symbols {
				if s.Section != elf.SHN_UNDEF {
					require.Equal(t, "anyinfer_engine", s.Name, "no other symbol may be exported")
				}
			}
			for _, p := range f.Progs {
				if p.Type == elf.PT_GNU_STACK {
					require.Zero(t, p.Flags&elf.PF_X, "the library would make stacks executable")
				}
			}
			l, err := dylib.Open(dylib.Spec{Engine: "tiny", Stem: "anyinfer_tiny"}, []dylib.Decl{{C: "const anyinfer_api* anyinfer_engine(void)"}}, file)
			require.NoError(t, err)
			parts := l.Call(0)
			require.NotZero(t, parts, "the part that nothing refers to is missing")
			if filepath.Ext(lib) == ".a" { // the libraries of a process share a shared SDK's variables
				require.EqualValues(t, 1, parts, "shims share the static variable of a template")
			}
		})
	}
}

// TestOldStringABI checks that a shim is compiled with the std::string ABI of the SDK.
func TestOldStringABI(t *testing.T) {
	r := recipe()
	file := filepath.Join(t.TempDir(), r.Library())
	for _, lib := range []string{"lib/libtiny.a", "lib/libtiny.so"} {
		root := buildSDK(t, lib, "-D_GLIBCXX_USE_CXX11_ABI=0")
		require.Error(t, r.Build(t.Context(), find(t, r, root), file, io.Discard), "the shim was linked with the other ABI")
		old := r
		old.SDK.OldStrings = "_Z10tiny_partsSs"
		place := find(t, old, root)
		require.True(t, place.OldStrings)
		require.NoError(t, old.Build(t.Context(), place, file, io.Discard))
		require.False(t, find(t, old, buildSDK(t, lib)).OldStrings)
	}
}

func TestBuildFails(t *testing.T) {
	root := buildSDK(t, "lib/libtiny.a")
	file := filepath.Join(t.TempDir(), "x.so")
	r := recipe()
	r.Sources = fstest.MapFS{"shim.cc": {Data: []byte("int wrong = nonsense;\n")}}
	require.ErrorContains(t, r.Build(t.Context(), find(t, r, root), file, io.Discard), "nonsense")
	r.Sources = fstest.MapFS{"shim.cc": {Data: []byte("#include \"anyinfer_engine.h\"\nconst anyinfer_api* absent(); ANYINFER_EXPORT const anyinfer_api* ANYINFER_ENTRY(void) { return absent(); }\n")}}
	require.ErrorContains(t, r.Build(t.Context(), find(t, r, root), file, io.Discard), "absent", "linking must fail, not dlopen")
	t.Setenv("CXX", "nope++ -m64")
	require.ErrorContains(t, r.Build(t.Context(), find(t, r, root), file, io.Discard), "no C++ compiler: $CXX: ")
	t.Setenv("CXX", "")
	t.Setenv("PATH", t.TempDir())
	require.ErrorContains(t, r.Build(t.Context(), find(t, r, root), file, io.Discard), "no C++ compiler: none of c++, g++, clang++ is installed; install one")
	require.NoFileExists(t, file)
}

func TestLocate(t *testing.T) {
	a, b := buildSDK(t, "lib/libtiny.a"), buildSDK(t, "libtiny.so")
	shimOnly := t.TempDir() // a shim without an SDK
	r := recipe()
	t.Setenv("TINY_ROOT", "")
	for _, test := range []struct {
		explicit, env string
		installed     []string
		want, err     string
	}{
		{explicit: a, env: b, want: a},
		{env: b, installed: []string{a}, want: b},
		{installed: []string{shimOnly, a, b}, want: a},
		{explicit: shimOnly, env: a, err: "--root: " + shimOnly + " has no include/tiny/version.h"},
		{env: shimOnly, installed: []string{a}, err: "TINY_ROOT: " + shimOnly + " has no include/tiny/version.h"},
		{installed: []string{shimOnly}, err: "TINY_ROOT is not set, and " + shimOnly + " has no include/tiny/version.h"},
		{err: "no Tiny to compile with: TINY_ROOT is not set, and none is installed; run 'anyinfer sdk install tiny', or set TINY_ROOT to a folder with include/tiny/version.h and lib/libtiny.so or .a"},
	} {
		t.Setenv("TINY_ROOT", test.env)
		got, err := r.Locate(test.explicit, test.installed...)
		if test.err != "" {
			require.ErrorContains(t, err, test.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, test.want, got.Root)
	}
	t.Setenv("TINY_ROOT", "")
	r.SDK.System = b
	got, err := r.Locate("", shimOnly)
	require.NoError(t, err)
	require.Equal(t, b, got.Root, "the system's SDK must come before installed shims")

	// The folders of Debian's packages.
	c := filepath.Join(t.TempDir(), "usr")
	triplet := platform.Linux[runtime.GOARCH].Triplet
	require.NoError(t, os.CopyFS(filepath.Join(c, "include", triplet), os.DirFS(filepath.Join(a, "include"))))
	require.NoError(t, os.CopyFS(filepath.Join(c, "lib", triplet), os.DirFS(filepath.Join(a, "lib"))))
	require.Equal(t, Location{
		Root: c, Include: filepath.Join(c, "include", triplet), Libraries: []string{filepath.Join(c, "lib", triplet, "libtiny.a")},
	}, find(t, r, c))

	require.NoError(t, os.RemoveAll(filepath.Join(a, "lib")))
	_, err = r.Locate(a)
	require.ErrorContains(t, err, a+" has no libtiny.so or .a in lib")
}

func TestLibraries(t *testing.T) {
	root := buildSDK(t, "lib/libtiny.so")
	more := filepath.Join(root, "lib", "libtiny_more.so")
	require.NoError(t, os.Link(filepath.Join(root, "lib", "libtiny.so"), more))
	place := find(t, recipe(), root)
	require.Equal(t, []string{filepath.Join(root, "lib", "libtiny.so"), more}, place.Libraries)
	require.Equal(t, filepath.Join(root, "lib"), place.LibDir())
}

func TestVersion(t *testing.T) {
	root := buildSDK(t, "lib/libtiny.a")
	r := recipe()
	place := find(t, r, root)
	v, err := r.Version(place)
	require.NoError(t, err)
	require.Equal(t, "12.0", v)
	r.SDK.Macros = append(r.SDK.Macros, "TINY_PATCH")
	_, err = r.Version(place)
	require.ErrorContains(t, err, "version.h does not define TINY_PATCH as a number")
}

func TestDigest(t *testing.T) {
	r := recipe()
	a, err := r.Digest()
	require.NoError(t, err)
	again, err := r.Digest()
	require.NoError(t, err)
	require.Equal(t, a, again)
	changed := maps.Clone(shimSources)
	changed["parts.h"] = &fstest.MapFile{Data: bytes.Replace(shimSources["parts.h"].Data, []byte("parts"), []byte("ports"), 1)}
	r.Sources = changed
	b, err := r.Digest()
	require.NoError(t, err)
	require.NotEqual(t, a, b)
}

// TestRegisteredSources checks that a recipe without sources uses those that the engine's
// package registered.
func TestRegisteredSources(t *testing.T) {
	r := recipe()
	want, err := r.Digest()
	require.NoError(t, err)
	r.Sources = nil
	_, err = r.Digest()
	require.ErrorContains(t, err, "the shim's sources are in the package tiny, which this program does not import")
	require.ErrorContains(t, r.Build(t.Context(), Location{}, filepath.Join(t.TempDir(), "x.so"), io.Discard), "which this program does not import")
	sources.Register(r.Engine, shimSources)
	got, err := r.Digest()
	require.NoError(t, err)
	require.Equal(t, want, got)
}
