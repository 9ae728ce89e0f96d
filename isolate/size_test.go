// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestResultsOverlap checks that all results together are no larger than the memory with them, so that a child with many
// outputs has the program allocate no more.
func TestResultsOverlap(t *testing.T) {
	output := common.TensorInfo{DType: common.Float32, Shape: common.Shape{-1}}
	s := &session{
		signature: common.Signature{Outputs: []common.TensorInfo{output, output}}, out: make([]*common.Tensor, 2),
		results: &shared{make([]byte, 64)}, shape: make(common.Shape, maxRank),
	}
	left := uint64(64)
	r := result{unplaced: 1, rank: 1, size: 40, dims: [maxRank]int64{10}}
	require.NoError(t, s.readUnplaced(0, r, &left))
	require.ErrorIs(t, s.readUnplaced(1, r, &left), errAnswer)
	left, r.dims[0] = 64, 40
	require.ErrorIs(t, s.readUnplaced(1, r, &left), errAnswer, "each byte is an element")
	require.Nil(t, s.out[1])
}

// TestManyTensors checks that a child cannot describe so many tensors that comparing them takes hours.
func TestManyTensors(t *testing.T) {
	r := loadResult{Signatures: []common.Signature{{Inputs: make([]common.TensorInfo, maxTensors)}}}
	for i := range r.Signatures[0].Inputs {
		r.Signatures[0].Inputs[i] = common.TensorInfo{DType: common.Float32, Shape: common.Shape{}}
	}
	require.ErrorIs(t, r.check(&Options{}), common.ErrModel)
	r.Signatures[0].Inputs = r.Signatures[0].Inputs[1:]
	require.NoError(t, r.check(&Options{}))
}

// TestRemoveFolder checks that a folder with many folders in each other, and one that cannot be read, is removed.
func TestRemoveFolder(t *testing.T) {
	root := t.TempDir()
	folder, other := filepath.Join(root, "child"), filepath.Join(root, "other")
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "closed", "more"), 0o700))
	require.NoError(t, os.Chmod(filepath.Join(folder, "closed"), 0o300))
	require.NoError(t, os.Mkdir(other, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(other, "file"), nil, 0o400))
	require.NoError(t, os.Symlink(other, filepath.Join(folder, "link")))
	fd, err := unix.Open(folder, unix.O_DIRECTORY, 0)
	require.NoError(t, err)
	for range 300 {
		require.NoError(t, unix.Mkdirat(fd, "folder", 0o700))
		next, err := unix.Openat(fd, "folder", unix.O_DIRECTORY, 0)
		require.NoError(t, err)
		require.NoError(t, unix.Close(fd))
		fd = next
	}
	require.NoError(t, unix.Close(fd))
	var old unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 150, Max: old.Max}))
	removeFolder(folder)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &old))
	require.NoDirExists(t, folder)
	require.FileExists(t, filepath.Join(other, "file"))
}
