// SPDX-License-Identifier: Apache-2.0

package onnxfile

import (
	"testing"

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
	require.Equal(t, []string{"a", "b", "c"}, External(model))
	for n := range model {
		require.Subset(t, []string{"a", "b", "c"}, External(model[:n]), "truncated")
	}
	require.Empty(t, External(nil))
}
