// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// place is a dimension of an input.
type place struct{ input, dim int }

// follow finds the outputs whose dynamic dimensions all have names of inputs'
// dimensions, so that their shapes are known before a Run. ONNX Runtime does not
// rely on the names; Run finds out if they are wrong.
func (m *model) follow(inputDims, outputDims [][]string) {
	named := map[string]place{}
	for i, names := range inputDims {
		for j, name := range names {
			// A name for two dimensions of an input, such as "?", says nothing.
			if _, ok := named[name]; !ok && slices.Index(names, name) == j && !slices.Contains(names[j+1:], name) {
				named[name] = place{i, j}
			}
		}
	}
	delete(named, "") // which fixed and unnamed dimensions have
	m.places = make([][]place, len(m.outputs))
	for i, info := range m.outputs {
		var places []place
		for j, name := range outputDims[i] {
			if p, ok := named[name]; ok || info.Shape[j] >= 0 {
				places = append(places, p)
			}
		}
		if len(places) == len(info.Shape) {
			m.places[i] = places
		}
	}
}

// dimNames returns the names of the dimensions in an OrtTensorTypeAndShapeInfo.
func (d *driver) dimNames(tensor uintptr, rank int) ([]string, error) {
	addrs := make([]uintptr, rank)
	if err := d.call(common.ErrModel, fnGetSymbolicDimensions, dylib.Int(tensor), dylib.Slice(addrs), dylib.Int(rank)); err != nil {
		return nil, err
	}
	names := make([]string, rank)
	for j, addr := range addrs {
		names[j] = dylib.GoString(addr)
	}
	return names, nil
}

// shapeFor returns the shape that output i has for these inputs, or nil if it is not
// known.
func (m *model) shapeFor(i int, in []*common.Tensor) common.Shape {
	shape := m.outputs[i].Shape
	if !shape.Dynamic() {
		return shape
	}
	if m.places[i] == nil {
		return nil
	}
	shape = slices.Clone(shape)
	for j, p := range m.places[i] {
		if shape[j] < 0 {
			shape[j] = in[p.input].Shape()[p.dim]
		}
	}
	return shape
}
