// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/anyinfer/anyinfer/common"
)

// numbers are the elements of x as float64.
func numbers(x *common.Tensor) []float64 {
	switch x.DType() {
	case common.Bool:
		return convert(x, func(v bool) float64 {
			if v {
				return 1
			}
			return 0
		})
	case common.Float16:
		return convert(x, func(v common.Half) float64 { return float64(v.Float32()) })
	case common.BFloat16:
		return convert(x, func(v common.BHalf) float64 { return float64(v.Float32()) })
	case common.Int8:
		return convert(x, func(v int8) float64 { return float64(v) })
	case common.Int16:
		return convert(x, func(v int16) float64 { return float64(v) })
	case common.Int32:
		return convert(x, func(v int32) float64 { return float64(v) })
	case common.Int64:
		return convert(x, func(v int64) float64 { return float64(v) })
	case common.Uint8:
		return convert(x, func(v uint8) float64 { return float64(v) })
	case common.Uint16:
		return convert(x, func(v uint16) float64 { return float64(v) })
	case common.Uint32:
		return convert(x, func(v uint32) float64 { return float64(v) })
	case common.Uint64:
		return convert(x, func(v uint64) float64 { return float64(v) })
	case common.Float32:
		return convert(x, func(v float32) float64 { return float64(v) })
	}
	return convert(x, func(v float64) float64 { return v })
}

func convert[T common.Elem](x *common.Tensor, f func(T) float64) []float64 {
	data, _ := common.Data[T](x)
	out := make([]float64, len(data))
	for i, v := range data {
		out[i] = f(v)
	}
	return out
}

// differ says how got differs from want, which has its type and shape, by
// more than limit(want); "" where it does not.
func differ(want, got *common.Tensor, limit func(float64) float64) string {
	if bytes.Equal(want.Bytes(), got.Bytes()) {
		return ""
	}
	worst, at := 0.0, -1
	w, g := numbers(want), numbers(got)
	for i := range w {
		// The comparison is so that a NaN counts as a difference.
		if d := math.Abs(g[i] - w[i]); !(d <= limit(w[i])) && !(d <= worst) {
			worst, at = d, i
		}
	}
	if at < 0 {
		if limit(1) == 0 {
			return "the bits differ" // -0 or a wide integer
		}
		return ""
	}
	return fmt.Sprintf("element %d is %v, not %v", at, g[at], w[at])
}

// unaligned is a copy of x one element away from an aligned address.
func unaligned(x *common.Tensor) (*common.Tensor, error) {
	switch x.DType() {
	case common.Bool:
		return shift[bool](x)
	case common.Float16:
		return shift[common.Half](x)
	case common.BFloat16:
		return shift[common.BHalf](x)
	case common.Int8:
		return shift[int8](x)
	case common.Int16:
		return shift[int16](x)
	case common.Int32:
		return shift[int32](x)
	case common.Int64:
		return shift[int64](x)
	case common.Uint8:
		return shift[uint8](x)
	case common.Uint16:
		return shift[uint16](x)
	case common.Uint32:
		return shift[uint32](x)
	case common.Uint64:
		return shift[uint64](x)
	case common.Float32:
		return shift[float32](x)
	}
	return shift[float64](x)
}

func shift[T common.Elem](x *common.Tensor) (*common.Tensor, error) {
	data, err := common.Data[T](x)
	if err != nil {
		return nil, err
	}
	aligned, err := common.NewTensor(x.DType(), len(data)+1)
	if err != nil {
		return nil, err
	}
	buffer, err := common.Data[T](aligned)
	if err != nil {
		return nil, err
	}
	copy(buffer[1:], data)
	return common.FromSlice(buffer[1:], x.Shape()...)
}

// fill gives x reproducible elements: floats in 0..1, small integers.
func fill(x *common.Tensor, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	switch data := x.Bytes(); x.DType() {
	case common.Float32:
		values, _ := common.Data[float32](x)
		for i := range values {
			values[i] = random.Float32()
		}
	case common.Bool:
		for i := range data {
			data[i] = byte(random.IntN(2))
		}
	default:
		for i := 0; i < len(data); i += x.DType().Size() {
			data[i] = byte(random.IntN(8))
		}
	}
}
