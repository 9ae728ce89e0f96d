// SPDX-License-Identifier: Apache-2.0

// Package tnncheck checks the structure of TNN models: the counts and sizes in both files,
// and that each name is defined once, before it is used. Layers that it does not know are
// accepted. It also refuses shapes of inputs that do not fit a model, because TNN computes
// with them outside of its memory.
package tnncheck

import (
	"fmt"

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
		if e := n.checkShapes(w, n.inputs); e != nil {
			err = flatbuf.Unsupported(e.Error())
		}
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
