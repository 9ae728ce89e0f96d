// SPDX-License-Identifier: Apache-2.0

package memfile_test

import (
	"bytes"
	"os"
	"path/filepath"
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
