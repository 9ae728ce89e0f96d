// SPDX-License-Identifier: Apache-2.0

package model

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
)

func TestStrings(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
		return file
	}
	for _, test := range []struct {
		file, text string
		shape      common.Shape
		want       []string
	}{
		{"a.txt", "one\r\n\ntwo = 2", common.Shape{3}, []string{"one", "", "two = 2"}},
		{"b.json", `"x"`, common.Shape{}, []string{"x"}},
		{"c.json", `["x", ""]`, common.Shape{2}, []string{"x", ""}},
		{"d.json", `[[["a\n"], ["b"], ["c"]], [["d"], ["e"], ["f"]]]`, common.Shape{2, 3, 1}, []string{"a\n", "b", "c", "d", "e", "f"}},
	} {
		in, err := ReadInputs(map[string]string{"x": put(test.file, test.text)}, nil)
		require.NoError(t, err, test.file)
		read := in.Tensors["x"]
		require.Equal(t, test.shape, read.Shape(), test.file)
		data, err := common.Data[string](read)
		require.NoError(t, err)
		require.Equal(t, test.want, data)

		file := filepath.Join(dir, "again.json")
		require.NoError(t, WriteJSON(file, read))
		again, err := readJSON(file)
		require.NoError(t, err)
		require.Equal(t, read, again)
	}
	for text, want := range map[string]string{
		`[["a"], ["b", "c"]]`: "same length", `["a", ["b"]]`: "want strings", `[["a"], "b"]`: "same length",
		`[1, 2]`: "numbers belong in .npy files", `{"a": "b"}`: "want strings", `["a"`: "x.json: unexpected end", `null`: "want strings",
	} {
		_, err := readJSON(put("x.json", text))
		require.ErrorContains(t, err, want, text)
	}

	// A vector fits an input that differs only in dimensions of length 1.
	line, err := common.FromSlice([]string{"a", "b"})
	require.NoError(t, err)
	fitted, err := reshape(line, common.Shape{1, 2})
	require.NoError(t, err)
	require.Equal(t, common.Shape{1, 2}, fitted.Shape())
	_, err = random(common.TensorInfo{Name: "x", DType: common.String, Shape: common.Shape{1}}, nil, 0)
	require.ErrorContains(t, err, "--input x=FILE.txt")
}
