// SPDX-License-Identifier: Apache-2.0

package tfl

import (
	"archive/zip"
	"bytes"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/flatcheck"
	"github.com/stretchr/testify/require"
)

func labelled(t *testing.T) []byte {
	model, err := os.ReadFile("../../testdata/labels.tflite")
	require.NoError(t, err)
	return model
}

// TestDescribe checks that all models of testdata, and the public models if they are downloaded, can be described.
func TestDescribe(t *testing.T) {
	n := 0
	for _, pattern := range []string{
		"../../testdata/*.tflite", "../../testdata/dtypes/*.tflite", "../../../shared/models/*.tflite",
	} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			files, err := common.OpenFiles(t.Context(), common.File(file), false)
			require.NoError(t, err, file)
			defer files.Release()
			model, err := Read(files)
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

// TestComparesScaleOne changes the scale of one of the numbers that are compared.
func TestComparesScaleOne(t *testing.T) {
	for scale, want := range map[float32]bool{0.5: false, 1: true, 2: false} {
		model, err := os.ReadFile("../../testdata/sums_int8.tflite")
		require.NoError(t, err)
		q, _ := flatcheck.Model(model).Vector("subgraphs").Table(0).Vector("tensors").Table(0).Table("quantization")
		q.Vector("scale").Set(0, int64(math.Float32bits(scale)))
		m, err := Describe(model)
		require.NoError(t, err)
		require.Equal(t, want, m.ComparesScaleOne, scale)
	}
}

// TestDamagedMetadata checks that a model with damaged metadata or a damaged archive is described without them.
func TestDamagedMetadata(t *testing.T) {
	model := labelled(t)
	metadata := bytes.Index(model, []byte("M001")) - 4
	archive := bytes.Index(model, []byte("PK\x03\x04"))
	require.Positive(t, metadata)
	require.Greater(t, archive, metadata)
	complete, incomplete := 0, 0
	try := func(model []byte) {
		require.NoError(t, flatcheck.Check(model))
		m, err := Describe(model)
		require.NoError(t, err)
		if m.Signatures[0].Outputs[0].Labels == nil || m.Metadata["name"] == "" {
			incomplete++
		} else {
			complete++
		}
	}
	for at := metadata; at < len(model); at++ {
		if at == metadata+600 { // beyond the end of the metadata
			at = archive
		}
		for _, xor := range []byte{1, 0xff} {
			damaged := bytes.Clone(model)
			damaged[at] ^= xor
			if flatcheck.Check(damaged) == nil { // the byte belongs to the metadata
				try(damaged)
			}
		}
	}
	for n := archive; n < len(model); n++ {
		try(model[:n:n])
	}
	require.Greater(t, incomplete, 300)
	t.Logf("%d damaged files, of which %d still had labels and a name", incomplete+complete, complete)
}

// appended returns a model with an archive of one file, in place of the one that it has.
func appended(t *testing.T, model []byte, name, text string) []byte {
	if n := bytes.Index(model, []byte("PK\x03\x04")); n >= 0 {
		model = model[:n]
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create(name)
	require.NoError(t, err)
	_, err = f.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return append(bytes.Clone(model), b.Bytes()...)
}

// TestUltralytics reads the metadata that Ultralytics appends to a model, in JSON or, in older exports, as a Python dict.
func TestUltralytics(t *testing.T) {
	digits, err := os.ReadFile("../../testdata/digits.tflite")
	require.NoError(t, err)
	names := []string{"0", "it's", "2", "3", "4", "5", "6", "7", "8", "9"}
	for name, text := range map[string]string{
		"metadata.json": `{"task": "classify", "version": "8.3", "names": {"0": "0", "1": "it's", "2": "2", "3": "3", "4": "4", "5": "5", "6": "6", "7": "7", "8": "8", "9": "9"}}`,
		"temp_meta.txt": `{'task': 'classify', 'version': '8.3', 'names': {0: '0', 1: "it's", 2: '2', 3: '3', 4: '4', 5: '5', 6: '6', 7: '7', 8: '8', 9: '9'}}`,
	} {
		m, err := Describe(appended(t, digits, name, text))
		require.NoError(t, err)
		require.Equal(t, "classify", m.Metadata["task"])
		require.Equal(t, "8.3", m.Metadata["version"])
		require.Equal(t, names, m.Signatures[0].Outputs[0].Labels)

		m, err = Describe(appended(t, labelled(t), name, text)) // a model with TFLite Metadata
		require.NoError(t, err)
		require.Equal(t, "classify", m.Metadata["task"])
		require.Equal(t, "1.2.3", m.Metadata["version"])

		m, err = Describe(appended(t, digits, name, text[1:]))
		require.NoError(t, err)
		require.Nil(t, m.Metadata)
		require.Nil(t, m.Signatures[0].Outputs[0].Labels)
	}
}

// TestLabelBomb checks that a label file which unpacks to far more than labels need is ignored.
func TestLabelBomb(t *testing.T) {
	with := func(text string) []byte { return appended(t, labelled(t), "labels.txt", text) }
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

// FuzzDescribe checks that what the check of structure accepts can be described.
func FuzzDescribe(f *testing.F) {
	for _, name := range []string{"labels", "multi_signatures", "digits_int8", "channels"} {
		model, err := os.ReadFile("../../testdata/" + name + ".tflite")
		require.NoError(f, err)
		f.Add(model)
	}
	f.Fuzz(func(t *testing.T, model []byte) {
		if flatcheck.Check(model) != nil {
			return
		}
		if _, err := Describe(model); err != nil {
			require.ErrorIs(t, err, common.ErrModel)
		}
	})
}
