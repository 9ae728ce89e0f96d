// SPDX-License-Identifier: Apache-2.0

package memfile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/anyinfer/anyinfer/internal/memfile"
	"github.com/stretchr/testify/require"
)

// TestSealed checks that the file cannot be changed through its link, by an SDK for
// example.
func TestSealed(t *testing.T) {
	f, err := memfile.Read(t.Context(), bytes.NewReader([]byte("model")), 5)
	require.NoError(t, err)
	defer f.Close()
	path := filepath.Join(t.TempDir(), "link")
	require.NoError(t, f.Link(path))
	open, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer open.Close()
	_, err = open.WriteAt([]byte("M"), 0)
	require.ErrorIs(t, err, os.ErrPermission)
	require.ErrorIs(t, open.Truncate(2), os.ErrPermission)
	require.ErrorIs(t, open.Truncate(9), os.ErrPermission)
	require.Equal(t, "model", string(f.Bytes()))
}

// TestShared checks that a sealed memory file of another process is mapped, not
// copied, wherever its offset is, and that its size is checked.
func TestShared(t *testing.T) {
	f, err := memfile.Read(t.Context(), bytes.NewReader([]byte("model")), 5)
	require.NoError(t, err)
	file, err := f.Open()
	require.NoError(t, err)
	defer file.Close()
	require.NoError(t, f.Close())
	inode := func(f *os.File) uint64 {
		info, err := f.Stat()
		require.NoError(t, err)
		return info.Sys().(*syscall.Stat_t).Ino
	}
	for range 2 {
		shared, err := memfile.Read(t.Context(), file, 5)
		require.NoError(t, err)
		require.Equal(t, "model", string(shared.Bytes()))
		again, err := shared.Open()
		require.NoError(t, err)
		require.Equal(t, inode(file), inode(again))
		require.NoError(t, again.Close())
		require.NoError(t, shared.Close())
	}
	_, err = memfile.Read(t.Context(), file, 4)
	require.Error(t, err)
	copied, err := memfile.Of([]byte("heap")).Open()
	require.NoError(t, err)
	defer copied.Close()
	_, err = copied.WriteAt([]byte("H"), 0)
	require.ErrorIs(t, err, os.ErrPermission)
}
