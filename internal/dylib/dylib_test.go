// SPDX-License-Identifier: Apache-2.0

//go:build linux

package dylib_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/platform"
	"github.com/stretchr/testify/require"
)

// libc takes the place of an SDK, because every machine has it.
var libc = dylib.Spec{Engine: "libc", Stem: "c-of-the-test", Sonames: []string{"libc.so.6"}}

const (
	strlen = iota
	memcpy
	absent
)

var table = []dylib.Decl{
	strlen: {C: "size_t strlen(const char *s)"},
	memcpy: {C: "void* memcpy(void* dest, const void* src, size_t n)"},
	absent: {C: "int anyinfer_is_not_in_libc(int (*callback)(void*), int n)", Since: "never"},
}

func open(t *testing.T, explicit string) (*dylib.Library, error) {
	t.Helper()
	t.Setenv("ANYINFER_SDK_DIR", t.TempDir())
	return dylib.Open(libc, table, explicit)
}

func TestCall(t *testing.T) {
	lib, err := open(t, "")
	require.NoError(t, err)
	require.Equal(t, "libc.so.6", lib.Path)
	require.True(t, lib.Has(strlen))
	require.False(t, lib.Has(absent))
	require.EqualValues(t, 5, lib.Call(strlen, dylib.String("seven"[:5])))

	src, dst := []int32{1, 2, 3}, make([]int32, 3)
	r := lib.Call(memcpy, dylib.Slice(dst), dylib.Slice(src), dylib.Int(12))
	require.Equal(t, src, dst)
	require.NotZero(t, r)

	text := new([8]byte)
	lib.Call(memcpy, dylib.Ptr(text), dylib.String("to C"), dylib.Int(5))
	require.Equal(t, "to C\x00", string(text[:5]))
}

// TestCallWithStackVariables checks that C can write to a variable of the caller even
// if the goroutine's stack moves.
func TestCallWithStackVariables(t *testing.T) {
	lib, err := open(t, "")
	require.NoError(t, err)
	done := make(chan [64]byte)
	for range 100 {
		go func() {
			var local [64]byte
			source := [64]byte{63: 7}
			for range 100 {
				growStack(20)
				lib.Call(memcpy, dylib.Ptr(&local), dylib.Ptr(&source), dylib.Int(64))
			}
			done <- local
		}()
	}
	for range 100 {
		require.Equal(t, [64]byte{63: 7}, <-done)
	}
}

// growStack uses n KB of stack.
func growStack(n int) int {
	var space [1024]byte
	if n == 0 {
		return len(space)
	}
	space[n] = byte(n)
	return growStack(n-1) + int(space[n])
}

func TestPreparedCall(t *testing.T) {
	lib, err := open(t, "")
	require.NoError(t, err)
	text := []byte("text\x00")
	defer runtime.KeepAlive(text)
	address := lib.Call(memcpy, dylib.Slice(text), dylib.Slice(text), dylib.Int(0)) // the address of text, from C
	p := lib.Prepare(strlen, dylib.Int(address))
	require.EqualValues(t, 4, p.Do())
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Do() }))
}

func TestMemory(t *testing.T) {
	lib, err := open(t, "")
	require.NoError(t, err)
	data := []byte("abc\x00def")
	at := lib.Call(memcpy, dylib.Slice(data), dylib.Slice(data), dylib.Int(0))
	text := dylib.GoString(at)
	require.Equal(t, "abc", text)
	require.Empty(t, dylib.GoString(0))
	out := make([]uint16, 2)
	dylib.CopyOut(out, at)
	require.Equal(t, []uint16{'a' | 'b'<<8, 'c'}, out)
	dylib.CopyIn(at, []byte("X"))
	require.Equal(t, byte('X'), data[0])
	require.Equal(t, "abc", text, "GoString must return a copy")
	dylib.CopyOut(out[:0], 0)
	dylib.CopyIn(0, out[:0])
}

func TestFunc(t *testing.T) {
	lib, err := open(t, "")
	require.NoError(t, err)
	var length func(string) uint
	lib.Func(strlen, &length)
	require.EqualValues(t, 3, length("abc"))
}

func TestSearch(t *testing.T) {
	found := func(pattern string) string {
		for _, dir := range []string{"/lib/*", "/usr/lib/*", "/lib64", "/usr/lib"} {
			if m, _ := filepath.Glob(filepath.Join(dir, pattern)); m != nil {
				return m[0]
			}
		}
		t.Skip("libc was not found")
		return ""
	}
	file := found("libc.so.6")
	dir := filepath.Join(t.TempDir(), "odd [name]*")
	require.NoError(t, os.Mkdir(dir, 0o777))
	broken := filepath.Join(dir, "libc-of-the-test.so.1")
	require.NoError(t, os.WriteFile(broken, []byte("text"), 0o666))

	lib, err := open(t, file)
	require.NoError(t, err)
	require.Equal(t, file, lib.Path)

	t.Run("missing", func(t *testing.T) {
		_, err := open(t, filepath.Join(dir, "nowhere"))
		e := notAvailable(t, err)
		require.Empty(t, e.Path)
		require.Len(t, e.Searched, 1, "Config.Library must exclude all other places")
		require.Contains(t, err.Error(), "nowhere (Config.Library): no such file or folder")
	})
	t.Run("broken", func(t *testing.T) {
		_, err := open(t, dir)
		require.Equal(t, broken, notAvailable(t, err).Path)
		require.Contains(t, err.Error(), "tried "+broken)
	})
	t.Run("other processor", func(t *testing.T) {
		here, known := platform.Linux[runtime.GOARCH]
		if !known || runtime.GOOS != "linux" {
			t.Skip("package platform does not know this processor")
		}
		other := platform.Linux["arm64"]
		if runtime.GOARCH == "arm64" {
			other = platform.Linux["amd64"]
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		text[18] = byte(other.Machine)
		foreign := filepath.Join(t.TempDir(), "libx.so")
		require.NoError(t, os.WriteFile(foreign, text, 0o666))
		_, err = open(t, foreign)
		require.Equal(t, foreign, notAvailable(t, err).Path)
		require.ErrorContains(t, err, "tried "+foreign+" (Config.Library): it is for "+other.Name+", but this program is for "+here.Name+"\n")
	})
	t.Run("environment", func(t *testing.T) {
		t.Setenv("ANYINFER_LIBC_LIBRARY", dir)
		_, err := open(t, "")
		require.Equal(t, broken, notAvailable(t, err).Path)
		require.Contains(t, err.Error(), "correct ANYINFER_LIBC_LIBRARY")
		t.Setenv("ANYINFER_LIBC_LIBRARY", file)
		lib, err := open(t, "")
		require.NoError(t, err)
		require.Equal(t, file, lib.Path)
	})
	t.Run("highest version first", func(t *testing.T) {
		require.NoError(t, os.Symlink(file, filepath.Join(dir, "libc-of-the-test.so.2")))
		lib, err := open(t, dir)
		require.NoError(t, err)
		require.Equal(t, filepath.Join(dir, "libc-of-the-test.so.2"), lib.Path)
	})
	t.Run("SDK folder", func(t *testing.T) {
		root := filepath.Join(t.TempDir(), "sdk")
		sdk := filepath.Join(root, "libc", "1.0", runtime.GOOS+"-"+runtime.GOARCH)
		require.NoError(t, os.MkdirAll(filepath.Join(sdk, "lib"), 0o755))
		require.NoError(t, os.Symlink(file, filepath.Join(sdk, "lib", "libc.so.6")))
		about := fmt.Sprintf(`{"engine": "libc", "version": "1.0", "os": %q, "arch": %q, "library": "lib/libc.so.6"}`, runtime.GOOS, runtime.GOARCH)
		require.NoError(t, os.WriteFile(filepath.Join(sdk, "sdk.json"), []byte(about), 0o666))
		t.Setenv("ANYINFER_SDK_DIR", root)
		lib, err := dylib.Open(libc, table, "")
		require.NoError(t, err)
		require.Equal(t, filepath.Join(sdk, "lib", "libc.so.6"), lib.Path, "the SDK folder must come before the system's libraries")

		spec := libc
		spec.Sonames = nil
		for dir := filepath.Join(sdk, "lib"); dir != filepath.Dir(root); dir = filepath.Dir(dir) {
			require.NoError(t, os.Chmod(dir, 0o775))
			_, err = dylib.Open(spec, table, "")
			e := notAvailable(t, err)
			require.Equal(t, filepath.Join(sdk, "lib", "libc.so.6"), e.Path)
			require.Len(t, e.Searched, 3)
			require.Contains(t, e.Searched[1], e.Path+" (SDK folder): folder "+dir+" has mode 0775")
			require.Contains(t, e.Searched[1], "chmod go-w "+dir)
			require.NoError(t, os.Chmod(dir, 0o755))
		}
		_, err = dylib.Open(spec, table, "")
		require.NoError(t, err)
	})
	t.Run("all places", func(t *testing.T) {
		spec := libc
		spec.Sonames = nil
		t.Setenv("ANYINFER_SDK_DIR", t.TempDir())
		_, err := dylib.Open(spec, table, "")
		e := notAvailable(t, err)
		require.Len(t, e.Searched, 3)
		require.Contains(t, e.Hint, "anyinfer sdk install libc")
	})
	t.Run("missing symbols", func(t *testing.T) {
		required := append([]dylib.Decl{{C: "int anyinfer_one(void)"}, {C: "int anyinfer_two()"}}, table...)
		_, err := dylib.Open(libc, required, file)
		require.ErrorIs(t, err, common.ErrVersion)
		require.ErrorContains(t, err, "lacks anyinfer_one, anyinfer_two")
	})
}

// notAvailable requires err to be an *Error with ErrNotAvailable.
func notAvailable(t *testing.T, err error) *common.Error {
	t.Helper()
	require.ErrorIs(t, err, common.ErrNotAvailable)
	e, ok := err.(*common.Error)
	require.True(t, ok)
	return e
}
