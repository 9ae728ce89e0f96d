// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

func TestDType(t *testing.T) {
	sizes := map[string]int{
		"bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
		"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "string": 0,
	}
	n := 0
	for d := common.DType(1); d.Valid(); d++ {
		n++
		size, ok := sizes[d.String()]
		require.True(t, ok, "%v", d)
		require.Equal(t, size, d.Size(), "%v", d)
		back, err := common.ParseDType(d.String())
		require.NoError(t, err)
		require.Equal(t, d, back)
	}
	require.Equal(t, len(sizes), n)
	for _, d := range []common.DType{0, 15, 255} {
		require.False(t, d.Valid())
		require.Zero(t, d.Size())
		require.Equal(t, "unknown", d.String())
	}
	for _, name := range []string{"", "float", "Float32", "unknown"} {
		_, err := common.ParseDType(name)
		require.ErrorIs(t, err, common.ErrDType)
	}
}

func TestDTypeOf(t *testing.T) {
	require.Equal(t, common.Bool, common.DTypeOf[bool]())
	require.Equal(t, common.Int8, common.DTypeOf[int8]())
	require.Equal(t, common.Int16, common.DTypeOf[int16]())
	require.Equal(t, common.Int32, common.DTypeOf[int32]())
	require.Equal(t, common.Int64, common.DTypeOf[int64]())
	require.Equal(t, common.Uint8, common.DTypeOf[uint8]())
	require.Equal(t, common.Uint16, common.DTypeOf[uint16]())
	require.Equal(t, common.Uint32, common.DTypeOf[uint32]())
	require.Equal(t, common.Uint64, common.DTypeOf[uint64]())
	require.Equal(t, common.Float16, common.DTypeOf[common.Half]())
	require.Equal(t, common.BFloat16, common.DTypeOf[common.BHalf]())
	require.Equal(t, common.Float32, common.DTypeOf[float32]())
	require.Equal(t, common.Float64, common.DTypeOf[float64]())
	require.Equal(t, common.String, common.DTypeOf[string]())
}
