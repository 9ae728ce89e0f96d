// SPDX-License-Identifier: Apache-2.0

package common

import "math"

// Quantization maps stored integers to real numbers:
// real = Scale * (stored - ZeroPoint). Scale and ZeroPoint have one entry for the
// whole tensor, or one for each index along dimension Axis. A nil Quantization
// belongs to a tensor whose elements are the real numbers themselves.
type Quantization struct {
	Scale     []float32
	ZeroPoint []int64
	Axis      int
}

// Quantize stores the real numbers src in dst, which has as many elements. Each
// becomes the nearest value of dst's type, ties to even, within the type's range;
// NaN becomes 0. dst has integers of up to 32 bits or, with a nil q, also floats of
// up to 32 bits, so that the same code serves quantized and other models. The error
// wraps ErrDType, ErrShape, or ErrInput for a nil dst.
func (q *Quantization) Quantize(dst *Tensor, src []float32) error {
	return q.convert(dst, src, true)
}

// Dequantize sets dst, which has one float32 for each element of src, to the real
// numbers that the elements represent. The types and errors are those of Quantize.
func (q *Quantization) Dequantize(dst []float32, src *Tensor) error {
	return q.convert(src, dst, false)
}

// convert stores reals in t, or reads them from t.
func (q *Quantization) convert(t *Tensor, reals []float32, store bool) error {
	switch {
	case t == nil:
		return inputError(ErrInput, "the tensor is nil")
	case t.Len() != len(reals):
		return inputError(ErrShape, "the tensor has %d elements, but the slice has %d", t.Len(), len(reals))
	}
	switch t.dtype {
	case Int8:
		return convertInts[int8](q, t, reals, store, math.MinInt8, math.MaxInt8)
	case Int16:
		return convertInts[int16](q, t, reals, store, math.MinInt16, math.MaxInt16)
	case Int32:
		return convertInts[int32](q, t, reals, store, math.MinInt32, math.MaxInt32)
	case Uint8:
		return convertInts[uint8](q, t, reals, store, 0, math.MaxUint8)
	case Uint16:
		return convertInts[uint16](q, t, reals, store, 0, math.MaxUint16)
	case Uint32:
		return convertInts[uint32](q, t, reals, store, 0, math.MaxUint32)
	}
	if q == nil {
		switch t.dtype {
		case Float16:
			return convertHalves[Half](t, reals, store)
		case BFloat16:
			return convertHalves[BHalf](t, reals, store)
		case Float32:
			stored, err := Data[float32](t)
			if store {
				copy(stored, reals)
			} else {
				copy(reals, stored)
			}
			return err
		}
	}
	return inputError(ErrDType, "a tensor of %v holds no quantized numbers", t.dtype)
}

func convertHalves[T Half | BHalf](t *Tensor, reals []float32, store bool) error {
	stored, err := Data[T](t)
	if store {
		FromFloat32(stored, reals)
	} else {
		ToFloat32(reals, stored)
	}
	return err
}

// convertInts converts elements of an integer type with values from low to high.
func convertInts[T int8 | int16 | int32 | uint8 | uint16 | uint32](q *Quantization, t *Tensor, reals []float32, store bool, low, high float64) error {
	stored, err := Data[T](t)
	if err != nil {
		return err
	}
	return q.spans(t.shape, func(from, to int, scale, zero float64) {
		for i := from; i < to; i++ {
			if !store {
				reals[i] = float32(scale * (float64(stored[i]) - zero))
				continue
			}
			steps := math.RoundToEven(float64(reals[i]) / scale)
			if steps != steps { // NaN, or 0 divided by a scale of 0
				steps = 0
			}
			stored[i] = T(max(low, min(steps+zero, high)))
		}
	})
}

// spans calls f for each run of elements with the same scale and zero point.
func (q *Quantization) spans(shape Shape, f func(from, to int, scale, zero float64)) error {
	n := shape.Elems()
	switch {
	case q == nil:
		f(0, n, 1, 0)
		return nil
	case len(q.Scale) == 1:
		f(0, n, float64(q.Scale[0]), q.zero(0))
		return nil
	case q.Axis < 0 || q.Axis >= len(shape) || len(q.Scale) != shape[q.Axis]:
		return inputError(ErrShape, "there are %d scales for dimension %d of the shape %v", len(q.Scale), q.Axis, shape)
	case n == 0:
		return nil
	}
	inner := shape[q.Axis+1:].Elems()
	for from := 0; from < n; from += inner {
		i := from / inner % len(q.Scale)
		f(from, from+inner, float64(q.Scale[i]), q.zero(i))
	}
	return nil
}

// zero returns the zero point for Scale[i].
func (q *Quantization) zero(i int) float64 {
	switch len(q.ZeroPoint) {
	case 0:
		return 0
	case 1:
		i = 0
	}
	return float64(q.ZeroPoint[min(i, len(q.ZeroPoint)-1)])
}
