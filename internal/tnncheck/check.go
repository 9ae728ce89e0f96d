// SPDX-License-Identifier: Apache-2.0

// Package tnncheck refuses what TNN does not survive: it takes counts, names,
// layers' parameters and the sizes of weights from its files unseen, and
// shapes from its caller.
//
// The structure of both files is checked for every model. Shapes and
// parameters are checked for the layers in layers.go; behind another kind of
// layer shapes are not known, and what depends on them is not checked. Nor is
// what a later TNN may have added: layers, element types, values of
// enumerations. Unknown lists the layers.
package tnncheck

import (
	"fmt"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// Check returns why TNN is not to be given a .tnnproto and its .tnnmodel with
// these shapes of inputs, as an Error, or nil.
func Check(files [][]byte, shapes map[string]common.ShapeRange) error {
	if len(files) != 2 {
		return nil // the shim says so better
	}
	n, err := parse(string(files[0]))
	var w *weights
	if err == nil {
		w, err = readWeights(files[1])
	}
	if err == nil {
		err = n.connected(w)
	}
	if err == nil && shapes == nil && !w.partial {
		err = n.fits(w, n.inputs)
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
			if r, ok := shapes[b.name]; ok && len(pick(r)) == len(b.dims) { // else the shim refuses them
				inputs[i].dims = pick(r)
			}
		}
		if err := n.fits(w, inputs); err != nil {
			return &common.Error{Kind: common.ErrModel, Message: "the model does not take these shapes: " + err.Error()}
		}
	}
	return nil
}

// Unknown names the kinds of layers of a .tnnproto in which Check found nothing
// whose shapes, parameters and weights were not checked.
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

// connected refuses blobs that nothing makes, or that more than one layer does.
func (n *net) connected(w *weights) error {
	made := map[string]bool{}
	for name := range w.constants {
		made[name] = true
	}
	for _, b := range n.inputs {
		if made[b.name] {
			return fmt.Errorf("there are two inputs %.100q", b.name)
		}
		made[b.name] = true
	}
	for _, l := range n.layers {
		for _, name := range l.inputs {
			if !made[name] && !w.partial { // it may be a constant
				return fmt.Errorf("layer %.100q needs %.100q, which nothing before it makes", l.name, name)
			}
		}
		for _, name := range l.outputs {
			if made[name] {
				return fmt.Errorf("layer %.100q makes %.100q, which is there already", l.name, name)
			}
			made[name] = true
		}
	}
	for _, name := range n.outputs {
		if !made[name] && !w.partial {
			return fmt.Errorf("nothing makes the output %.100q", name)
		}
	}
	return nil
}

// fits refuses layers that do not suit their inputs or their weights.
func (n *net) fits(w *weights, inputs []blob) error {
	known := map[string][]int{} // dims; none where they are not known
	for _, b := range inputs {
		if err := sane(b.dims); err != nil {
			return fmt.Errorf("input %.100q: %w", b.name, err)
		}
		known[b.name] = b.dims
	}
	for _, l := range n.layers {
		dims, err := l.infer(known, w)
		if err == nil && dims != nil {
			err = sane(dims)
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

// most is how many elements of four bytes TNN can count: it has sizes in an int.
const most = 1<<29 - 1

// sane refuses shapes that TNN cannot count in.
func sane(dims []int) error {
	n := 1
	for _, d := range dims {
		if d < 1 || d > most/n {
			return fmt.Errorf("the shape %v is none that TNN can have", dims)
		}
		n *= d
	}
	return nil
}
