// SPDX-License-Identifier: Apache-2.0

package mnncheck

import "fmt"

const nhwc = 1

// convertedShape returns the dimensions of a tensor in another format.
func convertedShape(dims []int64, from, to int64) []int64 {
	rank := len(dims)
	switch {
	case from < 0 || to < 0:
		return unknownShape(rank)
	case (from == nhwc) == (to == nhwc) || rank <= 2:
		return dims
	case to == nhwc:
		return append(append(append([]int64{}, dims[0]), dims[2:]...), dims[1])
	default:
		return append(append([]int64{}, dims[0], dims[rank-1]), dims[1:rank-1]...)
	}
}

// channels returns the number of channels of an input, or -1 if it is not known.
func (n *node) channels(i int) int64 {
	dims := n.dims(i)
	switch {
	case len(dims) < 2 || n.in[i].format < 0:
		return -1
	case n.in[i].format == nhwc:
		return dims[len(dims)-1]
	}
	return dims[1]
}

// firstElements returns the elements of v, up to a sanity limit, because many operators
// may share one long vector.
func firstElements(v vector) []int64 {
	all := make([]int64, min(v.Len(), maxNumber))
	for i := range all {
		all[i] = v.Int(int64(i))
	}
	return all
}

// unknownShape returns a shape of rank unknown dimensions.
func unknownShape(rank int) []int64 {
	shape := make([]int64, rank)
	for i := range shape {
		shape[i] = -1
	}
	return shape
}

func unknownShapeIf(known bool, rank int) []int64 {
	if known {
		return unknownShape(rank)
	}
	return nil
}

// dims returns the dimensions of an input: nil if its rank is not known, -1 for an
// unknown dimension.
func (n *node) dims(i int) []int64 {
	if i < len(n.in) {
		return n.in[i].dims
	}
	return nil
}

// setShape sets the dimensions of all outputs.
func (n *node) setShape(dims []int64) {
	for _, t := range n.out {
		t.dims = dims
	}
}

// axis returns a field with the index of a dimension, which must be less than rank.
func (n *node) axis(field string, rank int) (int64, error) {
	a := n.p.Int(field)
	if a < -int64(rank) || a >= int64(rank) {
		return 0, fmt.Errorf("%s is %d for a rank of %d", field, a, rank)
	}
	if a < 0 {
		a += int64(rank)
	}
	return a, nil
}

// ints returns the elements of a constant input.
func (n *node) ints(i int) ([]int64, bool) {
	if i >= len(n.in) || !n.in[i].isConst || n.in[i].constant.Int("dataType") != 3 {
		return nil, false
	}
	v := n.in[i].constant.Vector("int32s")
	if n.in[i].elements() == 0 {
		return nil, true
	}
	if v.Len() > 2*maxRank {
		return nil, false
	}
	return firstElements(v), true
}

// broadcast returns the shape to which the inputs are broadcast.
func (n *node) broadcast() []int64 {
	rank := 0
	for i := range n.in {
		if n.dims(i) == nil {
			return nil
		}
		rank = max(rank, len(n.dims(i)))
	}
	shape := make([]int64, rank)
	for d := range shape {
		shape[d] = 1
		for _, t := range n.in {
			if k := d - rank + len(t.dims); k >= 0 && shape[d] >= 0 && t.dims[k] != 1 {
				shape[d] = t.dims[k]
			}
		}
	}
	return shape
}

// slice checks how an axis is split: into one part for each output, or by slicePoints,
// which are the ends (Caffe), one size (Torch), a number of parts (TensorFlow) or the
// sizes.
func (n *node) slice() error {
	const caffe, tensorFlow, torch = 0, 1, 4
	p, first := n.p, n.dims(0)
	rank := maxRank
	if first != nil {
		rank = len(first)
		n.setShape(unknownShape(rank))
	}
	axis, err := n.axis("axis", rank)
	if err != nil {
		return err
	}
	points, source := firstElements(p.Vector("slicePoints")), p.Int("sourceType")
	if source == caffe && len(points) != len(n.out)-1 {
		return fmt.Errorf("slicePoints has %d elements for %d outputs", len(points), len(n.out))
	}
	for i, d := range points {
		if d < -1 || d == 0 && len(points) == 1 {
			return fmt.Errorf("slicePoints[%d] is %d", i, d)
		}
	}
	if len(n.in) > 1 || source == caffe || len(points) > 1 {
		return nil
	}
	parts := int64(len(n.out))
	if len(points) == 1 && source == tensorFlow {
		parts = points[0]
	}
	if parts < int64(len(n.out)) || first != nil && first[axis] >= 0 && (source == tensorFlow && first[axis]%parts != 0 ||
		source == torch && len(points) == 1 && first[axis] < points[0]*(parts-1)) {
		return fmt.Errorf("slicePoints are %d for %d outputs", points, len(n.out))
	}
	if first != nil && first[axis] >= 0 && source != torch {
		shape := append([]int64{}, first...)
		shape[axis] /= parts
		n.setShape(shape)
	}
	return nil
}

func (n *node) stridedSlice() error {
	p := n.p
	from := p.Int("fromType")
	if err := checkRange("fromType", from, 0, 1); err != nil { // MNN crashes with other values
		return err
	}
	if from == 0 && len(n.in) == 3 {
		return fmt.Errorf("fromType is %d with %d inputs", from, len(n.in))
	}
	rank := int64(maxRank)
	if d := n.dims(0); d != nil {
		rank = int64(len(d))
	}
	for i := 1; i < len(n.in) && (p.Int("fromType") == 1 || len(n.in) < 5); i++ {
		all, ok := n.ints(i)
		if !ok {
			continue
		}
		if int64(len(all)) > maxRank {
			return fmt.Errorf("input %d has %d elements", i, len(all))
		}
		if i == 3 && p.Int("fromType") == 1 {
			for k, a := range all {
				if a < -rank || a >= rank {
					return fmt.Errorf("axes[%d] is %d", k, a)
				}
			}
		}
		if first, ok := n.ints(1); ok && len(first) != len(all) {
			return fmt.Errorf("input %d has %d elements, not %d", i, len(all), len(first))
		}
	}
	return nil
}

// spaceBatch checks the block sizes and the paddings, which are in the parameter or in
// inputs.
func (n *node) spaceBatch() error {
	p := n.p
	n.setShape(unknownShapeIf(n.dims(0) != nil, len(n.dims(0))))
	var blocks, pads []int64
	if len(n.in) == 3 {
		var ok, ok2 bool
		blocks, ok = n.ints(1)
		pads, ok2 = n.ints(2)
		if !ok || !ok2 {
			return nil
		}
	} else {
		if !n.isType("SpaceBatch") || len(n.in) != 1 {
			return fmt.Errorf("it has no parameter")
		}
		for _, name := range []string{"blockShape", "padding"} {
			b, _ := p.Table(name)
			if err := checkBlob(b); err != nil || b.Int("dataType") != 3 || b.Vector("dims").Len() == 0 {
				return fmt.Errorf("%s is not a valid Blob of int32", name)
			}
		}
		b, _ := p.Table("blockShape")
		blocks = firstElements(b.Vector("int32s"))
		b, _ = p.Table("padding")
		pads = firstElements(b.Vector("int32s"))
	}
	if len(blocks) > maxRank-2 || len(pads) < 2*len(blocks) || n.dims(0) != nil && len(blocks) > len(n.dims(0))-2 {
		return fmt.Errorf("it has %d block sizes and %d paddings", len(blocks), len(pads))
	}
	for i, b := range blocks {
		if err := checkRange(fmt.Sprintf("block %d", i), b, 1, maxNumber); err != nil {
			return err
		}
	}
	for i, d := range pads {
		if err := checkRange(fmt.Sprintf("padding %d", i), d, -maxNumber, maxNumber); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) gather() error {
	if len(n.in) == 1 {
		if !n.isType("Input") && !n.isType("Convolution2D") {
			return fmt.Errorf("it has no parameter")
		}
		return nil
	}
	if err := n.checkInts(2, 1); err != nil {
		return err
	}
	limit := int64(maxRank)
	first, second := n.dims(0), n.dims(1)
	if first != nil {
		limit = int64(len(first))
	}
	if n.isType("Axis") {
		if a := n.p.Int("axis"); a <= -limit && a != 0 || a >= limit {
			return fmt.Errorf("axis is %d", a)
		}
	}
	if first != nil && second != nil {
		if rank := len(first) + len(second) - 1; rank > maxRank {
			return fmt.Errorf("its output has %d dimensions", rank)
		} else if rank >= 0 {
			n.setShape(unknownShape(rank))
		}
	}
	return nil
}

// checkInts checks an input that MNN reads while it infers shapes. It must have at least
// min int32 elements, if the type and the number are known.
func (n *node) checkInts(i, min int) error {
	if i >= len(n.in) {
		return nil
	}
	if t := n.in[i].dtype; t >= 0 && t != int32Type {
		return fmt.Errorf("input %d has elements of type %d", i, t)
	}
	if have := n.in[i].elements(); have >= 0 && have < int64(min) {
		return fmt.Errorf("input %d has %d elements", i, have)
	}
	return nil
}

func (n *node) padding() error {
	first := n.dims(0)
	n.setShape(unknownShapeIf(first != nil, len(first)))
	mode := n.p.Int("mode")
	if mode < 0 {
		return fmt.Errorf("mode is %d", mode)
	}
	if err := n.checkInts(1, 2*len(first)); err != nil {
		return err
	}
	pads, _ := n.ints(1)
	for i, d := range pads {
		size := int64(-1)
		if i/2 < len(first) {
			size = first[i/2]
		}
		switch {
		case d < -maxNumber || d > maxNumber, size >= 0 && -d > size, size >= 0 && mode == 1 && d >= max(size, 1), size >= 0 && mode == 2 && d > size:
			return fmt.Errorf("padding %d is %d", i, d)
		}
	}
	return nil
}
