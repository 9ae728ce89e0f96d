// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
)

// storable is t, or its numbers as float32 where NumPy has no such type.
func storable(t *common.Tensor) *common.Tensor {
	if t.DType() != common.BFloat16 {
		return t
	}
	wide := make([]float32, t.Len())
	for i, v := range values.Float64s(t) {
		wide[i] = float32(v)
	}
	w, err := common.FromSlice(wide, t.Shape()...)
	if err != nil {
		return t
	}
	return w
}

type summary struct {
	n              int
	min, max, mean float64
}

func summarize(v []float64) summary {
	if len(v) == 0 || slices.ContainsFunc(v, func(x float64) bool { return math.IsNaN(x - x) }) { // JSON has no NaN and no infinity
		return summary{}
	}
	s := summary{n: len(v), min: slices.Min(v), max: slices.Max(v)}
	for _, x := range v {
		s.mean += x / float64(len(v))
	}
	return s
}

// makeInputs gives each input the tensor that was given for it, or random
// data: the same numbers for the same input in every engine and every run.
func makeInputs(infos []common.TensorInfo, given common.Tensors) (common.Tensors, error) {
	in := common.Tensors{}
	used := 0
	for i, info := range infos {
		t := given[info.Name]
		if t != nil {
			used++
			if fitted, err := fit(t, info.Shape); err == nil {
				t = fitted
			}
		} else {
			var err error
			if t, err = random(info, uint64(i)); err != nil {
				return nil, err
			}
		}
		in[info.Name] = t
	}
	if used < len(given) {
		for name, t := range given { // common says which names there are
			in[name] = t
		}
	}
	return in, nil
}

// fit is t in a shape that the model takes and that differs from t's only in
// dimensions of length 1, such as [1 1 8 8] and [1 8 8 1]: same numbers, same
// order, another engine's layout.
func fit(t *common.Tensor, want common.Shape) (*common.Tensor, error) {
	have := t.Shape()
	if want.Accepts(have) || !slices.Equal(squeeze(have), squeeze(want)) {
		return t, nil
	}
	c, err := common.NewTensor(t.DType(), want...)
	if err != nil {
		return nil, err
	}
	copy(c.Bytes(), t.Bytes())
	return c, nil
}

func squeeze(s common.Shape) common.Shape {
	return slices.DeleteFunc(slices.Clone(s), func(d int) bool { return d == 1 })
}

// random makes data for info: 0 to 1 for floats, 0 to 9 for integers.
func random(info common.TensorInfo, seed uint64) (*common.Tensor, error) {
	if info.Shape == nil {
		return nil, fmt.Errorf("input %q has any shape: give it data with --input", info.Name)
	}
	shape := slices.Clone(info.Shape)
	for i, d := range shape {
		if d < 0 {
			shape[i] = 1
		}
	}
	t, err := common.NewTensor(info.DType, shape...)
	if err != nil {
		return nil, err
	}
	if info.DType == common.String {
		return nil, fmt.Errorf("input %q takes strings, which .npy files and random data lack", info.Name)
	}
	values.Fill(t, seed)
	return t, nil
}
