// SPDX-License-Identifier: Apache-2.0

package onnxfile

import (
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// field returns a length-delimited field of a protobuf message.
func field(number uint64, content ...byte) []byte {
	return append([]byte{byte(number<<3 | 2), byte(len(content))}, content...)
}

// tensor returns a tensor whose data is in file.
func tensor(file string) []byte {
	return field(tensorExternal, append(field(entryKey, []byte("location")...), field(entryValue, []byte(file)...)...)...)
}

// TestExternal checks that External finds files in a graph and in the attributes of
// its nodes.
func TestExternal(t *testing.T) {
	inner := field(graphInitializer, tensor("b")...)
	node := field(nodeAttribute, field(attributeGraph, inner...)...)
	node = append(node, field(nodeAttribute, field(attributeTensor, tensor("c")...)...)...)
	graph := append(field(graphInitializer, tensor("a")...), field(graphNode, node...)...)
	graph = append(graph, field(graphInitializer, tensor("a")...)...) // several weights in one file
	model := field(modelGraph, graph...)
	names, err := External(model)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, names)
	for n := range model[1:] {
		_, err := External(model[:n+1])
		require.ErrorIs(t, err, common.ErrModel, "truncated")
	}
	_, err = External(append([]byte{0x0b, 0x0c}, model...)) // a group, which parsers skip
	require.ErrorIs(t, err, common.ErrModel)
}

// TestExternalHidden has names of files where a reader that is not as thorough as Protocol Buffers would miss them.
func TestExternalHidden(t *testing.T) {
	twice := append(field(entryKey, 'x'), append(field(entryKey, []byte("location")...), append(field(entryValue, 'y'), field(entryValue, 'a')...)...)...)
	hidden := field(graphInitializer, field(tensorExternal, twice...)...)
	inFunction := field(functionNode, field(nodeAttribute, field(attributeTensor, tensor("b")...)...)...)
	model := append(field(modelGraph, hidden...), field(modelGraph, field(graphInitializer, tensor("c")...)...)...)
	model = append(model, 0xca, 0x01, byte(len(inFunction))) // field 25
	names, err := External(append(model, inFunction...))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "c", "b"}, names)
}
