// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// floats is t's elements as numbers; nil for strings.
func floats(t *common.Tensor) []float64 {
	switch t.DType() {
	case common.Bool:
		return convert(t, func(b bool) float64 {
			if b {
				return 1
			}
			return 0
		})
	case common.Int8:
		return convert(t, func(v int8) float64 { return float64(v) })
	case common.Int16:
		return convert(t, func(v int16) float64 { return float64(v) })
	case common.Int32:
		return convert(t, func(v int32) float64 { return float64(v) })
	case common.Int64:
		return convert(t, func(v int64) float64 { return float64(v) })
	case common.Uint8:
		return convert(t, func(v uint8) float64 { return float64(v) })
	case common.Uint16:
		return convert(t, func(v uint16) float64 { return float64(v) })
	case common.Uint32:
		return convert(t, func(v uint32) float64 { return float64(v) })
	case common.Uint64:
		return convert(t, func(v uint64) float64 { return float64(v) })
	case common.Float16:
		return convert(t, func(v common.Half) float64 { return float64(v.Float32()) })
	case common.BFloat16:
		return convert(t, func(v common.BHalf) float64 { return float64(v.Float32()) })
	case common.Float32:
		return convert(t, func(v float32) float64 { return float64(v) })
	case common.Float64:
		return convert(t, func(v float64) float64 { return v })
	}
	return nil
}

func convert[T common.Elem](t *common.Tensor, f func(T) float64) []float64 {
	data, _ := common.Data[T](t) // the type was just looked at
	out := make([]float64, len(data))
	for i, v := range data {
		out[i] = f(v)
	}
	return out
}

// storable is t, or its numbers as float32 where NumPy has no such type.
func storable(t *common.Tensor) *common.Tensor {
	if t.DType() != common.BFloat16 {
		return t
	}
	wide := make([]float32, t.Len())
	for i, v := range floats(t) {
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
	r := rand.New(rand.NewPCG(1, seed))
	switch info.DType {
	case common.Float32:
		fill(t, func() float32 { return r.Float32() })
	case common.Float64:
		fill(t, r.Float64)
	case common.Float16:
		fill(t, func() common.Half { return common.HalfOf(r.Float32()) })
	case common.BFloat16:
		fill(t, func() common.BHalf { return common.BHalfOf(r.Float32()) })
	case common.Bool:
		fill(t, func() bool { return r.IntN(2) == 1 })
	case common.String:
		return nil, fmt.Errorf("input %q takes strings, which .npy files and random data lack", info.Name)
	default: // integers: small ones are the same in every width, little end first
		for i := 0; i < len(t.Bytes()); i += info.DType.Size() {
			t.Bytes()[i] = byte(r.IntN(10))
		}
	}
	return t, nil
}

func fill[T common.Elem](t *common.Tensor, next func() T) {
	data, _ := common.Data[T](t)
	for i := range data {
		data[i] = next()
	}
}
