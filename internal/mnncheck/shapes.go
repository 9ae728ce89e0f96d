// SPDX-License-Identifier: Apache-2.0

package mnncheck

import "fmt"

const nhwc = 1

// converted are the dimensions of a tensor in another format.
func converted(dims []int64, from, to int64) []int64 {
	rank := len(dims)
	switch {
	case from < 0 || to < 0:
		return unknown(rank)
	case (from == nhwc) == (to == nhwc) || rank <= 2:
		return dims
	case to == nhwc:
		return append(append(append([]int64{}, dims[0]), dims[2:]...), dims[1])
	default:
		return append(append([]int64{}, dims[0], dims[rank-1]), dims[1:rank-1]...)
	}
}

// channels is that of an input, or -1.
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

// numbers are the elements of v; the first ones of more than make sense, as
// many operators can share one vector.
func numbers(v vector) []int64 {
	all := make([]int64, min(v.Len(), maxNumber))
	for i := range all {
		all[i] = v.Int(int64(i))
	}
	return all
}

// unknown is a shape of so many dimensions.
func unknown(rank int) []int64 {
	shape := make([]int64, rank)
	for i := range shape {
		shape[i] = -1
	}
	return shape
}

func unknownIf(known bool, rank int) []int64 {
	if known {
		return unknown(rank)
	}
	return nil
}

// dims are an input's: nil where they are not known, -1 for one that is not.
func (n *node) dims(i int) []int64 {
	if i < len(n.in) {
		return n.in[i].dims
	}
	return nil
}

// result sets the dimensions of all outputs.
func (n *node) result(dims []int64) {
	for _, t := range n.out {
		t.dims = dims
	}
}

// axis is a field that is a dimension of so many.
func (n *node) axis(field string, rank int) (int64, error) {
	a := n.p.Int(field)
	if a < -int64(rank) || a >= int64(rank) {
		return 0, fmt.Errorf("%s is %d of %d", field, a, rank)
	}
	if a < 0 {
		a += int64(rank)
	}
	return a, nil
}

// ints are the elements of an input that is a constant.
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
	return numbers(v), true
}

// broadcast is the shape that all inputs make together.
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

// slice checks how an axis is cut: into as many parts as there are outputs, or
// where slicePoints tell, which are ends (of Caffe), one size (of Torch), a
// number of parts (of TensorFlow) or sizes.
func (n *node) slice() error {
	const caffe, tensorFlow, torch = 0, 1, 4
	p, first := n.p, n.dims(0)
	rank := maxRank
	if first != nil {
		rank = len(first)
		n.result(unknown(rank))
	}
	axis, err := n.axis("axis", rank)
	if err != nil {
		return err
	}
	points, source := numbers(p.Vector("slicePoints")), p.Int("sourceType")
	if source == caffe && len(points) != len(n.out)-1 {
		return fmt.Errorf("slicePoints are %d for %d outputs", len(points), len(n.out))
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
		n.result(shape)
	}
	return nil
}

func (n *node) stridedSlice() error {
	p := n.p
	from := p.Int("fromType")
	if err := between("fromType", from, 0, 1); err != nil { // with others MNN crashes
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

// spaceBatch checks the sizes of blocks and the paddings, which are in
// parameters or inputs.
func (n *node) spaceBatch() error {
	p := n.p
	n.result(unknownIf(n.dims(0) != nil, len(n.dims(0))))
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
			if err := blob(b); err != nil || b.Int("dataType") != 3 || b.Vector("dims").Len() == 0 {
				return fmt.Errorf("%s is damaged", name)
			}
		}
		b, _ := p.Table("blockShape")
		blocks = numbers(b.Vector("int32s"))
		b, _ = p.Table("padding")
		pads = numbers(b.Vector("int32s"))
	}
	if len(blocks) > maxRank-2 || len(pads) < 2*len(blocks) || n.dims(0) != nil && len(blocks) > len(n.dims(0))-2 {
		return fmt.Errorf("blocks are %d, paddings %d", len(blocks), len(pads))
	}
	for i, b := range blocks {
		if err := between(fmt.Sprintf("block %d", i), b, 1, maxNumber); err != nil {
			return err
		}
	}
	for i, d := range pads {
		if err := between(fmt.Sprintf("padding %d", i), d, -maxNumber, maxNumber); err != nil {
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
	if err := n.content(2, 1); err != nil {
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
			n.result(unknown(rank))
		}
	}
	return nil
}

// content checks an input that MNN reads while it infers shapes: it has at
// least so many int32, as far as that is known.
func (n *node) content(i, least int) error {
	if i >= len(n.in) {
		return nil
	}
	if t := n.in[i].dtype; t >= 0 && t != int32Type {
		return fmt.Errorf("input %d has elements of type %d", i, t)
	}
	if have := n.in[i].elements(); have >= 0 && have < int64(least) {
		return fmt.Errorf("input %d has %d elements", i, have)
	}
	return nil
}

func (n *node) padding() error {
	first := n.dims(0)
	n.result(unknownIf(first != nil, len(first)))
	mode := n.p.Int("mode")
	if mode < 0 {
		return fmt.Errorf("mode is %d", mode)
	}
	if err := n.content(1, 2*len(first)); err != nil {
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
