// SPDX-License-Identifier: Apache-2.0

package values_test

import (
	"math"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

func TestFloat64s(t *testing.T) {
	check(t, []bool{true, false}, 1, 0)
	check(t, []int8{math.MinInt8, 1}, math.MinInt8, 1)
	check(t, []int16{math.MinInt16, 1}, math.MinInt16, 1)
	check(t, []int32{math.MinInt32, 1}, math.MinInt32, 1)
	check(t, []int64{math.MinInt64, 1}, math.MinInt64, 1)
	check(t, []uint8{math.MaxUint8, 1}, math.MaxUint8, 1)
	check(t, []uint16{math.MaxUint16, 1}, math.MaxUint16, 1)
	check(t, []uint32{math.MaxUint32, 1}, math.MaxUint32, 1)
	check(t, []uint64{1 << 63, 1}, 1<<63, 1)
	check(t, []common.Half{0x3e00, 0xc000}, 1.5, -2)
	check(t, []common.BHalf{0x3fc0, 0xc000}, 1.5, -2)
	check(t, []float32{1.5, -2}, 1.5, -2)
	check(t, []float64{math.Pi, -2}, math.Pi, -2)
	check(t, []string{"1"})
}

func check[T common.Elem](t *testing.T, data []T, want ...float64) {
	t.Helper()
	x, err := common.FromSlice(data)
	require.NoError(t, err)
	require.Equal(t, want, values.Float64s(x))
}

// TestFill checks that the values depend on the seed alone, and that they are in
// range for every element type.
func TestFill(t *testing.T) {
	for dt := common.Bool; dt <= common.Float64; dt++ {
		var all [][]float64
		for _, seed := range []uint64{1, 1, 2} {
			x, err := common.NewTensor(dt, 100)
			require.NoError(t, err)
			values.Fill(x, seed)
			all = append(all, values.Float64s(x))
			for _, v := range all[0] {
				require.True(t, v >= 0 && v < 10, "%v: %v", dt, v)
			}
		}
		require.Equal(t, all[0], all[1], dt)
		require.NotEqual(t, all[0], all[2], dt)
	}
}
