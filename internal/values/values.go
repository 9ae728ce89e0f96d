// SPDX-License-Identifier: Apache-2.0

// Package values reads and fills tensors whose element type is known only at run time.
package values

import (
	"math/rand/v2"

	"github.com/anyinfer/anyinfer/common"
)

// Float64s returns t's elements as numbers, rounded for int64 and uint64; nil for
// strings.
func Float64s(t *common.Tensor) []float64 {
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
	data, _ := common.Data[T](t) // cannot fail, because T is the tensor's type
	out := make([]float64, len(data))
	for i, v := range data {
		out[i] = f(v)
	}
	return out
}

// Fill sets t's elements to seeded random numbers: 0 to 1 for floats, 0 to 9 for
// integers. It does not change strings.
func Fill(t *common.Tensor, seed uint64) {
	r := rand.New(rand.NewPCG(1, seed))
	switch t.DType() {
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
	default: // the first byte of a small little-endian integer of any width has its value
		for i := 0; i < len(t.Bytes()); i += t.DType().Size() {
			t.Bytes()[i] = byte(r.IntN(10))
		}
	}
}

func fill[T common.Elem](t *common.Tensor, next func() T) {
	data, _ := common.Data[T](t)
	for i := range data {
		data[i] = next()
	}
}
