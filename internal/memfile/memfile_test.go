// SPDX-License-Identifier: Apache-2.0

package memfile_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/internal/memfile"
	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 4096, 1<<20 + 1} {
		want := bytes.Repeat([]byte("x"), size)
		f, err := memfile.Read(t.Context(), bytes.NewReader(want), int64(size))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, f.Bytes()))
		path := filepath.Join(t.TempDir(), "link")
		require.NoError(t, f.Link(path))
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
		require.NoError(t, f.Copy(path+"2"))
		require.Error(t, f.Copy(path+"2"), "Copy must not replace a file")
		require.NoError(t, f.Close())
		require.Empty(t, f.Bytes())
		got, err = os.ReadFile(path + "2")
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "a copy must remain after Close")
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	_, err := memfile.Read(t.Context(), strings.NewReader("short"), 6)
	require.ErrorContains(t, err, "changed while it was being read")
	_, err = memfile.Read(t.Context(), strings.NewReader("longer"), 5)
	require.ErrorContains(t, err, "changed while it was being read")
	_, err = memfile.Read(t.Context(), strings.NewReader("x"), 0)
	require.ErrorContains(t, err, "changed while it was being read")
	_, err = memfile.Read(t.Context(), strings.NewReader("x"), -1)
	require.Error(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = memfile.Read(ended, strings.NewReader("x"), 1)
	require.Equal(t, context.Canceled, err)
}

// TestMemoryIsNotOnHeap checks that the memory is not allocated on Go's heap.
func TestMemoryIsNotOnHeap(t *testing.T) {
	const size = 64 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := memfile.Read(t.Context(), zeros{}, size)
	require.NoError(t, err)
	defer f.Close()
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	require.Len(t, f.Bytes(), size)
}

// zeros is a reader of zeros.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	if len(b) == 1 { // Read's check for the end of the file
		return 0, os.ErrClosed
	}
	clear(b)
	return len(b), nil
}
