// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"math"
	"runtime"
	"strconv"
	"testing"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

func TestNewTensor(t *testing.T) {
	for dt := common.Bool; dt <= common.Float64; dt++ {
		for n := range 70 {
			x, err := common.NewTensor(dt, n)
			require.NoError(t, err)
			b := x.Bytes()
			require.Len(t, b, n*dt.Size())
			require.GreaterOrEqual(t, cap(b)-len(b), common.TensorAlign)
			require.Zero(t, uintptr(unsafe.Pointer(unsafe.SliceData(b)))%common.TensorAlign)
			require.True(t, x.Padded())
			for _, v := range b[:cap(b)] {
				require.Zero(t, v)
			}
			require.Equal(t, dt, x.DType())
			require.Equal(t, common.Shape{n}, x.Shape())
			require.Equal(t, n, x.Len())
		}
	}
	scalar, err := common.NewTensor(common.Int64)
	require.NoError(t, err)
	require.Equal(t, common.Shape{}, scalar.Shape())
	require.Equal(t, 1, scalar.Len())
}

func TestNewTensorErrors(t *testing.T) {
	_, err := common.NewTensor(0, 1)
	require.ErrorIs(t, err, common.ErrDType)
	_, err = common.NewTensor(99, 1)
	require.ErrorIs(t, err, common.ErrDType)
	shapes := []common.Shape{{-1}, {2, -3}, {math.MaxInt}, {math.MaxInt, 2}, {1 << 16, 1 << 16, 1 << 16, 1 << 16}}
	if strconv.IntSize == 64 {
		shapes = append(shapes, common.Shape{math.MaxInt/16 + 1}, common.Shape{math.MaxInt >> 10}, common.Shape{math.MaxInt >> 15})
	}
	for _, shape := range shapes {
		for _, dt := range []common.DType{common.Uint8, common.Float64, common.String} {
			require.NotPanics(t, func() {
				_, err = common.NewTensor(dt, shape...)
			}, "%v of %v", shape, dt)
			require.ErrorIs(t, err, common.ErrShape, "%v of %v", shape, dt)
			require.ErrorIs(t, err, common.ErrInput)
		}
	}
}

func TestFromSlice(t *testing.T) {
	data := []float32{1, 2, 3, 4, 5, 6}
	x, err := common.FromSlice(data, 2, 3)
	require.NoError(t, err)
	data[4] = 50
	got, err := common.Data[float32](x)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2, 3, 4, 50, 6}, got)
	got[0] = 10
	require.Equal(t, float32(10), data[0], "the memory must be shared")
	require.Len(t, x.Bytes(), 24)
	require.Equal(t, 24, cap(x.Bytes()), "the capacity must end with the elements")
	require.False(t, x.Padded())
	aligned, err := common.NewTensor(common.Float32, 6)
	require.NoError(t, err)
	begin, err := common.Data[float32](aligned)
	require.NoError(t, err)
	part, err := common.FromSlice(begin[:5])
	require.NoError(t, err)
	require.False(t, part.Padded(), "a padded tensor needs room after its elements")

	vector, err := common.FromSlice(data)
	require.NoError(t, err)
	require.Equal(t, common.Shape{6}, vector.Shape())
	scalar, err := common.FromSlice([]int8{7}, common.Shape{}...)
	require.NoError(t, err)
	require.Equal(t, common.Shape{}, scalar.Shape())
	empty, err := common.FromSlice([]int64(nil))
	require.NoError(t, err)
	require.Equal(t, common.Shape{0}, empty.Shape())
	none, err := common.Data[int64](empty)
	require.NoError(t, err)
	require.Empty(t, none)

	for _, shape := range []common.Shape{{}, {5}, {7}, {2, 2}, {-1}, {-2, -3}, {0}} {
		_, err := common.FromSlice(data, shape...)
		require.ErrorIs(t, err, common.ErrShape, "%v", shape)
	}
}

// roundTrip checks FromSlice, Data and Clone for one element type.
func roundTrip[T common.Elem](t *testing.T, data ...T) {
	x, err := common.FromSlice(data)
	require.NoError(t, err)
	require.Equal(t, common.DTypeOf[T](), x.DType())
	got, err := common.Data[T](x)
	require.NoError(t, err)
	require.Equal(t, data, got)
	c := x.Clone()
	data[0] = data[1]
	got, err = common.Data[T](c)
	require.NoError(t, err)
	require.NotEqual(t, data[0], got[0], "a clone must not share memory")
	require.Equal(t, data[1:], got[1:])
}

func TestElementTypes(t *testing.T) {
	roundTrip(t, true, false)
	roundTrip[int8](t, -128, 127)
	roundTrip[int16](t, math.MinInt16, 3)
	roundTrip[int32](t, math.MinInt32, 3)
	roundTrip[int64](t, math.MinInt64, 3)
	roundTrip[uint8](t, 255, 3)
	roundTrip[uint16](t, 65535, 3)
	roundTrip[uint32](t, math.MaxUint32, 3)
	roundTrip[uint64](t, math.MaxUint64, 3)
	roundTrip(t, common.HalfOf(1.5), common.HalfOf(2))
	roundTrip(t, common.BHalfOf(1.5), common.BHalfOf(2))
	roundTrip[float32](t, math.MaxFloat32, 3)
	roundTrip(t, math.MaxFloat64, 3)
	roundTrip(t, "a", "b\x00c")
}

func TestDataErrors(t *testing.T) {
	x, err := common.NewTensor(common.Float16, 2)
	require.NoError(t, err)
	_, err = common.Data[uint16](x)
	require.ErrorIs(t, err, common.ErrDType)
	require.NotErrorIs(t, err, common.ErrInput, "a wrong element type must not be an error of the input")
	_, err = common.Data[common.BHalf](x)
	require.ErrorIs(t, err, common.ErrDType)
	_, err = common.Data[string](x)
	require.ErrorIs(t, err, common.ErrDType)
	_, err = common.Data[float32](nil)
	require.ErrorIs(t, err, common.ErrDType)
	s, err := common.NewTensor(common.String, 2)
	require.NoError(t, err)
	require.Nil(t, s.Bytes())
	require.False(t, s.Padded())
	_, err = common.Data[float32](s)
	require.ErrorIs(t, err, common.ErrDType)
}

func TestNilTensor(t *testing.T) {
	var x *common.Tensor
	require.Zero(t, x.DType())
	require.Nil(t, x.Shape())
	require.Zero(t, x.Len())
	require.Nil(t, x.Bytes())
	require.False(t, x.Is(0, nil))
	require.False(t, x.Padded())
	require.Nil(t, x.Clone())
}

// TestTensorShapeIsCopied checks that changes to the slices of dimensions that a
// tensor was made from or returned do not change its shape.
func TestTensorShapeIsCopied(t *testing.T) {
	shape := []int{2, 2}
	x, err := common.NewTensor(common.Int32, shape...)
	require.NoError(t, err)
	y, err := common.FromSlice(make([]int32, 4), shape...)
	require.NoError(t, err)
	shape[0] = 100
	x.Shape()[1] = 100
	require.Equal(t, common.Shape{2, 2}, x.Shape())
	require.Equal(t, common.Shape{2, 2}, y.Shape())
}

func TestEnsureTensor(t *testing.T) {
	x, err := common.NewTensor(common.Int32, 2)
	require.NoError(t, err)
	same, err := common.EnsureTensor(x, common.Int32, common.Shape{2})
	require.NoError(t, err)
	require.Same(t, x, same)
	for _, c := range []*common.Tensor{nil, x} {
		other, err := common.EnsureTensor(c, common.Int32, common.Shape{1, 2})
		require.NoError(t, err)
		require.True(t, other.Is(common.Int32, common.Shape{1, 2}))
	}
}

// TestTensorKeepsSliceAlive checks that a tensor keeps the slice that it shares from
// being collected.
func TestTensorKeepsSliceAlive(t *testing.T) {
	x, err := common.FromSlice(append(make([]int64, 0, 1000), 1, 2, 3))
	require.NoError(t, err)
	for range 3 {
		runtime.GC()
		_ = make([]int64, 1000)
	}
	got, err := common.Data[int64](x)
	require.NoError(t, err)
	require.Equal(t, []int64{1, 2, 3}, got)
}
