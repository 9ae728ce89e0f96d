// SPDX-License-Identifier: Apache-2.0

//go:build unix

package privdir

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// folder creates the folder name in a private folder.
func folder(t *testing.T, name string, mode fs.FileMode) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, os.Chmod(dir, mode)) // MkdirAll applies the umask, Chmod does not
	return dir
}

func TestMake(t *testing.T) {
	t.Parallel()
	parent := folder(t, "parent", 0o755)
	dir := filepath.Join(parent, "a", "b")
	require.NoError(t, Make(dir))
	for path, want := range map[string]fs.FileMode{parent: 0o755, filepath.Dir(dir): 0o700, dir: 0o700} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode().Perm(), path)
	}
	require.NoError(t, Make(dir))
	require.NoError(t, os.Chmod(dir, 0o770))
	require.ErrorContains(t, Make(dir), "chmod go-w "+dir)

	file := filepath.Join(parent, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Error(t, Make(file))
}

func TestMode(t *testing.T) {
	t.Parallel()
	for mode, want := range map[fs.FileMode]string{
		0o700:                 "",
		0o755:                 "",
		0o770:                 "has mode 0770",
		0o722:                 "has mode 0722",
		0o702:                 "has mode 0702",
		0o777 | fs.ModeSticky: "has mode 0777",
		0o755 | fs.ModeSetgid: "",
	} {
		dir := folder(t, "code", mode)
		err := Check(dir)
		if want == "" {
			require.NoError(t, err, mode)
			continue
		}
		require.ErrorContains(t, err, "folder "+dir+" "+want, mode)
		require.ErrorContains(t, err, "chmod go-w "+dir, mode)
	}
}

func TestParents(t *testing.T) {
	t.Parallel()
	parent := folder(t, "parent", 0o777)
	dir := filepath.Join(parent, "x", "code")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	err := Check(dir)
	require.ErrorContains(t, err, "folder "+parent+" has mode 0777: all users can replace "+dir)
	require.ErrorContains(t, err, "chmod go-w "+parent)
	require.NoError(t, os.Chmod(parent, 0o777|fs.ModeSticky))
	require.NoError(t, Check(dir))
	require.NoError(t, os.Chmod(parent, 0o775))
	require.NoError(t, Check(dir), "group write access must be allowed for a parent")
}

func TestSymlink(t *testing.T) {
	t.Parallel()
	public, private := folder(t, "public", 0o777), folder(t, "private", 0o700)
	good, bad := filepath.Join(private, "code"), filepath.Join(public, "code")
	require.NoError(t, os.Mkdir(good, 0o700))
	require.NoError(t, os.Mkdir(bad, 0o700))
	toBad, toGood := filepath.Join(private, "link"), filepath.Join(public, "link")
	require.NoError(t, os.Symlink(bad, toBad))
	require.NoError(t, os.Symlink(good, toGood))
	require.NoError(t, Check(good))
	require.ErrorContains(t, Check(toBad), "folder "+public+" has mode 0777", "the target's folder must be checked")
	require.ErrorContains(t, Check(toGood), "folder "+public+" has mode 0777", "the link's folder must be checked")
	require.NoError(t, os.Chmod(good, 0o720))
	require.ErrorContains(t, Check(toGood), "chmod go-w "+good, "the target's mode must be checked")
}

func TestOwner(t *testing.T) {
	t.Parallel()
	dir, owner := folder(t, "code", 0o755), os.Geteuid()
	if owner == 0 {
		owner = 12345
		require.NoError(t, os.Chown(dir, owner, -1))
	}
	require.NoError(t, check(dir, owner))
	err := check(dir, owner+1)
	require.ErrorContains(t, err, "belongs to user ")
	require.ErrorContains(t, err, "chown ")
	require.NoError(t, check("/", owner), "root must be allowed to own a folder")
}

func TestMissingFolder(t *testing.T) {
	t.Parallel()
	dir := folder(t, "code", 0o700)
	require.ErrorIs(t, Check(filepath.Join(dir, "none")), fs.ErrNotExist)
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorContains(t, Check(file), "not a directory")
}

func TestQuotedPath(t *testing.T) {
	t.Parallel()
	dir := folder(t, "it's code", 0o770)
	require.ErrorContains(t, Check(dir), "chmod go-w '"+filepath.Dir(dir)+`/it'\''s code'`)
}
