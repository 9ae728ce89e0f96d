// SPDX-License-Identifier: Apache-2.0

package onnxfile

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

func TestValidFiles(t *testing.T) {
	n := 0
	for _, pattern := range []string{"../../testdata/*.onnx", "../../testdata/dtypes/*.onnx", "../../../shared/models/*.onnx"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			model, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, Check(model), file)
			n++
		}
	}
	require.Greater(t, n, 15)
}

func TestDamagedFiles(t *testing.T) {
	good, err := os.ReadFile("../../testdata/multi.onnx")
	require.NoError(t, err)
	for _, test := range []struct{ old, new, text string }{
		{"\x0a\x01b\x12\x03sum", "\x0a\x01c\x12\x03sum", `node 0: no earlier node produces the input "c"`},
		{"b\x15\x0a\x03sum", "b\x15\x0a\x03Sum", `no node produces the output "Sum"`},
	} {
		bad := bytes.Replace(good, []byte(test.old), []byte(test.new), 1)
		require.NotEqual(t, good, bad, test.text)
		err := Check(bad)
		require.ErrorIs(t, err, common.ErrModel)
		require.ErrorContains(t, err, test.text)
	}
	other := bytes.Replace(good, []byte("\x22\x03Add"), []byte("\x22\x03Xyz"), 1)
	require.NotEqual(t, good, other)
	require.NoError(t, Check(other), "unknown operators must be accepted")
	for n := range good {
		Check(good[:n]) // must not hang
		if n > 1 && n < 50 {
			require.ErrorIs(t, Check(good[:n]), common.ErrModel)
		}
	}
}

// TestNestedGraphs checks graphs in attributes, which can use the names of the graphs
// around them.
func TestNestedGraphs(t *testing.T) {
	field := func(number byte, b ...byte) []byte { return append([]byte{number<<3 | 2, byte(len(b))}, b...) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	inner := func(reads string) []byte {
		return join(field(graphNode, join(field(nodeInput, []byte(reads)...), field(nodeOutput, 'z'))...), field(graphOutput, field(valueName, 'z')...))
	}
	outer := func(g []byte) []byte {
		node := join(field(nodeInput, 'x'), field(nodeAttribute, field(attributeGraph, g...)...), field(nodeOutput, 'y'))
		return field(modelGraph, join(field(graphInput, field(valueName, 'x')...), field(graphNode, node...), field(graphOutput, field(valueName, 'y')...))...)
	}
	require.NoError(t, Check(outer(inner("x"))))
	require.ErrorContains(t, Check(outer(inner("y"))), `no earlier node produces the input "y"`)
	require.ErrorContains(t, check(nil, scope{}, maxNesting+1), "nested more than 33 deep")
}

func FuzzCheck(f *testing.F) {
	model, err := os.ReadFile("../../testdata/multi.onnx")
	require.NoError(f, err)
	f.Add(model)
	f.Fuzz(func(_ *testing.T, model []byte) { Check(model) })
}
