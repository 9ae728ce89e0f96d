// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
)

func TestStringOutput(t *testing.T) {
	dir := t.TempDir()
	text, err := common.FromSlice([]string{"a", "b"}, 1, 2)
	require.NoError(t, err)
	info := common.TensorInfo{Name: "x/y", DType: common.String}
	o := outcome{out: common.Tensors{info.Name: text}, Outputs: []tensorReport{report(info, text)}}
	require.NoError(t, o.write(dir))
	require.Equal(t, filepath.Join(dir, "x_y.json"), o.Outputs[0].File)
	require.FileExists(t, o.Outputs[0].File)
	require.Equal(t, []string{`"a", "b"`}, o.Outputs[0].contents())
}

func TestListed(t *testing.T) {
	require.Equal(t, `"1", "2", "3", "4", "5", ... (6)`, listed([]string{"1", "2", "3", "4", "5", "6"}))
	require.Equal(t, "", listed(nil))
	require.Equal(t, "a?b", printable("a\x1bb"))
}
