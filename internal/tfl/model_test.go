// SPDX-License-Identifier: Apache-2.0

package tfl

import (
	"archive/zip"
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/flatcheck"
	"github.com/anyinfer/anyinfer/internal/nativelog"
	"github.com/stretchr/testify/require"
)

func labelled(t *testing.T) []byte {
	model, err := os.ReadFile("../../testdata/labels.tflite")
	require.NoError(t, err)
	return model
}

// TestDescribe: models that pass the check can be described: all of testdata, and the public models where they are
// downloaded.
func TestDescribe(t *testing.T) {
	n := 0
	for _, pattern := range []string{
		"../../testdata/*.tflite", "../../testdata/dtypes/*.tflite", "../../../shared/models/*.tflite",
	} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			files, err := common.OpenFiles(t.Context(), common.File(file))
			require.NoError(t, err, file)
			defer files.Release()
			model, err := Read(files, nativelog.Log{Logger: slog.Default()})
			require.NoError(t, err, file)
			m, err := Describe(model)
			require.NoError(t, err, file)
			require.NotEmpty(t, m.Signatures, file)
			n++
		}
	}
	require.Greater(t, n, 30)
	model, err := os.ReadFile("../../testdata/digits_dynamic.tflite")
	require.NoError(t, err)
	m, err := Describe(model)
	require.NoError(t, err)
	require.Equal(t, common.Shape{-1, 8, 8, 1}, m.Signatures[0].Inputs[0].Shape)
}

// TestDamagedMetadata: a model whose metadata or archive is damaged is described without them.
func TestDamagedMetadata(t *testing.T) {
	model := labelled(t)
	about := bytes.Index(model, []byte("M001")) - 4
	archive := bytes.Index(model, []byte("PK\x03\x04"))
	require.Positive(t, about)
	require.Greater(t, archive, about)
	whole, lost := 0, 0
	try := func(model []byte) {
		require.NoError(t, flatcheck.Check(model))
		m, err := Describe(model)
		require.NoError(t, err)
		if m.Signatures[0].Outputs[0].Labels == nil || m.Metadata["name"] == "" {
			lost++
		} else {
			whole++
		}
	}
	for at := about; at < len(model); at++ {
		if at == about+600 { // the metadata's end, amply
			at = archive
		}
		for _, xor := range []byte{1, 0xff} {
			damaged := bytes.Clone(model)
			damaged[at] ^= xor
			if flatcheck.Check(damaged) == nil { // its neighbours are the model's own
				try(damaged)
			}
		}
	}
	for n := archive; n < len(model); n++ {
		try(model[:n:n])
	}
	require.Greater(t, lost, 300)
	t.Logf("%d damaged files, %d had their labels and name all the same", lost+whole, whole)
}

// TestLabelBomb: a label file that unpacks to far more than labels need is left out.
func TestLabelBomb(t *testing.T) {
	model := labelled(t)
	model = model[:bytes.Index(model, []byte("PK\x03\x04"))]
	with := func(text string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		f, err := z.Create("labels.txt")
		require.NoError(t, err)
		_, err = f.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, z.Close())
		return append(bytes.Clone(model), b.Bytes()...)
	}
	m, err := Describe(with(strings.Repeat("a\r\n", 9) + "b"))
	require.NoError(t, err)
	require.Equal(t, append(strings.Split("aaaaaaaaa", ""), "b"), m.Signatures[0].Outputs[0].Labels)
	m, err = Describe(with("one label for ten classes"))
	require.NoError(t, err)
	require.Nil(t, m.Signatures[0].Outputs[0].Labels)

	bomb := with(strings.Repeat("\n", 64<<20))
	require.Less(t, len(bomb), 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err = Describe(bomb)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Nil(t, m.Signatures[0].Outputs[0].Labels)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
}
