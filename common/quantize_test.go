// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"math"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

func tensor(t *testing.T, dt common.DType, shape ...int) *common.Tensor {
	t.Helper()
	x, err := common.NewTensor(dt, shape...)
	require.NoError(t, err)
	return x
}

func TestQuantize(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	q := &common.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{-3}}
	x := tensor(t, common.Int8, 9)
	require.NoError(t, q.Quantize(x, []float32{0, 0.5, 0.25, 0.75, -1, nan, inf, -inf, 62.6}))
	ints, err := common.Data[int8](x)
	require.NoError(t, err)
	require.Equal(t, []int8{-3, -2, -3, -1, -5, -3, 127, -128, 122}, ints, "ties must round to even, NaN to 0")
	back := make([]float32, 9)
	require.NoError(t, q.Dequantize(back, x))
	require.Equal(t, []float32{0, 0.5, 0, 1, -1, 0, 65, -62.5, 62.5}, back)

	channels := &common.Quantization{Scale: []float32{1, 2, 4}, ZeroPoint: []int64{0, 1, 2}, Axis: 1}
	y := tensor(t, common.Uint8, 2, 3, 2)
	reals := []float32{1, 2, 2, 4, 4, 8, 3, 4, 6, 8, 12, 16}
	require.NoError(t, channels.Quantize(y, reals))
	require.Equal(t, []byte{1, 2, 2, 3, 3, 4, 3, 4, 4, 5, 5, 6}, y.Bytes())
	back = make([]float32, 12)
	require.NoError(t, channels.Dequantize(back, y))
	require.Equal(t, reals, back)
	channels.ZeroPoint = nil
	require.NoError(t, channels.Quantize(y, reals))
	require.Equal(t, []byte{1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4}, y.Bytes(), "missing zero points must be 0")
	require.NoError(t, channels.Quantize(tensor(t, common.Uint8, 2, 3, 0), nil))

	zero := &common.Quantization{Scale: []float32{0}, ZeroPoint: []int64{3}}
	require.NoError(t, zero.Quantize(x, make([]float32, 9)))
	require.Equal(t, int8(3), ints[0], "a scale of 0 must give the zero point")

	var none *common.Quantization // stores the numbers themselves
	for _, dt := range []common.DType{common.Int8, common.Int16, common.Int32, common.Uint8, common.Uint16, common.Uint32, common.Float16, common.BFloat16, common.Float32} {
		z := tensor(t, dt, 2)
		require.NoError(t, none.Quantize(z, []float32{3, 100}))
		require.NoError(t, none.Dequantize(back[:2], z))
		require.Equal(t, []float32{3, 100}, back[:2], dt)
	}
}

func TestQuantizeErrors(t *testing.T) {
	q := &common.Quantization{Scale: []float32{1, 2}, Axis: 1}
	for name, c := range map[string]struct {
		q    *common.Quantization
		t    *common.Tensor
		n    int
		kind error
	}{
		"nil":          {q, nil, 0, common.ErrInput},
		"too few":      {nil, tensor(t, common.Int8, 2), 1, common.ErrShape},
		"too many":     {nil, tensor(t, common.Int8, 2), 3, common.ErrShape},
		"no such axis": {q, tensor(t, common.Int8, 2), 2, common.ErrShape},
		"other axis":   {q, tensor(t, common.Int8, 1, 3), 3, common.ErrShape},
		"negative":     {&common.Quantization{Scale: []float32{1, 2}, Axis: -1}, tensor(t, common.Int8, 2), 2, common.ErrShape},
		"no scale":     {&common.Quantization{}, tensor(t, common.Int8, 2), 2, common.ErrShape},
		"floats":       {&common.Quantization{Scale: []float32{1}}, tensor(t, common.Float32, 2), 2, common.ErrDType},
		"bools":        {nil, tensor(t, common.Bool, 2), 2, common.ErrDType},
		"strings":      {nil, tensor(t, common.String, 2), 2, common.ErrDType},
		"64 bits":      {nil, tensor(t, common.Int64, 2), 2, common.ErrDType},
	} {
		require.ErrorIs(t, c.q.Quantize(c.t, make([]float32, c.n)), c.kind, name)
		require.ErrorIs(t, c.q.Dequantize(make([]float32, c.n), c.t), c.kind, name)
	}
}

func TestHalfSlices(t *testing.T) {
	numbers := []float32{1.5, -2, 65504}
	halves, bhalves, back := make([]common.Half, 2), make([]common.BHalf, 4), make([]float32, 3)
	require.Equal(t, 2, common.FromFloat32(halves, numbers), "it must stop at the shorter slice, like copy")
	require.Equal(t, []common.Half{common.HalfOf(1.5), common.HalfOf(-2)}, halves)
	require.Equal(t, 2, common.ToFloat32(back, halves))
	require.Equal(t, []float32{1.5, -2, 0}, back)
	require.Equal(t, 3, common.FromFloat32(bhalves, numbers))
	require.Equal(t, 3, common.ToFloat32(back, bhalves))
	require.Equal(t, []float32{1.5, -2, 65536}, back)
}

func TestGet(t *testing.T) {
	ts := common.Tensors{"scores": floats(t, []float32{1, 2}), "boxes": tensor(t, common.Int32, 1)}
	scores, err := common.Get[float32](ts, "scores")
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2}, scores)
	_, err = common.Get[float32](ts, "score")
	require.ErrorIs(t, err, common.ErrName)
	require.NotErrorIs(t, err, common.ErrInput)
	require.ErrorContains(t, err, `"boxes", "scores"`)
	_, err = common.Get[float32](ts, "boxes")
	require.ErrorIs(t, err, common.ErrDType)
	require.ErrorContains(t, err, "boxes")
	require.ErrorContains(t, err, "int32")
}

func BenchmarkQuantize(b *testing.B) {
	q := &common.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{-3}}
	x, err := common.NewTensor(common.Int8, 3, 224, 224)
	require.NoError(b, err)
	reals := make([]float32, x.Len())
	b.SetBytes(int64(4 * len(reals)))
	b.Run("quantize", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, q.Quantize(x, reals))
		}
	})
	b.Run("dequantize", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, q.Dequantize(reals, x))
		}
	})
}
