// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
)

// npyTensor returns t, or a float32 copy if NumPy has no such type.
func npyTensor(t *common.Tensor) *common.Tensor {
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
