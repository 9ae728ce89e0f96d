// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/stretchr/testify/require"
)

func TestPackStrings(t *testing.T) {
	for _, all := range [][]string{{""}, {"a", "", "bc\x00d", "\xff\xfe"}, slices.Repeat([]string{"ä"}, 1000), {}} {
		packed, err := packStrings(nil, all)
		require.NoError(t, err)
		got := make([]string, len(all))
		require.NoError(t, unpackStrings(got, packed))
		require.Equal(t, all, got)
	}
	packed, err := packStrings(nil, []string{"a", "bc"})
	require.NoError(t, err)
	want := []byte{}
	for _, n := range []uint32{2, 16, 17, 19} {
		want = binary.NativeEndian.AppendUint32(want, n)
	}
	require.Equal(t, append(want, "abc"...), packed, "as in string_util.h")
}

// TestUnpackStrings: numbers from C are checked before they are used.
func TestUnpackStrings(t *testing.T) {
	for name, numbers := range map[string][]int32{
		"nothing":         {},
		"no offsets":      {2},
		"fewer":           {1, 12, 13},
		"more":            {math.MaxInt32, 16, 17, 18},
		"negative number": {-1, 16, 17, 18},
		"negative offset": {2, -16, 17, 18},
		"in the numbers":  {2, 8, 17, 18},
		"backwards":       {2, 17, 16, 18},
		"behind the end":  {2, 16, 17, 99},
		"a byte behind":   {2, 16, 17, 19},
	} {
		var buffer []byte
		for _, n := range numbers {
			buffer = binary.NativeEndian.AppendUint32(buffer, uint32(n))
		}
		if len(numbers) > 1 {
			buffer = append(buffer, "ab"...)
		}
		require.ErrorIs(t, unpackStrings(make([]string, 2), buffer), common.ErrRun, name)
	}
}

// TestStrings runs on strings that JSON cannot hold, and on large ones.
func TestStrings(t *testing.T) {
	e := enginetest.Open(t, spec.Engine, nil)
	m := enginetest.Load(t, e, enginetest.File(t, "strings.tflite"), &common.Options{Sessions: 2})
	for _, words := range [][]string{
		{"\xff\x00\xfe", "", strings.Repeat("x", 1<<20)},
		slices.Repeat([]string{"yes", "", "a longer word"}, 100000),
		{""},
	} {
		in, err := common.FromSlice(words)
		require.NoError(t, err)
		last, err := common.FromSlice([]int32{int32(len(words) - 1)})
		require.NoError(t, err)
		for range 2 {
			out, err := m.Run(t.Context(), common.Tensors{"words": in, "picks": last})
			require.NoError(t, err)
			echo, err := common.Get[string](out, "echo")
			require.NoError(t, err)
			require.True(t, slices.Equal(words, echo))
			chosen, err := common.Get[string](out, "chosen")
			require.NoError(t, err)
			require.Equal(t, words[len(words)-1:], chosen)
		}
	}
	numbers, one := enginetest.Random(t, 1, common.Uint8, 3), enginetest.Random(t, 1, common.Int32, 1)
	_, err := m.Run(t.Context(), common.Tensors{"words": numbers, "picks": one})
	require.ErrorIs(t, err, common.ErrDType)
}
