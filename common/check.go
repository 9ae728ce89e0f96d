// SPDX-License-Identifier: Apache-2.0

package common

import (
	"slices"
	"strconv"
	"strings"
)

// check returns an error for Options that no engine can support.
func (o *Options) check(e *engine, src Source) error {
	const limit = 4096 // a larger number of threads or sessions is a mistake
	switch {
	case o.Threads < 0 || o.Threads > limit:
		return optionError("Threads is %d; it can be 0 (a share of GOMAXPROCS) to %d", o.Threads, limit)
	case o.Sessions < 0 || o.Sessions > limit:
		return optionError("Sessions is %d; it can be 0 (one) to %d", o.Sessions, limit)
	case o.Precision != 0 && o.Precision != Float32 && o.Precision != Float16 && o.Precision != BFloat16:
		return optionError("Precision is %v; it can be 0 (the model's own), float32, float16 or bfloat16", o.Precision)
	case o.MaxWaiting > limit*limit:
		return optionError("MaxWaiting is %d; it can be negative (none), 0 (any number) to %d", o.MaxWaiting, limit*limit)
	case o.MapFiles && src.Paths() == nil:
		return optionError("MapFiles is for files on disk")
	}
	for name, r := range o.Shapes {
		if err := r.check(name); err != nil {
			return err
		}
		if r.Min.Elems() == 0 && !e.emptyTensors {
			return optionError("shapes of %q: %v has no elements; this engine needs at least one", name, r.Min)
		}
	}
	return nil
}

// checkInputs appends the tensors of in to list, in the order of the signature's
// inputs, or returns an error if they are not its inputs.
func (m *model) checkInputs(list []*Tensor, signature int, in Tensors) ([]*Tensor, error) {
	infos := m.signatures[signature].Inputs
	for i := range infos {
		t, ok := in[infos[i].Name]
		if !ok {
			return nil, m.inputNames(infos, in)
		}
		if err := m.checkInput(&infos[i], t); err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	if len(in) != len(infos) {
		return nil, m.inputNames(infos, in)
	}
	return list, nil
}

// inputNames returns the error for tensors whose names are not those of infos.
func (m *model) inputNames(infos []TensorInfo, in Tensors) error {
	name := func(i TensorInfo) string { return i.Name }
	for n := range in {
		if indexOf(infos, n) < 0 {
			return inputError(ErrName, "there is no input %q; the inputs are %s", n, quoted(infos, name))
		}
	}
	missing := slices.DeleteFunc(slices.Clone(infos), func(i TensorInfo) bool { _, ok := in[i.Name]; return ok })
	return inputError(ErrCount, "%d of %d inputs given; %s missing", len(in), len(infos), quoted(missing, name))
}

// checkInput returns an error if t cannot be the input that info describes.
func (m *model) checkInput(info *TensorInfo, t *Tensor) error {
	switch {
	case t == nil:
		return inputError(ErrInput, "the tensor for input %q is nil", info.Name)
	case t.dtype != info.DType:
		return inputError(ErrDType, "input %q takes %v, not %v", info.Name, info.DType, t.dtype)
	case !info.Shape.Accepts(t.shape):
		return inputError(ErrShape, "input %q takes the shape %v, not %v", info.Name, info.Shape, t.shape)
	case t.Len() == 0 && !m.engine.engine.emptyTensors:
		return inputError(ErrShape, "the tensor for input %q has no elements: its shape is %v; this engine needs at least one", info.Name, t.shape)
	}
	if r, ok := m.options.Shapes[info.Name]; ok && !r.Contains(t.shape) {
		return inputError(ErrShape, "input %q was loaded for shapes %v, not %v", info.Name, r, t.shape)
	}
	return nil
}

// quoted returns a list of names for an error's text.
func quoted[T any](items []T, name func(T) string) string {
	var names []string
	for _, i := range items {
		names = append(names, strconv.Quote(name(i)))
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

// numbered returns a list of tensors with their indexes for an error's text.
func numbered(infos []TensorInfo) string {
	var list []string
	for i, info := range infos {
		list = append(list, strconv.Itoa(i)+" "+strconv.Quote(info.Name))
	}
	if list == nil {
		return "none"
	}
	return strings.Join(list, ", ")
}
