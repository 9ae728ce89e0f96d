// SPDX-License-Identifier: Apache-2.0

package sdkdir

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// write creates an SDK with one library below root.
func write(t *testing.T, root string, s SDK) string {
	t.Helper()
	dir := filepath.Join(root, s.Path())
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "lib"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lib", "libx.so"), nil, 0o644))
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, Manifest), text, 0o644))
	return dir
}

func TestRoot(t *testing.T) {
	t.Setenv(EnvRoot, "sdks")
	root, err := Root()
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(root))
	require.Equal(t, "sdks", filepath.Base(root))

	t.Setenv(EnvRoot, "")
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	root, err = Root()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(cache, "anyinfer", "sdk"), root)
}

func TestListAndInstalled(t *testing.T) {
	root := filepath.Join(t.TempDir(), "a [*] root") // must not be used as a pattern
	t.Setenv(EnvRoot, root)
	list, err := List()
	require.NoError(t, err, "a missing root must not be an error")
	require.Empty(t, list)

	sdk := func(engine, version, goos, goarch string) SDK {
		return SDK{Engine: engine, Version: version, OS: goos, Arch: goarch, Library: "lib/libx.so"}
	}
	here := func(engine, version string) SDK { return sdk(engine, version, runtime.GOOS, runtime.GOARCH) }
	write(t, root, here("b", "9.9"))
	write(t, root, here("b", "10.1"))
	write(t, root, sdk("b", "11.0", "plan9", "mips"))
	write(t, root, here("a", "1"))

	// None of these is a valid SDK.
	noLibrary := write(t, root, here("bad", "1"))
	require.NoError(t, os.Remove(filepath.Join(noLibrary, "lib", "libx.so")))
	noJSON := write(t, root, here("bad", "2"))
	require.NoError(t, os.WriteFile(filepath.Join(noJSON, Manifest), []byte("{"), 0o644))
	moved := write(t, root, here("bad", "3"))
	require.NoError(t, os.Rename(filepath.Dir(moved), filepath.Join(root, "bad", "4")))
	outside := here("bad", "5")
	outside.Library = "../../../a/1/" + Target(runtime.GOOS, runtime.GOARCH) + "/lib/libx.so"
	write(t, root, outside)

	list, err = List()
	require.NoError(t, err)
	var got []string
	for _, s := range list {
		got = append(got, s.Engine+" "+s.Version)
		require.FileExists(t, s.LibraryPath())
		require.Equal(t, filepath.Join(s.Dir, "lib"), s.LibDir())
	}
	require.Equal(t, []string{"a 1", "b 11.0", "b 10.1", "b 9.9"}, got)

	installed := Installed("b")
	require.Len(t, installed, 2, "want only SDKs for the running system")
	require.Equal(t, "10.1", installed[0].Version, "want the newest first")
	require.Empty(t, Installed("bad"))
}

func TestCompareVersions(t *testing.T) {
	sorted := []string{"2", "2.9", "2.10", "2.10.1", "10", "2024.6.0", "2026.4.1"}
	for i := range sorted {
		for j := range sorted {
			got := CompareVersions(sorted[i], sorted[j])
			require.Equal(t, i < j, got < 0, "%s %s", sorted[i], sorted[j])
			require.Equal(t, i == j, got == 0, "%s %s", sorted[i], sorted[j])
		}
	}
}

func TestStaleFoldersAreRemoved(t *testing.T) {
	root := t.TempDir()
	stale, busy := filepath.Join(root, tempPrefix+"1"), filepath.Join(root, tempPrefix+"2")
	require.NoError(t, os.Mkdir(stale, 0o755))
	require.NoError(t, os.Mkdir(busy, 0o755))
	old := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(stale, old, old))
	temp, err := TempDir(root, Elsewhere)
	require.NoError(t, err)
	require.DirExists(t, temp)
	require.NoDirExists(t, stale)
	require.DirExists(t, busy)
}

// TestWriteBesideRead checks that programs can read a manifest while it is written again.
func TestWriteBesideRead(t *testing.T) {
	sdk := SDK{Engine: "mnn", Version: "1", OS: "linux", Arch: "amd64", Library: "lib/libx.so"}
	dir := write(t, t.TempDir(), sdk)
	require.NoError(t, Write(dir, sdk))
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 500 {
			_, err := Read(dir)
			failed = cmp.Or(failed, err)
		}
	}()
	for range 500 {
		require.NoError(t, Write(dir, sdk))
	}
	<-done
	require.NoError(t, failed)
}
