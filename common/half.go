// SPDX-License-Identifier: Apache-2.0

package common

import "math"

// Half has the bits of one IEEE 754 binary16 number.
type Half uint16

// BHalf has the bits of one bfloat16 number: the upper half of a float32.
type BHalf uint16

// HalfOf rounds f to the nearest Half, ties to even. Numbers that are too large
// become infinite; a NaN stays a NaN.
func HalfOf(f float32) Half {
	b := math.Float32bits(f)
	sign := Half(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000: // NaN: keep it quiet and non-zero
		return sign | 0x7e00 | Half(b>>13&0x3ff)
	case b >= 0x477ff000: // rounds to 65536 or more
		return sign | 0x7c00
	case b < 0x38800000: // subnormal or zero: let the FPU round at 2^-24
		return sign | Half(math.Float32bits(math.Float32frombits(b)+0.5)-math.Float32bits(0.5))
	}
	b += 0xfff + b>>13&1 // half a unit, less one if the kept bit is even
	return sign | Half((b-0x38000000)>>13)
}

// Float32 returns the same number as a float32, which has every Half exactly.
func (h Half) Float32() float32 {
	sign, exp, frac := uint32(h&0x8000)<<16, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 0:
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// BHalfOf rounds f to the nearest BHalf, ties to even. Numbers that are too large
// become infinite; a NaN stays a NaN.
func BHalfOf(f float32) BHalf {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return BHalf(b>>16) | 0x40
	}
	return BHalf((b + 0x7fff + b>>16&1) >> 16)
}

// Float32 returns the same number as a float32, which has every BHalf exactly.
func (h BHalf) Float32() float32 { return math.Float32frombits(uint32(h) << 16) }

// ToFloat32 converts elements of src to float32 in dst, as many as both slices
// have, and returns that number.
func ToFloat32[T Half | BHalf](dst []float32, src []T) int {
	n := min(len(dst), len(src))
	switch src := any(src).(type) {
	case []Half:
		for i, h := range src[:n] {
			dst[i] = h.Float32()
		}
	case []BHalf:
		for i, h := range src[:n] {
			dst[i] = h.Float32()
		}
	}
	return n
}

// FromFloat32 rounds elements of src into dst as HalfOf and BHalfOf do, as many as
// both slices have, and returns that number.
func FromFloat32[T Half | BHalf](dst []T, src []float32) int {
	n := min(len(dst), len(src))
	switch dst := any(dst).(type) {
	case []Half:
		for i, f := range src[:n] {
			dst[i] = HalfOf(f)
		}
	case []BHalf:
		for i, f := range src[:n] {
			dst[i] = BHalfOf(f)
		}
	}
	return n
}
