// SPDX-License-Identifier: Apache-2.0

//go:build linux

package sdkinstall

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/pypi"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

// moduleC is the source of a library like the Python module in MNN's wheel.
const moduleC = `
extern int _Py_NoneStruct, PyLong_FromLong(long);
int *volatile none = &_Py_NoneStruct;
int wrapped(void) { return PyLong_FromLong(*none); }
const void *tiny(const char *s) { return none ? 0 : s; }
`

// pinModule compiles source to a library for linux/goarch, pins a wheel with it as the only SDK, replaces the shims by
// one of a small file and cargo by a script. It returns the root of SDKs, the wheel, and the folder of cargo's cache.
func pinModule(t *testing.T, goarch, source string) (root, wheel, cache string) {
	t.Helper()
	cc, err := toolchain.C.For(goarch).Compiler()
	if err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	library := filepath.Join(t.TempDir(), "module.so")
	cmd := exec.Command(cc[0], "-shared", "-fPIC", "-z", "execstack", "-o", library, "-x", "c", "-", "-Wl,--no-as-needed", "-lgomp")
	cmd.Stdin = strings.NewReader(source)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	text, err := os.ReadFile(library)
	require.NoError(t, err)

	var tgz bytes.Buffer
	z := gzip.NewWriter(&tgz)
	w := tar.NewWriter(z)
	for name, text := range map[string]string{
		"vendor/include/tiny.h":  "#define TINY_VERSION 7\n#define TINY_PATCH 0\nextern \"C\" const void* tiny(const char*);\n",
		"vendor/source/tiny.cpp": "dropped", "vendor/3rd_party/half/LICENSE.txt": "of a part",
	} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: "mnn-sys-0.2.0/" + name, Typeflag: tar.TypeReg, Size: int64(len(text))}))
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, errors.Join(w.Close(), z.Close()))
	oldHeaders := *headers["mnn"]
	t.Cleanup(func() { *headers["mnn"] = oldHeaders })
	headers["mnn"].sha256 = fmt.Sprintf("%x", sha256.Sum256(tgz.Bytes()))
	cache = filepath.Join(t.TempDir(), "registry", "cache", "somewhere")
	t.Setenv("CARGO_HOME", filepath.Join(cache, "../../.."))
	crate := filepath.Join(t.TempDir(), "crate")
	require.NoError(t, os.WriteFile(crate, tgz.Bytes(), 0o666))
	fakeCargo(t, `[ "$PWD $*" = "/ info --quiet --registry crates-io mnn-sys@0.2.0" ] && mkdir -p '`+cache+`' && cp '`+crate+`' '`+cache+`/mnn-sys-0.2.0.crate'`)

	oldShims := toolchain.All
	t.Cleanup(func() { toolchain.All = oldShims })
	useShim("first")
	wheel = pinWheel(t, zipOf(t, member{name: "module.so", text: string(text)})) // restores releases
	r := &releases[0]
	r.engine, r.unpack = "mnn", []pypi.Rule{{"module.so", "lib/libtiny.so"}}
	r.archives[0].arch, r.archives[0].library = goarch, "lib/libanyinfer_mnn.so"
	root = newRoot(t)
	t.Setenv(sdkdir.EnvRoot, root)
	t.Setenv("MNN_ROOT", "")
	return root, wheel, cache
}

// useShim replaces the shims by one that returns text.
func useShim(text string) {
	toolchain.All = []toolchain.Recipe{{
		Engine: "mnn",
		Sources: fstest.MapFS{"shim.cc": {Data: []byte("#include <tiny.h>\n#include \"anyinfer_engine.h\"\n" +
			"ANYINFER_EXPORT const anyinfer_api* ANYINFER_ENTRY(void) { return static_cast<const anyinfer_api*>(tiny(\"" + text + "\")); }\n")}},
		SDK: toolchain.SDK{Name: "Tiny", Env: "MNN_ROOT", Header: "tiny.h", Macros: []string{"TINY_VERSION", "TINY_PATCH"}, Libraries: []string{"tiny"}},
	}}
}

// fakeCargo replaces cargo by a shell script, which also reports a version.
func fakeCargo(t *testing.T, script string) {
	t.Helper()
	bin := t.TempDir()
	script = "#!/bin/sh\n[ \"$1\" = --version ] && { echo 'cargo 1.82.0 (fake)'; exit; }\n" + script + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(bin, "cargo"), []byte(script), 0o755))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

// call opens a shim and returns the text that its entry function returns.
func call(t *testing.T, library string) string {
	t.Helper()
	l, err := dylib.Open(dylib.Spec{Engine: "tiny", Stem: "x"}, []dylib.Decl{{C: "const anyinfer_api* anyinfer_engine(void)"}}, library)
	require.NoError(t, err)
	text := l.Call(0)
	require.NotZero(t, text, "addresses of Python's symbols must be NULL")
	return dylib.GoString(text)
}

func TestInstallModule(t *testing.T) {
	root, wheel, cache := pinModule(t, runtime.GOARCH, moduleC)
	old := syscall.Umask(0) // must not make installed files writable
	t.Cleanup(func() { syscall.Umask(old) })
	var log bytes.Buffer
	o := InstallOptions{Engine: "mnn", Root: root, From: wheel, Log: &log}
	sdk, alreadyInstalled, err := Install(t.Context(), o)
	require.NoError(t, err)
	require.False(t, alreadyInstalled)
	require.Equal(t, []string{"include/tiny.h", "lib/libanyinfer_mnn.so", "lib/libtiny.so", "licenses/LICENSE", "licenses/half-LICENSE.txt", sdkdir.Manifest}, files(t, sdk.Dir))
	require.Contains(t, log.String(), "SHA-256: "+sdk.SHA256+"\n  headers from the crate mnn-sys 0.2.0 (mnn-sys-0.2.0.crate, 10.1 MB)\n  publisher: aftershootco (mnn-rs), a third party\n  MNN is Alibaba's.")
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Len(t, entries, 1, "a temporary folder was not removed")
	requireNoWriters(t, root)

	f, err := elf.Open(filepath.Join(sdk.LibDir(), "libtiny.so"))
	require.NoError(t, err)
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	require.NoError(t, err)
	require.NotContains(t, strings.Join(libraries, " "), "gomp")
	require.Contains(t, libraries, "libc.so.6")
	for _, p := range f.Progs {
		if p.Type == elf.PT_GNU_STACK {
			require.Zero(t, p.Flags&elf.PF_X)
		}
	}
	moved := filepath.Join(t.TempDir(), "moved") // like `anyinfer pack`, or a copy to another machine
	require.NoError(t, os.CopyFS(moved, os.DirFS(sdk.LibDir())))
	require.Equal(t, "first", call(t, filepath.Join(moved, "libanyinfer_mnn.so")))

	fakeCargo(t, "exit 5") // cargo must not be called again
	same, alreadyInstalled, err := Install(t.Context(), o)
	require.NoError(t, err)
	require.True(t, alreadyInstalled)
	require.Equal(t, sdk, same)

	useShim("second, of another length")
	renewed, alreadyInstalled, err := Install(t.Context(), o)
	require.NoError(t, err)
	require.False(t, alreadyInstalled, "a shim of other sources was not compiled again")
	requireNoWriters(t, root)
	require.NotEqual(t, sdk.Shim, renewed.Shim)
	require.Equal(t, sdk.SHA256, renewed.SHA256)
	_, alreadyInstalled, err = Install(t.Context(), o)
	require.NoError(t, err)
	require.True(t, alreadyInstalled)
	movedAgain := filepath.Join(t.TempDir(), "moved")
	require.NoError(t, os.CopyFS(movedAgain, os.DirFS(sdk.LibDir())))
	require.Equal(t, "second, of another length", call(t, filepath.Join(movedAgain, "libanyinfer_mnn.so")))

	// A shim of an SDK in another folder replaces the installed one, which Install then restores.
	other := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(other, "include"), os.DirFS(filepath.Join(sdk.Dir, "include"))))
	require.NoError(t, os.CopyFS(filepath.Join(other, "lib"), os.DirFS(sdk.LibDir())))
	place, err := toolchain.All[0].SDK.Find(other)
	require.NoError(t, err)
	foreign, err := toolchain.All[0].Install(t.Context(), place, root, io.Discard)
	require.NoError(t, err)
	require.Equal(t, sdk.Dir, foreign.Dir)
	require.Empty(t, foreign.Shim)
	_, alreadyInstalled, err = Install(t.Context(), o)
	require.NoError(t, err)
	require.False(t, alreadyInstalled)

	// Without an installed SDK, the folder contains only the shim.
	_, err = Remove(root, "mnn", "", runtime.GOOS, runtime.GOARCH)
	require.NoError(t, err)
	for range 2 {
		alone, err := toolchain.All[0].Install(t.Context(), place, root, io.Discard)
		require.NoError(t, err)
		require.Equal(t, sdk.Dir, alone.Dir)
		require.Equal(t, []string{"lib/libanyinfer_mnn.so", sdkdir.Manifest}, files(t, alone.Dir))
	}
	alone, alreadyInstalled, err := Install(t.Context(), o)
	require.NoError(t, err)
	require.False(t, alreadyInstalled, "a folder with only a shim must not count as an SDK")
	require.NotEmpty(t, alone.Shim)

	// The crate in the cache has the wrong digest, then it is missing and cannot be fetched.
	_, err = Remove(root, "mnn", "", runtime.GOOS, runtime.GOARCH)
	require.NoError(t, err)
	crate := filepath.Join(cache, "mnn-sys-0.2.0.crate")
	require.NoError(t, os.WriteFile(crate, []byte("another"), 0o666))
	_, _, err = Install(t.Context(), o)
	require.ErrorContains(t, err, crate+" is refused: its SHA-256 is")
	require.NoError(t, os.Remove(crate))
	_, _, err = Install(t.Context(), o)
	require.ErrorContains(t, err, "cargo could not fetch the crate mnn-sys-0.2.0: exit status 5")
	requireEmptyFolder(t, root)
}

func TestInstallModuleForOtherProcessor(t *testing.T) {
	goarch := map[bool]string{true: "arm64", false: "amd64"}[runtime.GOARCH == "amd64"]
	t.Setenv("CC", "")
	t.Setenv("CXX", "")
	root, wheel, _ := pinModule(t, goarch, moduleC)
	sdk, _, err := Install(t.Context(), InstallOptions{Engine: "mnn", Arch: goarch, Root: root, From: wheel})
	require.NoError(t, err)
	require.Equal(t, goarch, sdk.Arch)
	f, err := elf.Open(sdk.LibraryPath())
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64}[goarch], f.Machine)
}

// TestModuleWithMissingSymbol checks that a library with an undefined symbol that is not Python's is refused by
// Install, not at its first use.
func TestModuleWithMissingSymbol(t *testing.T) {
	root, wheel, _ := pinModule(t, runtime.GOARCH, moduleC+"int lacking(void); int calls(void) { return lacking(); }\n")
	_, _, err := Install(t.Context(), InstallOptions{Engine: "mnn", Root: root, From: wheel})
	require.ErrorContains(t, err, "lacking")
	requireEmptyFolder(t, root)
}

func TestCrateVersionMismatch(t *testing.T) {
	root, wheel, _ := pinModule(t, runtime.GOARCH, moduleC)
	releases[0].version = "7.1"
	_, _, err := Install(t.Context(), InstallOptions{Engine: "mnn", Root: root, From: wheel})
	require.ErrorContains(t, err, "version 7.0 instead of 7.1")
	requireEmptyFolder(t, root)
}

// TestCrateInterrupted checks that cargo fetches a crate again which an interrupted cargo left incomplete.
func TestCrateInterrupted(t *testing.T) {
	for _, content := range []string{"", "half"} {
		root, wheel, cache := pinModule(t, runtime.GOARCH, moduleC)
		require.NoError(t, os.MkdirAll(cache, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(cache, "mnn-sys-0.2.0.crate"), []byte(content), 0o644))
		_, _, err := Install(t.Context(), InstallOptions{Engine: "mnn", Root: root, From: wheel})
		require.NoError(t, err)
	}
}

// TestCrateInOddFolder checks that characters of patterns in CARGO_HOME are not interpreted.
func TestCrateInOddFolder(t *testing.T) {
	home := filepath.Join(t.TempDir(), "h[1]")
	file := filepath.Join(home, "registry", "cache", "x", headers["mnn"].String()+".crate")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	t.Setenv("CARGO_HOME", home)
	require.Equal(t, file, headers["mnn"].cached())
}

func TestMissingTools(t *testing.T) {
	root, wheel, _ := pinModule(t, runtime.GOARCH, moduleC)
	require.NoError(t, Possible(t.Context(), "mnn"))
	require.NoError(t, os.Chmod(root, 0o755))
	t.Setenv("CXX", "no-such-compiler")
	t.Setenv("PATH", t.TempDir())
	_, _, err := Install(t.Context(), InstallOptions{Engine: "mnn", Root: root, From: wheel})
	require.ErrorContains(t, err, "cargo 1.82 or newer is needed to fetch headers (rustup")
	require.ErrorContains(t, err, "no C++ compiler: $CXX")
	require.EqualError(t, Possible(t.Context(), "mnn"), err.Error())
	requireEmptyFolder(t, root)

	bin := t.TempDir()
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	cargo := func(script string) error {
		require.NoError(t, os.WriteFile(filepath.Join(bin, "cargo"), []byte("#!/bin/sh\n"+script), 0o755))
		_, err := cargoIn(t.Context())
		return err
	}
	require.ErrorContains(t, cargo("echo cargo 1.75.0"), "this is cargo 1.75.0")
	require.ErrorContains(t, cargo("echo 'error: no toolchain' >&2; exit 1"), "exit status 1: error: no toolchain")
	t.Setenv("RUSTUP_HOME", "")
	require.NoError(t, cargo("[ \"$RUSTUP_HOME\" ] && echo cargo 1.100.0"), "RUSTUP_HOME must be set for rustup")
}

// requireNoWriters checks that other users cannot write to any file below dir.
func requireNoWriters(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o022, "%s %s", info.Mode(), path)
		return nil
	}))
}

// files returns the paths of the files below dir.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	})
	require.NoError(t, err)
	return all
}
