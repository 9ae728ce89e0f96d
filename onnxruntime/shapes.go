// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"strconv"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/onnxfile"
)

// namedDims returns the lengths of the named dimensions that Options.Shapes fixes.
// With them, ONNX Runtime can plan memory and compute outputs' shapes when it loads
// the model. Whether the shapes fit the model is checked by setShapes.
func namedDims(inputs []onnxfile.Input, shapes map[string]common.ShapeRange) (map[string]int, error) {
	named := map[string]int{}
	for _, in := range inputs {
		r, ok := shapes[in.Name]
		if !ok || len(r.Min) != len(in.Dims) {
			continue
		}
		for i, dim := range in.Dims {
			n := r.Min[i]
			if dim.Param == "" || n != r.Max[i] {
				continue
			}
			if other, ok := named[dim.Param]; ok && other != n {
				return nil, fail(common.ErrShape, "Shapes: the dimension %q of %q is %d, but also %d; it must have one length in all inputs", dim.Param, in.Name, n, other)
			}
			named[dim.Param] = n
		}
	}
	return named, nil
}

// setShapes sets the shapes of inputs that Options.Shapes fixes. ONNX Runtime itself
// fixes only dimensions that have names.
func (m *model) setShapes(shapes map[string]common.ShapeRange) error {
	for name, r := range shapes {
		i := common.Signature{Inputs: m.inputs}.InputIndex(name)
		if i < 0 {
			var names []string
			for _, info := range m.inputs {
				names = append(names, strconv.Quote(info.Name))
			}
			return fail(common.ErrName, "Shapes: no input %q; the inputs are %s", name, strings.Join(names, ", "))
		}
		info := &m.inputs[i]
		if info.Shape == nil {
			info.Shape = make(common.Shape, len(r.Min))
			for j := range info.Shape {
				info.Shape[j] = -1
			}
		}
		if len(r.Min) != len(info.Shape) {
			return fail(common.ErrShape, "Shapes: %q has rank %d, not %d", name, len(info.Shape), len(r.Min))
		}
		for j, n := range info.Shape {
			switch {
			case n != -1 && (r.Min[j] != n || r.Max[j] != n):
				return fail(common.ErrShape, "Shapes: dimension %d of %q is %d in the model, which does not fit %v to %v", j, name, n, r.Min, r.Max)
			case r.Min[j] == r.Max[j]:
				info.Shape[j] = r.Min[j]
			}
		}
	}
	return nil
}
