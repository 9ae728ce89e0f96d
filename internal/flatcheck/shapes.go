// SPDX-License-Identifier: Apache-2.0

package flatcheck

import (
	"fmt"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// shapes checks the shapes in the file that kernels or XNNPACK use before they check
// them. Dynamic dimensions are known only at run time.
func (s *scope) shapes(op Table, k operator, inputs, outputs Vector) error {
	var all []*tensor // inputs, then the output
	for i := range inputs.Len() {
		if inputs.Int(i) >= 0 {
			all = append(all, &s.tensors[inputs.Int(i)])
		}
	}
	if len(all) == 0 || outputs.Len() == 0 || outputs.Int(0) < 0 {
		return nil
	}
	out := &s.tensors[outputs.Int(0)]
	in := all[0]
	all = append(all, out)
	if slices.ContainsFunc(all, (*tensor).isUnknown) {
		return nil
	}
	dynamic := slices.ContainsFunc(all, (*tensor).dynamic)
	fits := true
	switch k.name {
	case "CONV_2D", "DEPTHWISE_CONV_2D":
		filter := all[1]
		if fits = in.shape.Len() == 4 && filter.shape.Len() == 4 && out.shape.Len() == 4; !fits {
			break
		}
		switch i, f, o := in.dim(3), filter.dim(3), out.dim(3); {
		case min(i, f, o) < 0:
		case k.name == "CONV_2D":
			fits = f > 0 && i >= f && i%f == 0 && o%(i/f) == 0 && o == filter.dim(0)
		default:
			fits = i > 0 && o%i == 0 && o == f
		}
		// The size of the kernel's result depends on the input, not on the output's shape.
		o, atLeast1 := options(op), func(n int64) int64 { return max(n, 1) }
		n := atLeast1(out.dim(3)) * atLeast1(in.dim(0)) * atLeast1(in.dim(1)/atLeast1(o.Int("stride_h"))) * atLeast1(in.dim(2)/atLeast1(o.Int("stride_w")))
		if n > math.MaxInt32 {
			return flatbuf.Unsupported(fmt.Sprintf(": its output has more than %d elements", math.MaxInt32))
		}
	case "UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_RNN":
		fits = in.shape.Len() == 3
	case "CONCATENATION":
		fits = isConcatenation(all[:len(all)-1], out, options(op).Int("axis"))
	case "PAD", "PADV2", "MIRROR_PAD":
		fits = isPadded(all)
	case "RESHAPE", "SQUEEZE", "EXPAND_DIMS":
		fits = dynamic || in.elements() == out.elements()
	case "STRIDED_SLICE":
		fits = dynamic || isStridedSlice(options(op), all)
	default:
		fits = !k.elementwise || isBroadcast(all[:len(all)-1], out)
	}
	if !fits {
		return fmt.Errorf(": the shapes of its tensors do not fit")
	}
	if !validScales(k.name, options(op), all) {
		return fmt.Errorf(": the quantization of its tensors does not fit")
	}
	return nil
}

// options returns an operator's builtin options.
func options(op Table) Table { o, _ := op.Table("builtin_options"); return o }

// dim returns dimension d, or -1 if it is dynamic.
func (t *tensor) dim(d int64) int64 {
	if sig := t.Vector("shape_signature"); sig.Len() != 0 {
		return sig.Int(d)
	}
	return t.shape.Int(d)
}

// dynamic reports whether a dimension is known only at run time.
func (t *tensor) dynamic() bool {
	for d := range t.shape.Len() {
		if t.dim(d) < 0 {
			return true
		}
	}
	return false
}

// isConcatenation reports whether out has the shape of the inputs joined along axis.
func isConcatenation(in []*tensor, out *tensor, axis int64) bool {
	if axis < 0 {
		axis += out.shape.Len()
	}
	if axis < 0 || axis >= out.shape.Len() {
		return false
	}
	remaining := out.dim(axis)
	for _, t := range in {
		if t.shape.Len() != out.shape.Len() {
			return false
		}
		for d := range out.shape.Len() {
			switch n := t.dim(d); {
			case d != axis:
				if n != out.dim(d) && min(n, out.dim(d)) >= 0 {
					return false
				}
			case n < 0 || remaining < 0:
				return true // the length is known only at run time
			default:
				if remaining -= n; remaining < 0 {
					return false
				}
			}
		}
	}
	return remaining <= 0
}

// isBroadcast reports whether out has the shape to which the inputs are broadcast.
func isBroadcast(in []*tensor, out *tensor) bool {
	for d := int64(1); d <= out.shape.Len(); d++ { // from the last
		want := int64(1)
		for _, t := range in {
			if d > t.shape.Len() {
				continue
			}
			n := t.dim(t.shape.Len() - d)
			if n >= 0 && n != 1 && want > 1 && n != want {
				return false
			}
			if n < 0 || n != 1 && want >= 0 {
				want = n
			}
		}
		if n := out.dim(out.shape.Len() - d); n != want && min(n, want) >= 0 {
			return false
		}
	}
	return !slices.ContainsFunc(in, func(t *tensor) bool { return t.shape.Len() > out.shape.Len() })
}

// isPadded reports whether the output has the shape of the input with its paddings, a
// pair for each dimension.
func isPadded(all []*tensor) bool {
	in, out := all[0], all[len(all)-1]
	pads, _ := all[1].ints()
	if pads == nil {
		return true
	}
	if int64(len(pads)) != 2*in.shape.Len() || in.shape.Len() != out.shape.Len() {
		return false
	}
	for d := range in.shape.Len() {
		if n, o := in.dim(d), out.dim(d); min(n, o) >= 0 && n+pads[2*d]+pads[2*d+1] != o {
			return false
		}
	}
	return true
}

// isStridedSlice reports whether the output has the shape of the slice that
// STRIDED_SLICE takes.
func isStridedSlice(o Table, all []*tensor) bool {
	in, out := all[0], all[4]
	begin, _ := all[1].ints()
	end, _ := all[2].ints()
	step, _ := all[3].ints()
	n := all[1].shape.Len()
	if n != 1 || all[2].shape.Len() != 1 || all[3].shape.Len() != 1 {
		return false
	}
	n = all[1].shape.Int(0)
	if n != all[2].shape.Int(0) || n != all[3].shape.Int(0) || n > maxRank {
		return false
	}
	if begin == nil || end == nil || step == nil || o.Int("new_axis_mask")|o.Int("ellipsis_mask") != 0 {
		return true // not checked
	}
	if n > in.shape.Len() {
		return false
	}
	var shape []int64
	for d := range in.shape.Len() {
		size := in.shape.Int(d)
		if d >= n {
			shape = append(shape, size)
			continue
		}
		b, e, s, bit := begin[d], end[d], step[d], int64(1)<<d
		if s == 0 {
			return false
		}
		if o.Int("offset") != 0 {
			e += b
		}
		low, high := int64(0), size
		first, last := low, high
		if s < 0 {
			low, high = -1, size-1
			first, last = high, low
		}
		clamp := func(i, all int64, mask string) int64 {
			if o.Int(mask)&bit != 0 {
				return all
			}
			if i < 0 {
				i += size
			}
			return max(low, min(i, high))
		}
		b = clamp(b, first, "begin_mask")
		if o.Int("shrink_axis_mask")&bit != 0 {
			if b < 0 || b >= size {
				return false
			}
			continue
		}
		e = clamp(e, last, "end_mask")
		if s > 0 {
			shape = append(shape, max(0, (e-b+s-1)/s))
		} else {
			shape = append(shape, max(0, (e-b+s+1)/s))
		}
	}
	if int64(len(shape)) != out.shape.Len() {
		return false
	}
	for d, n := range shape {
		if out.shape.Int(int64(d)) != n {
			return false
		}
	}
	return true
}
