// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"encoding/binary"
	"fmt"
)

// node is a node of a model that onnx makes.
type node struct {
	op, domain string
	ins, outs  []string
	attributes []byte
}

// value is an input or output of a model that onnx makes: dimensions are numbers or names; "..." alone stands for no
// shape.
type value struct {
	name string
	elem int
	dims []any
}

// field is a field of Protocol Buffers with a message, bytes or a string.
func field[T string | []byte](n int, content T) []byte {
	b := binary.AppendUvarint(nil, uint64(n<<3|2))
	return append(binary.AppendUvarint(b, uint64(len(content))), content...)
}

func number(n, v int) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(n<<3)), uint64(v))
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// onnx is an ONNX model, with opset 17 and version 1 of the domain test.anyinfer.
func onnx(ins, outs []value, nodes ...node) []byte {
	graph := field(2, "g")
	for _, n := range nodes {
		var b []byte
		for _, name := range n.ins {
			b = append(b, field(1, name)...)
		}
		for _, name := range n.outs {
			b = append(b, field(2, name)...)
		}
		graph = append(graph, field(1, join(b, field(4, n.op), n.attributes, field(7, n.domain)))...)
	}
	for i, values := range [][]value{ins, outs} { // in this order, so that equal models have equal bytes
		for _, v := range values {
			graph = append(graph, field(11+i, v.bytes())...)
		}
	}
	opset := func(domain string, version int) []byte { return field(8, join(field(1, domain), number(2, version))) }
	return join(number(1, 8), field(7, graph), opset("", 17), opset("test.anyinfer", 1))
}

func (v value) bytes() []byte {
	tensor := number(1, v.elem)
	if len(v.dims) != 1 || v.dims[0] != "..." {
		var shape []byte
		for _, d := range v.dims {
			if n, ok := d.(int); ok {
				shape = append(shape, field(1, number(1, n))...)
			} else {
				shape = append(shape, field(1, field(2, fmt.Sprint(d)))...)
			}
		}
		tensor = append(tensor, field(2, shape)...)
	}
	return join(field(1, v.name), field(2, field(1, tensor)))
}
