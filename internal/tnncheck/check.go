// SPDX-License-Identifier: Apache-2.0

// Package tnncheck checks TNN models, because TNN does not check the counts, names,
// parameters of layers and sizes of weights in its files, nor the caller's shapes, and
// crashes on invalid ones.
//
// The structure of both files is checked for every model. Shapes and parameters are
// checked for the layers in layers.go. After a layer of another kind shapes are not
// known, so they are not checked. Additions of a later TNN (layers, element types,
// values of enumerations) are not checked either. Unknown lists such layers.
package tnncheck

import (
	"fmt"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// Check returns an Error if a .tnnproto and its .tnnmodel must not be passed to TNN
// with these shapes of inputs.
func Check(files [][]byte, shapes map[string]common.ShapeRange) error {
	if len(files) != 2 {
		return nil // the shim has a better error
	}
	n, err := parse(string(files[0]))
	var w *weights
	if err == nil {
		w, err = readWeights(files[1])
	}
	if err == nil {
		err = n.checkNames(w)
	}
	if err == nil && shapes == nil && !w.partial {
		err = n.checkShapes(w, n.inputs)
	}
	if err != nil {
		return flatbuf.Refuse(err)
	}
	if shapes == nil || w.partial {
		return nil
	}
	for _, pick := range []func(common.ShapeRange) common.Shape{
		func(r common.ShapeRange) common.Shape { return r.Min }, func(r common.ShapeRange) common.Shape { return r.Max },
	} {
		inputs := append([]blob{}, n.inputs...)
		for i, b := range inputs {
			if r, ok := shapes[b.name]; ok && len(pick(r)) == len(b.dims) { // the shim refuses other ranks
				inputs[i].dims = pick(r)
			}
		}
		if err := n.checkShapes(w, inputs); err != nil {
			return &common.Error{Kind: common.ErrModel, Message: "the model does not take these shapes: " + err.Error()}
		}
	}
	return nil
}

// Unknown returns the kinds of layers in a .tnnproto whose shapes, parameters and
// weights Check did not check.
func Unknown(proto []byte) (all []string) {
	n, err := parse(string(proto))
	if err != nil {
		return nil
	}
	for _, l := range n.layers {
		if checks[l.kind] == nil && !slices.Contains(all, l.kind) {
			all = append(all, l.kind)
		}
	}
	return all
}

// checkNames checks that each blob is an input, a constant or the output of exactly
// one layer, before it is used.
func (n *net) checkNames(w *weights) error {
	defined := map[string]bool{}
	for name := range w.constants {
		defined[name] = true
	}
	for _, b := range n.inputs {
		if defined[b.name] {
			return fmt.Errorf("two inputs have the name %.100q", b.name)
		}
		defined[b.name] = true
	}
	for _, l := range n.layers {
		for _, name := range l.inputs {
			if !defined[name] && !w.partial { // an unread constant may define it
				return fmt.Errorf("layer %.100q needs %.100q, which no earlier layer produces", l.name, name)
			}
		}
		for _, name := range l.outputs {
			if defined[name] {
				return fmt.Errorf("layer %.100q produces %.100q, which exists already", l.name, name)
			}
			defined[name] = true
		}
	}
	for _, name := range n.outputs {
		if !defined[name] && !w.partial {
			return fmt.Errorf("no layer produces the output %.100q", name)
		}
	}
	return nil
}

// checkShapes checks that the layers fit their inputs and their weights.
func (n *net) checkShapes(w *weights, inputs []blob) error {
	known := map[string][]int{} // dims, nil if not known
	for _, b := range inputs {
		if err := checkDims(b.dims); err != nil {
			return fmt.Errorf("input %.100q: %w", b.name, err)
		}
		known[b.name] = b.dims
	}
	for _, l := range n.layers {
		dims, err := l.infer(known, w)
		if err == nil && dims != nil {
			err = checkDims(dims)
		}
		if err != nil {
			return fmt.Errorf("layer %.100q, %.100s: %w", l.name, l.kind, err)
		}
		if len(l.outputs) == 1 {
			known[l.outputs[0]] = dims
		}
	}
	return nil
}

// maxElements is the number of elements of four bytes that TNN can count: it stores
// sizes in an int.
const maxElements = 1<<29 - 1

// checkDims checks that TNN can count the elements of a shape.
func checkDims(dims []int) error {
	n := 1
	for _, d := range dims {
		if d < 1 || d > maxElements/n {
			return fmt.Errorf("the shape %v is not one that TNN supports", dims)
		}
		n *= d
	}
	return nil
}
