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
func (m *model) follow() error {
	named := map[string]place{}
	for i := range m.inputs {
		names, err := m.dimNames(fnSessionGetInputTypeInfo, i)
		if err != nil {
			return err
		}
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
		names, err := m.dimNames(fnSessionGetOutputTypeInfo, i)
		if err != nil {
			return err
		}
		var places []place
		for j, name := range names {
			if p, ok := named[name]; ok || info.Shape[j] >= 0 {
				places = append(places, p)
			}
		}
		if len(places) == len(info.Shape) {
			m.places[i] = places
		}
	}
	return nil
}

// dimNames returns the names of the dimensions of an input or output.
func (m *model) dimNames(typeFn, i int) ([]string, error) {
	d := m.driver
	typeInfo, err := d.get(common.ErrModel, typeFn, dylib.Int(m.session), dylib.Int(i))
	if err != nil {
		return nil, err
	}
	defer d.free(fnReleaseTypeInfo, typeInfo)
	tensor, err := d.get(common.ErrModel, fnCastTypeInfoToTensorInfo, dylib.Int(typeInfo))
	if err != nil {
		return nil, err
	}
	rank, err := d.get(common.ErrModel, fnGetDimensionsCount, dylib.Int(tensor))
	if err != nil {
		return nil, err
	}
	addrs := make([]uintptr, rank) // which describe has checked
	if err := d.call(common.ErrModel, fnGetSymbolicDimensions, dylib.Int(tensor), dylib.Slice(addrs), dylib.Int(len(addrs))); err != nil {
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
