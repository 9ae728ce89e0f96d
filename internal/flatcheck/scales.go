// SPDX-License-Identifier: Apache-2.0

package flatcheck

import (
	"math"
	"slices"
)

// validScales reports whether kernels can compute their fixed-point multipliers and
// buffers from the quantization and the types of an operator's tensors, the inputs and
// then the output. Otherwise the kernels would end the process.
func validScales(name string, options Table, all []*tensor) bool {
	in := all[0]
	quantized := in.dtype == int8Type || in.dtype == uint8Type ||
		in.dtype == int16Type && slices.ContainsFunc(all, func(t *tensor) bool { return t.scale() != 0 })
	switch name {
	case "SVDF": // kernels write 16 bits of state, regardless of its type
		return in.dtype != int8Type || len(all) < 6 || all[2].dtype == int16Type && all[4].dtype == int16Type
	case "EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL":
		a, b := in.scale(), all[1].scale()
		return !quantized || a > 0 && a != 1 && b > 0 && b != 1
	case "ADD", "SUB", "SQUARED_DIFFERENCE":
	default:
		return true
	}
	if !quantized && (name != "SUB" || in.dtype != int16Type) {
		return true
	}
	a, b, out := in.scale(), all[1].scale(), all[2].scale()
	bits := 20
	switch {
	case name == "SQUARED_DIFFERENCE":
		bits = 14
	case in.dtype == int16Type:
		bits = 15
	}
	if name == "ADD" && in.dtype == int16Type && options.Int("pot_scale_int16") != 0 && isPowerOfTwo(a) && isPowerOfTwo(b) && isPowerOfTwo(out) &&
		in.elements() != all[1].elements() {
		return false // the kernel for powers of two does not broadcast
	}
	return validMultipliers(name, bits, a, b, out)
}

// validMultipliers reports whether the multipliers of an operator's inputs and its
// output, shifted by bits, are between 0 and 1. It computes them as kernels do.
func validMultipliers(name string, bits int, a, b, out float32) bool {
	twice := float64(2 * max(a, b))
	output := twice
	if name == "SQUARED_DIFFERENCE" {
		output *= twice
	}
	output /= float64(float32(int64(1)<<bits) * out)
	fraction := func(m float64) bool { return m > 0 && m < 1-1e-9 }
	return fraction(float64(a)/twice) && fraction(float64(b)/twice) &&
		(fraction(output) || name == "SUB" && output > 1 && !math.IsInf(output, 0))
}

// isPowerOfTwo reports whether a scale is a power of two, within the kernels' tolerance.
func isPowerOfTwo(scale float32) bool {
	l := math.Log2(float64(scale))
	return math.Abs(l-math.Round(l)) < 2e-3
}

// scale returns the tensor's scale, or 0 if it has none or one for each channel.
func (t *tensor) scale() float32 {
	q, _ := t.Table.Table("quantization")
	if s := q.Vector("scale"); s.Len() == 1 {
		return math.Float32frombits(uint32(s.Int(0)))
	}
	return 0
}
