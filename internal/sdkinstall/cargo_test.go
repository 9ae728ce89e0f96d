// SPDX-License-Identifier: Apache-2.0

//go:build linux

package sdkinstall

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/cengine/shim"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/shims"
)

// pinCrate makes a crate the only SDK that is pinned, for the running system, with a shim of one small file. It returns the
// root of SDKs; TMPDIR is a folder of the test's.
func pinCrate(t *testing.T) (root, temp string) {
	t.Helper()
	oldReleases, oldShims := releases, shims.All
	t.Cleanup(func() { releases, shims.All = oldReleases, oldShims })
	releases = []release{{"mnn", "7.0", "mnn-sys", "0.2.0", mnnRS, nil,
		[]archive{{runtime.GOOS, runtime.GOARCH, "mnn-sys-0.2.0.crate", 10, strings.Repeat("0", 64), "lib/libanyinfer_mnn.so"}}}}
	useShim("first")
	root, temp = newRoot(t), t.TempDir()
	t.Setenv(sdkdir.EnvRoot, root)
	t.Setenv("TMPDIR", temp)
	t.Setenv("MNN_ROOT", "")
	return root, temp
}

// useShim makes this the source of the shim.
func useShim(text string) {
	shims.All = []shims.Recipe{{
		Engine: "mnn",
		Sources: fstest.MapFS{"shim.cc": {Data: []byte("#include <tiny.h>\n#include \"anyinfer_engine.h\"\n" +
			"ANYINFER_EXPORT const anyinfer_api* ANYINFER_ENTRY(void) { return static_cast<const anyinfer_api*>(tiny(\"" + text + "\")); }\n")}},
		SDK: shims.SDK{Name: "Tiny", Env: "MNN_ROOT", Header: "tiny.h", Macros: []string{"TINY_VERSION", "TINY_PATCH"}, Libraries: []string{"tiny"}},
	}}
}

// standIn puts a shell script in the place of cargo, and of the tools that it would call. It is asked for its version first.
func standIn(t *testing.T, script string) {
	t.Helper()
	bin := t.TempDir()
	put := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text), 0o755))
	}
	put("cargo", "[ \"$1\" = --version ] && { echo 'cargo 1.84.0 (stand-in)'; exit; }\n"+script)
	put("cmake", "")
	put("make", "")
	require.NoError(t, os.WriteFile(filepath.Join(bin, "libclang.so"), nil, 0o644))
	t.Setenv("LIBCLANG_PATH", bin)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

// buildTiny makes what the crate's build script leaves behind.
func buildTiny(t *testing.T, goarch string) (out string) {
	t.Helper()
	cxx, err := shim.CXX.For(goarch).Compiler()
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	require.NoError(t, err)
	out = t.TempDir()
	for name, text := range map[string]string{
		"mnn-install/include/tiny.h": "#define TINY_VERSION 7\n#define TINY_PATCH 0\nconst void* tiny(const char*);\n",
		"tiny.cc":                    "const void* tiny(const char* s) { return s; }\n",
		"vendor/part/LICENSE.txt":    "of a part",
	} {
		file := filepath.Join(out, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o777))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
	}
	require.NoError(t, os.Mkdir(filepath.Join(out, "mnn-install", "lib"), 0o777))
	for _, args := range [][]string{{cxx[0], "-c", "-fPIC", "tiny.cc"}, {"ar", "rc", "mnn-install/lib/libtiny.a", "tiny.o"}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = out
		said, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", said)
	}
	return out
}

func TestCrate(t *testing.T) {
	root, temp := pinCrate(t)
	old := syscall.Umask(0) // what is installed is safe whatever it is
	t.Cleanup(func() { syscall.Umask(old) })
	out := buildTiny(t, runtime.GOARCH)
	standIn(t, `[ "$1 $2 $4 $5 $6 $7 $8" = "build --manifest-path --locked --release -vv --color never" ] || exit 3
[ "$PWD" = / ] && grep -q '^\[workspace]' "$3" && [ -f "${3%.toml}.lock" ] && [ -f "${3%Cargo.toml}src/lib.rs" ] || exit 3
[ "$MNN_LIB_DIR" = "" ] || exit 4
mkdir -p "$CARGO_TARGET_DIR" && cp -r '`+out+`' "$CARGO_TARGET_DIR/out" && echo "[mnn-sys 0.2.0] [100%] Built target"
echo "[mnn-sys 0.2.0] cargo:rustc-link-search=native=$CARGO_TARGET_DIR/out/mnn-install/lib"
echo "[mnn-sys 0.2.0] cargo:rustc-link-search=native=$CARGO_TARGET_DIR/out"
`)
	t.Setenv("MNN_LIB_DIR", "/an/other/MNN")
	var log bytes.Buffer
	var told strings.Builder
	o := InstallOptions{Engine: "mnn", Root: root, Log: &log, Progress: func(s string) { told.WriteString(s + "\n") }}
	sdk, already, err := Install(t.Context(), o)
	require.NoError(t, err)
	require.False(t, already)
	require.Equal(t, []string{"include/tiny.h", "lib/libanyinfer_mnn.so", "lib/libtiny.a", "licenses/LICENSE", "licenses/part-LICENSE.txt", sdkdir.Manifest}, files(t, sdk.Dir))
	require.Contains(t, log.String(), "mnn 7.0 for "+runtime.GOOS+"/"+runtime.GOARCH+" from crate mnn-sys 0.2.0, built here")
	require.Less(t, strings.Index(log.String(), "publisher: aftershootco (mnn-rs), a third party\n"), strings.Index(log.String(), "8 to 15 minutes"))
	require.Contains(t, log.String(), "8 to 15 minutes")
	require.Equal(t, "mnn 7.0: compiling 100 %, 0 min", strings.Split(told.String(), "\n")[1])
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Len(t, entries, 1, "the build is gone")
	requireNothing(t, temp)
	requireNoWriters(t, root)

	shimText := func() string {
		t.Helper()
		text, err := os.ReadFile(sdk.LibraryPath())
		require.NoError(t, err)
		return string(text)
	}
	require.Contains(t, shimText(), "first")
	standIn(t, "exit 5\n") // from here on cargo is not needed

	same, already, err := Install(t.Context(), o)
	require.NoError(t, err)
	require.True(t, already)
	require.Equal(t, sdk, same)

	useShim("second, of another length")
	renewed, already, err := Install(t.Context(), o)
	require.NoError(t, err)
	require.False(t, already, "the shim of other sources is compiled again")
	require.Contains(t, shimText(), "second")
	requireNoWriters(t, root)
	require.NotEqual(t, sdk.Shim, renewed.Shim)
	require.Equal(t, sdk.SHA256, renewed.SHA256)
	_, already, err = Install(t.Context(), o)
	require.NoError(t, err)
	require.True(t, already)

	// A shim on an SDK elsewhere takes its place, and is not taken for the one of the installed SDK.
	other := t.TempDir()
	require.NoError(t, os.CopyFS(other, os.DirFS(filepath.Join(out, "mnn-install"))))
	place, err := shims.All[0].SDK.Find(other)
	require.NoError(t, err)
	foreign, err := BuildShim(t.Context(), shims.All[0], place, root, io.Discard)
	require.NoError(t, err)
	require.Equal(t, sdk.Dir, foreign.Dir)
	require.Empty(t, foreign.Shim)
	_, already, err = Install(t.Context(), o)
	require.NoError(t, err)
	require.False(t, already)

	// Without an SDK it has the folder to itself, until one is installed.
	_, err = Remove(root, "mnn", "", runtime.GOOS, runtime.GOARCH)
	require.NoError(t, err)
	for range 2 {
		alone, err := BuildShim(t.Context(), shims.All[0], place, root, io.Discard)
		require.NoError(t, err)
		require.Equal(t, sdk.Dir, alone.Dir)
		require.Equal(t, []string{"lib/libanyinfer_mnn.so", sdkdir.Manifest}, files(t, alone.Dir))
	}
	_, _, err = Install(t.Context(), o)
	require.ErrorContains(t, err, "exit status 5", "a shim alone is no SDK")

	_, _, err = Install(t.Context(), InstallOptions{Engine: "mnn", Root: root, From: filepath.Join(out, "tiny.o")})
	require.ErrorContains(t, err, "there is no file to install it from")
}

// TestCrateForAnotherProcessor has cargo, a stand-in, told what it is for, and the shim compiled for it.
func TestCrateForAnotherProcessor(t *testing.T) {
	if runtime.GOARCH == "arm64" {
		t.Skip("arm64 is no other processor here")
	}
	root, temp := pinCrate(t)
	releases[0].archives[0].arch = "arm64"
	t.Setenv("CC", "")
	t.Setenv("CXX", "")
	out := buildTiny(t, "arm64")
	told := filepath.Join(out, "told")
	standIn(t, `echo "$CARGO_BUILD_TARGET|$CC|$CXX" >'`+told+`' && grep CMAKE_SYSTEM_PROCESSOR "$CMAKE_TOOLCHAIN_FILE" >>'`+told+`'
echo '[mnn-sys 0.2.0] cargo:rustc-link-search=native=`+out+`/mnn-install/lib'
`)
	rust := filepath.Join(out, "rustc")
	t.Setenv("RUSTC", rust)
	require.NoError(t, os.WriteFile(rust, []byte("#!/bin/sh\necho '"+out+"'/$4\n"), 0o755))
	o := InstallOptions{Engine: "mnn", Arch: "arm64", Root: root}
	_, _, err := Install(t.Context(), o)
	require.ErrorContains(t, err, "Rust's library for aarch64-unknown-linux-gnu (rustup target add aarch64-unknown-linux-gnu)")
	require.NoFileExists(t, told)

	require.NoError(t, os.Mkdir(filepath.Join(out, "aarch64-unknown-linux-gnu"), 0o777))
	sdk, _, err := Install(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, "arm64", sdk.Arch)
	f, err := elf.Open(sdk.LibraryPath())
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, elf.EM_AARCH64, f.Machine)
	text, err := os.ReadFile(told)
	require.NoError(t, err)
	cc, err := shim.C.For("arm64").Compiler()
	require.NoError(t, err)
	cxx, err := shim.CXX.For("arm64").Compiler()
	require.NoError(t, err)
	require.Equal(t, "aarch64-unknown-linux-gnu|"+cc[0]+"|"+cxx[0]+"\nset(CMAKE_SYSTEM_PROCESSOR aarch64)\n", string(text))
	requireNothing(t, temp)

	native, err := shim.CXX.Compiler()
	require.NoError(t, err)
	t.Setenv("CXX", native[0])
	_, err = buildTools(t.Context(), "arm64")
	require.ErrorContains(t, err, "$CXX: "+native[0]+" compiles for ")
	require.NotContains(t, err.Error(), "$CC")
	t.Setenv("CXX", "")

	t.Setenv("PATH", t.TempDir())
	_, err = buildTools(t.Context(), "arm64")
	require.ErrorContains(t, err, "C++ compiler (apt install g++-aarch64-linux-gnu)")
}

// requireNoWriters checks that others can write to nothing below dir.
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

// files are those below dir.
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

// TestFollower reads what cargo -vv said, and what ninja says in the place of make.
func TestFollower(t *testing.T) {
	said := `   Compiling mnn-sys v0.2.0
     Running ` + "`/x/build/mnn-sys-7768ad905090ef85/build-script-build`" + `
[mnn-sys 0.2.0] -- Check for working CXX compiler: /usr/bin/c++ - skipped
[mnn-sys 0.2.0] [  8%] Building CXX object CMakeFiles/MNNCore.dir/source/core/Schedule.cpp.o
[bindgen 0.72.1] [ 99%] of something else
   Compiling tracing-core v0.1.36
[mnn-sys 0.2.0] gmake[1]: *** Waiting for unfinished jobs....
[mnn-sys 0.2.0] [ 45%] Building CXX object CMakeFiles/MNNTransform.dir/source/shape/ShapeUnique.cpp.o
[mnn-sys 0.2.0] [228/304] Building CXX object CMakeFiles/MNNTransform.dir/source/shape/ShapeUnpack.cpp.o
[mnn-sys 0.2.0] cargo:rustc-link-search=native=/x/build/mnn-sys-18bbd38510d2f200/out/mnn-install/lib
[mnn-sys 0.2.0] cargo:rustc-link-lib=static=mnn_c
[mnn-sys 0.2.0] cargo:rustc-link-search=native=/x/build/mnn-sys-18bbd38510d2f200/out
`
	var told []string
	var log bytes.Buffer
	f := &cargoOutput{
		log: &log, prefix: "[mnn-sys 0.2.0] ", start: time.Now().Add(-250 * time.Second), doing: "waiting",
		progress: func(format string, args ...any) {
			if s := fmt.Sprintf(format, args...); len(told) == 0 || told[len(told)-1] != s {
				told = append(told, s)
			}
		},
	}
	for part := range slices.Chunk([]byte(said), 7) { // it comes in any pieces
		n, err := f.Write(part)
		require.NoError(t, err)
		require.Equal(t, len(part), n)
	}
	require.Equal(t, said, log.String())
	require.Equal(t, []string{"waiting, 4 min", "compiling 8 %, 4 min", "compiling 45 %, 4 min", "compiling 75 %, 4 min"}, told)
	require.Equal(t, "/x/build/mnn-sys-18bbd38510d2f200/out", f.out)
}

func TestCrateOfAnotherVersion(t *testing.T) {
	root, temp := pinCrate(t)
	out := buildTiny(t, runtime.GOARCH)
	releases[0].version = "7.1"
	standIn(t, "echo '[mnn-sys 0.2.0] cargo:rustc-link-search=native="+out+"/mnn-install/lib'\n")
	_, _, err := Install(t.Context(), InstallOptions{Engine: "mnn", Root: root})
	require.ErrorContains(t, err, "version 7.0 instead of 7.1")
	requireNothing(t, root)
	requireNothing(t, temp)
}

func TestCrateFails(t *testing.T) {
	root, temp := pinCrate(t)
	standIn(t, "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo \"line $i\"; done; echo 'error: it does not compile' >&2; exit 101\n")
	_, _, err := Install(t.Context(), InstallOptions{Engine: "mnn", Root: root})
	require.ErrorContains(t, err, "cargo could not build mnn 7.0")
	require.ErrorContains(t, err, "line 1000\nerror: it does not compile\n")
	require.NotContains(t, err.Error(), "line 900\n")
	requireNothing(t, root)
	log := regexp.MustCompile(regexp.QuoteMeta(temp) + `\S+\.log`).FindString(err.Error())
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Contains(t, string(text), "line 1\n")
	require.NoError(t, os.Remove(log))
	requireNothing(t, temp)
}

func TestCrateInterrupted(t *testing.T) {
	root, temp := pinCrate(t)
	pids := filepath.Join(t.TempDir(), "pids")
	// cargo starts a build script, which starts make, which starts a compiler, which writes.
	standIn(t, `sh -c 'sh -c "echo \$\$ >>`+pids+`; while :; do echo x >\$CARGO_TARGET_DIR/\$\$; sleep 0.01; done" & echo $$ >>`+pids+`; wait' &
mkdir -p "$CARGO_TARGET_DIR"; echo $$ >>`+pids+`; wait
`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var started []string
	go func() {
		defer cancel()
		for deadline := time.Now().Add(20 * time.Second); len(started) < 3 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			text, _ := os.ReadFile(pids)
			started = strings.Fields(string(text))
		}
	}()
	_, _, err := Install(ctx, InstallOptions{Engine: "mnn", Root: root})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, started, 3)
	for _, s := range started {
		var pid int
		_, err := fmt.Sscan(s, &pid)
		require.NoError(t, err)
		// Orphans are dead before whoever adopts them has waited for them.
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		require.True(t, errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) || strings.Contains(string(stat), ") Z "), "%s still runs", s)
	}
	requireNothing(t, root)
	requireNothing(t, temp)
}

func TestBuildTools(t *testing.T) {
	root, temp := pinCrate(t)
	t.Setenv("CC", "")
	t.Setenv("CXX", "")
	t.Setenv("CMAKE_GENERATOR", "")
	t.Setenv("LIBCLANG_PATH", temp)
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	_, _, err := Install(t.Context(), InstallOptions{Engine: "mnn", Root: root})
	for _, want := range []string{"cargo 1.84 or newer (rustup", "C compiler (apt install build-essential)", "C++ compiler (apt install build-essential)",
		"cmake (apt install cmake)", "make (apt install build-essential)", "libclang (apt install libclang-dev): LIBCLANG_PATH names none"} {
		require.ErrorContains(t, err, want)
	}
	requireNothing(t, root)
	requireNothing(t, temp)

	t.Setenv("PATH", path)
	standIn(t, "")
	t.Setenv("CC", "sh")
	t.Setenv("CXX", "sh")
	env, err := buildTools(t.Context(), runtime.GOARCH)
	require.NoError(t, err)
	require.Equal(t, len(os.Environ()), len(env))

	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	cargo := func(script string) error {
		require.NoError(t, os.WriteFile(filepath.Join(bin, "cargo"), []byte("#!/bin/sh\n"+script), 0o755))
		_, err := buildTools(t.Context(), runtime.GOARCH)
		return err
	}
	require.ErrorContains(t, cargo("echo cargo 1.75.0"), "this is cargo 1.75.0")
	err = cargo("echo 'error: no toolchain' >&2; echo a backtrace >&2; exit 1")
	require.ErrorContains(t, err, "exit status 1: error: no toolchain")
	require.NotContains(t, err.Error(), "a backtrace")
	t.Setenv("RUSTUP_HOME", "")
	require.NoError(t, cargo("[ \"$RUSTUP_HOME\" ] && echo cargo 1.100.0"), "rustup finds the account's toolchains")
}

func TestLibclang(t *testing.T) {
	t.Setenv("LLVM_CONFIG_PATH", "no-llvm-config")
	t.Setenv("LIBCLANG_PATH", "")
	dir := t.TempDir()
	for name, want := range map[string]bool{
		"libclang.so": true, "libclang.so.1": true, "libclang-14.so": true, "libclang-14.so.1": true,
		"libclang-cpp.so": false, "libclang-cpp.so.14": false, "libclangd.a": false,
	} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, nil, 0o644))
		require.Equal(t, want, libclangIn(dir), name)
		t.Setenv("LIBCLANG_PATH", file)
		require.NoError(t, findLibclang())
		t.Setenv("LIBCLANG_PATH", "")
		if want {
			t.Setenv("LD_LIBRARY_PATH", "/nowhere:"+dir)
			require.NoError(t, findLibclang())
			t.Setenv("LD_LIBRARY_PATH", "")
		}
		require.NoError(t, os.Remove(file))
	}
}
