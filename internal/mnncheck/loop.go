// SPDX-License-Identifier: Apache-2.0

package mnncheck

import (
	"fmt"
	"math"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// loop checks a LoopParam: commands on parts of tensors. It numbers the operator's
// inputs and outputs. A command must not read or write outside of these tensors.
func (n *node) loop() error {
	p := n.p
	count := p.Int("tensorNumber")
	if count < 0 || count > int64(len(n.in)+len(n.out)) {
		return fmt.Errorf("tensorNumber is %d", count)
	}
	tensors := make([]*tensor, count)
	if err := n.outputShapes(); err != nil {
		return err
	}
	for _, side := range []struct {
		field string
		list  []*tensor
	}{{"inputIndexes", n.in}, {"outputIndexes", n.out}} {
		v := p.Vector(side.field)
		if v.Len() != int64(len(side.list)) {
			return fmt.Errorf("%s has %d elements for %d tensors", side.field, v.Len(), len(side.list))
		}
		for i, t := range side.list {
			k := v.Int(int64(i))
			if k < 0 || k >= count {
				return fmt.Errorf("%s[%d] is %d, which is not one of %d", side.field, i, k, count)
			}
			tensors[k] = t
		}
	}
	if times := p.Int("loopNumber"); times < 0 || times > maxElements {
		return fmt.Errorf("loopNumber is %d", times)
	}
	if !p.Has("commands") {
		return fmt.Errorf("it has no commands")
	}
	for _, field := range []string{"initCommand", "commands"} {
		v := p.Vector(field)
		for i := range v.Len() {
			if err := n.command(v.Table(i), tensors, field == "initCommand"); err != nil {
				return fmt.Errorf("%s[%d]: %w", field, i, err)
			}
		}
	}
	return nil
}

// outputShapes sets the outputs' shapes from the parameter.
func (n *node) outputShapes() error {
	v := n.p.Vector("extraTensorInfos")
	if !n.p.Has("extraTensorInfos") || v.Len() < int64(len(n.out)) {
		return fmt.Errorf("extraTensorInfos has %d elements for %d outputs", v.Len(), len(n.out))
	}
	for i, t := range n.out {
		b, kind := v.Table(int64(i)).Table("blob")
		if kind == 0 {
			return fmt.Errorf("extraTensorInfos[%d] has no blob", i)
		}
		if _, err := elements(b.Vector("dims"), 0); err != nil {
			return fmt.Errorf("extraTensorInfos[%d]: %w", i, err)
		}
		t.dims, t.format, t.dtype = firstElements(b.Vector("dims")), layout(b.Int("dataFormat")), elementType(b.Int("dataType"))
	}
	return nil
}

// command checks a command of a loop. Its operand k is the tensor indexes[k], seen
// through view[k], which iteration i moves by i*steps[k], or by steps[k] times element i
// of the tensor iterIndexes[k].
func (n *node) command(c table, tensors []*tensor, first bool) error {
	op, kind := c.Table("op")
	indexes, views, steps, iters := c.Vector("indexes"), c.Vector("view"), c.Vector("steps"), c.Vector("iterIndexes")
	at := func(i int64) (*tensor, error) {
		if k := indexes.Int(i); k >= 0 && k < int64(len(tensors)) && tensors[k] != nil {
			return tensors[k], nil
		}
		return nil, fmt.Errorf("indexes[%d] is %d", i, indexes.Int(i))
	}
	if kind == 0 {
		if !first || indexes.Len() < 1 {
			return fmt.Errorf("it has no op")
		}
		_, err := at(0)
		return err
	}
	operands, isProduct := int64(2), false
	if !first {
		p, _ := op.Table("main")
		name := ""
		if l := p.Layout(); l != nil {
			name = l.Name
		}
		k := operators()[op.Int("type")].name
		switch {
		case k == "UnaryOp" && name == "":
		case k == "UnaryOp" && name == "UnaryOp":
			if err := checkRange("opType", p.Int("opType"), 0, lastUnary); err != nil { // in a loop MNN crashes on unknown types
				return err
			}
		case k == "BinaryOp" && name == "BinaryOp":
			if t := p.Int("opType"); !isBinary(t, -1) {
				return fmt.Errorf("opType is %d", t)
			} else if err := checkRange("opType", t, 0, lastBinary); err != nil {
				return err
			}
			operands = 3
		case k == "MatMul" && name == "MatMul":
			operands, isProduct = 3, true
		default:
			return fmt.Errorf("its operator is %q with a parameter %q", k, name)
		}
	}
	if err := checkRange("fuse", c.Int("fuse"), -1, lastBinary); err != nil {
		return err
	}
	size := c.Vector("size")
	if size.Len() != 3 {
		return fmt.Errorf("size has %d dimensions", size.Len())
	}
	total := int64(1)
	for i := range size.Len() {
		d := size.Int(i)
		if d < 0 || d > maxElements {
			return fmt.Errorf("size[%d] is %d", i, d)
		}
		if total *= max(d, 1); total > maxElements {
			return flatbuf.Unsupported(fmt.Sprintf("size is more than %d", maxElements))
		}
	}
	if indexes.Len() < operands || views.Len() < indexes.Len() || indexes.Len() > 8 {
		return fmt.Errorf("it has %d indexes and %d views", indexes.Len(), views.Len())
	}
	if !first && (iters.Len() < indexes.Len() || steps.Len() < indexes.Len() || iters.Len() > indexes.Len()) {
		return fmt.Errorf("it has %d iterIndexes, %d steps and %d indexes", iters.Len(), steps.Len(), indexes.Len())
	}
	for i := range indexes.Len() {
		t, err := at(i)
		if err != nil {
			return err
		}
		view := views.Table(i)
		if view.Vector("stride").Len() != 3 {
			return fmt.Errorf("view[%d] has %d strides", i, view.Vector("stride").Len())
		}
		low, high := view.Int("offset"), view.Int("offset")
		span := func(n, stride int64) {
			if d := (n - 1) * stride; n > 0 && d < 0 {
				low = max(low+d, math.MinInt32) // outside any tensor
			} else if n > 0 {
				high = min(high+d, math.MaxInt32)
			}
		}
		e, l, h := size.Int(0), size.Int(1), size.Int(2)
		switch {
		case !isProduct:
			for d := range int64(3) {
				span(size.Int(d), view.Vector("stride").Int(d))
			}
		case i < 4: // whole matrices: the product, the two factors, the bias
			span([]int64{e * h, e * l, l * h, h}[i], 1)
		}
		if !first {
			k := iters.Int(i)
			if k < -1 || k >= int64(len(tensors)) || k >= 0 && tensors[k] == nil {
				return fmt.Errorf("iterIndexes[%d] is %d", i, k)
			}
			if k >= 0 {
				continue // the values that move the view are known only at run time
			}
			span(n.p.Int("loopNumber"), steps.Int(i))
		}
		all := t.elements()
		if all >= 0 && (low < 0 || high >= all) && total > 0 && n.p.Int("loopNumber") > 0 {
			return fmt.Errorf("view[%d] has elements %d to %d of a tensor of %d", i, low, high, all)
		}
	}
	return nil
}

// elements returns the number of elements, or -1 if it is not known.
func (t *tensor) elements() int64 {
	if t.dims == nil {
		return -1
	}
	n := int64(1)
	for _, d := range t.dims {
		if d < 0 || n > maxElements {
			return -1
		}
		n *= d
	}
	return n
}

// raster checks a Raster in the file: the regions of its inputs and its output.
func (n *node) raster() error {
	attributes := n.p.Vector("attr")
	if !n.p.Has("attr") {
		return fmt.Errorf("it has no attr")
	}
	n.out[0].format = -1
	var regions []int64
	for i := range attributes.Len() {
		a := attributes.Table(i)
		list, kind := a.Table("list")
		switch key := a.Text("key"); {
		case !a.Has("key") || kind == 0 && (key == "shape" || key == "region"):
			return fmt.Errorf("attr[%d] has no key or no list", i)
		case key == "shape":
			if _, err := elements(list.Vector("i"), 0); err != nil {
				return err
			}
			n.setShape(firstElements(list.Vector("i")))
		case key == "region":
			regions = firstElements(list.Vector("i"))
		case key == "code" && (a.Int("i") < 0 || a.Int("i") > 4), key == "bits" && a.Int("i") != 8 && a.Int("i") != 16 && a.Int("i") != 32:
			return fmt.Errorf("%s is %d", key, a.Int("i"))
		}
	}
	if len(regions) != 11*len(n.in) {
		return fmt.Errorf("region has %d elements for %d inputs", len(regions), len(n.in))
	}
	for i, t := range n.in {
		r := regions[11*i:]
		for side, all := range []int64{t.elements(), n.out[0].elements()} {
			view := r[4*side:]
			low, high := view[0], view[0]
			for d := range 3 {
				size := r[8+d]
				if size < 1 || size > maxElements {
					return fmt.Errorf("region %d has size %d", i, size)
				}
				if step := (size - 1) * view[1+d]; step < 0 {
					low = max(low+step, math.MinInt32) // outside any tensor
				} else {
					high = min(high+step, math.MaxInt32)
				}
			}
			if low < 0 || all >= 0 && high >= all {
				return fmt.Errorf("region %d has elements %d to %d of a tensor of %d", i, low, high, all)
			}
		}
	}
	return nil
}
