// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// referenceHalf computes the value of a Half from the definition of IEEE 754.
func referenceHalf(h uint16) float64 {
	sign, exp, frac := 1.0, int(h>>10&31), float64(h&1023)
	if h>>15 == 1 {
		sign = -1
	}
	switch exp {
	case 0:
		return sign * frac * math.Pow(2, -24)
	case 31:
		if frac != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * (1 + frac/1024) * math.Pow(2, float64(exp-15))
}

func TestHalfExhaustive(t *testing.T) {
	for i := range 1 << 16 {
		h := common.Half(i)
		want, got := referenceHalf(uint16(i)), float64(h.Float32())
		if math.IsNaN(want) {
			require.True(t, math.IsNaN(got), "%04x", i)
			back := common.HalfOf(h.Float32())
			require.True(t, math.IsNaN(referenceHalf(uint16(back))), "%04x became %04x", i, back)
			require.Equal(t, h>>15, back>>15, "sign of the NaN %04x", i)
			continue
		}
		if want != got || math.Signbit(want) != math.Signbit(got) {
			t.Fatalf("%04x is %v, want %v", i, got, want)
		}
		if back := common.HalfOf(h.Float32()); back != h {
			t.Fatalf("%04x came back as %04x", i, back)
		}
	}
}

func TestBHalfExhaustive(t *testing.T) {
	for i := range 1 << 16 {
		h := common.BHalf(i)
		f := h.Float32()
		back := common.BHalfOf(f)
		if math.IsNaN(float64(f)) {
			require.True(t, math.IsNaN(float64(back.Float32())), "%04x", i)
			continue
		}
		require.Equal(t, uint32(i)<<16, math.Float32bits(f))
		if back != h {
			t.Fatalf("%04x came back as %04x", i, back)
		}
	}
}

// nearest returns the index of the value nearest to f, in exact arithmetic; ties go
// to the even index. The values are sorted, non-negative and finite. From limit on,
// f is rounded to infinity.
func nearest(values []float64, limit, f float64) (index int, inf bool) {
	if f >= limit {
		return 0, true
	}
	i := sort.SearchFloat64s(values, f)
	switch {
	case i == len(values):
		return i - 1, false
	case i == 0 || values[i] == f:
		return i, false
	}
	// A big.Float rounds nothing.
	below := new(big.Float).Sub(big.NewFloat(f), big.NewFloat(values[i-1]))
	above := new(big.Float).Sub(big.NewFloat(values[i]), big.NewFloat(f))
	switch c := below.Cmp(above); {
	case c < 0, c == 0 && (i-1)%2 == 0:
		return i - 1, false
	}
	return i, false
}

// roundingCases are the float32s that are hardest to round to one of values: the
// midpoints and their neighbours, some limits, and random numbers.
func roundingCases(values []float64) []float32 {
	fs := []float32{0, math.SmallestNonzeroFloat32, math.MaxFloat32, 65504, 65519.996, 65520, 65536, 1, 1.0004883}
	for i := 1; i < len(values); i += 1 + i/4096 {
		mid := float32((values[i-1] + values[i]) / 2)
		fs = append(fs, float32(values[i]), mid, math.Nextafter32(mid, 0), math.Nextafter32(mid, math.MaxFloat32))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200000 {
		if f := math.Float32frombits(random.Uint32() & 0x7fffffff); f-f == 0 { // finite
			fs = append(fs, f)
		}
	}
	return fs
}

func TestHalfRounding(t *testing.T) {
	var values []float64
	for i := range 0x7c00 {
		values = append(values, referenceHalf(uint16(i)))
	}
	for _, f := range roundingCases(values) {
		i, inf := nearest(values, 65520, float64(f))
		if inf {
			i = 0x7c00
		}
		if got := common.HalfOf(f); int(got) != i {
			t.Fatalf("%x (%v) became %04x, want %04x", math.Float32bits(f), f, got, i)
		}
		if got := common.HalfOf(-f); int(got) != i|0x8000 {
			t.Fatalf("%v became %04x, want %04x", -f, got, i|0x8000)
		}
	}
	require.EqualValues(t, 0x7c00, common.HalfOf(float32(math.Inf(1))))
	require.EqualValues(t, 0xfc00, common.HalfOf(float32(math.Inf(-1))))
}

func TestBHalfRounding(t *testing.T) {
	var values []float64
	for i := range 0x7f80 {
		values = append(values, float64(math.Float32frombits(uint32(i)<<16)))
	}
	limit := math.Ldexp(2-math.Pow(2, -8), 127) // half a step above the largest
	for _, f := range roundingCases(values) {
		i, inf := nearest(values, limit, float64(f))
		if inf {
			i = 0x7f80
		}
		if got := common.BHalfOf(f); int(got) != i {
			t.Fatalf("%x (%v) became %04x, want %04x", math.Float32bits(f), f, got, i)
		}
		if got := common.BHalfOf(-f); int(got) != i|0x8000 {
			t.Fatalf("%v became %04x, want %04x", -f, got, i|0x8000)
		}
	}
	// A NaN whose upper half has no bit set must not become infinite.
	for _, bits := range []uint32{0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff} {
		f := common.BHalfOf(math.Float32frombits(bits)).Float32()
		require.True(t, math.IsNaN(float64(f)), "%x", bits)
		require.True(t, math.IsNaN(float64(common.HalfOf(math.Float32frombits(bits)).Float32())), "%x", bits)
	}
}
