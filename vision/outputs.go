// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"cmp"
	"image"
	"math"

	"github.com/anyinfer/anyinfer/common"
)

// rows returns the rows of output i that belong to the picture, of columns numbers each.
// The caller frees the array.
func (o Outputs) rows(i, columns int) (array, error) {
	a, err := o.array(i, 2)
	if err == nil && a.dims[1] != columns {
		a.free()
		return a, fail(common.ErrShape, "output %d has the shape %v, not rows of %d numbers", i, o.Tensors[i].Shape(), columns)
	}
	return a, err
}

// all returns output i for the picture, without the first dimension, which counts
// pictures. The caller frees the array.
func (o Outputs) all(i int) (array, error) {
	if i < 0 || i >= len(o.Tensors) {
		return o.array(i, 1)
	}
	shape := o.Tensors[i].Shape()
	if len(shape) < 2 || len(shape) > 4 {
		return array{}, fail(common.ErrShape, "output %d has the shape %v, of which 2 to 4 dimensions are expected", i, shape)
	}
	return o.array(i, len(shape)-1)
}

// pair returns scores and boxes, in outputs with so many numbers a row, which have as
// many rows. The caller frees the arrays.
func (o Outputs) pair(scores, scoreColumns, boxes, boxColumns int) (s, b array, err error) {
	if s, err = o.rows(scores, scoreColumns); err != nil {
		return s, b, err
	}
	if b, err = o.rows(boxes, boxColumns); err == nil && s.dims[0] != b.dims[0] {
		b.free()
		err = fail(common.ErrShape, "output %d has %d scores, but output %d has %d boxes", scores, s.dims[0], boxes, b.dims[0])
	}
	if err != nil {
		s.free()
	}
	return s, b, err
}

// rowCount returns how many rows of columns numbers an output has for a picture: -1 if
// that is dynamic, 0 if its rows are not of so many numbers.
func rowCount(info common.TensorInfo, columns int) int {
	n, last := 1, len(info.Shape)-1
	if last < 1 || info.Shape[last] != columns {
		return 0
	}
	for i, d := range info.Shape[:last] {
		switch {
		case i == 0 && last > 1: // the batch
		case d < 0:
			return -1
		default:
			n *= d
		}
	}
	return n
}

// withRows returns the indexes of the outputs that have rows of columns numbers.
func withRows(sig common.Signature, columns int) (all []int) {
	for i, info := range sig.Outputs {
		if rowCount(info, columns) != 0 {
			all = append(all, i)
		}
	}
	return all
}

// colorInput returns the input that takes pictures in color, their size, with 0 for what
// is dynamic, and the layout.
func colorInput(sig common.Signature) (info common.TensorInfo, size image.Point, layout Layout, ok bool) {
	at := pictureInput(sig)
	if at < 0 {
		return info, size, layout, false
	}
	info = sig.Inputs[at]
	channels := 1
	if layout = new(Input).layout(info.Shape); layout == NHWC {
		channels = 3
	}
	size.X, size.Y, _ = pictureSize(info, nil)
	return info, size, layout, info.Shape[channels] == 3
}

// sizeOr returns size, with side where the model takes any.
func sizeOr(size image.Point, side int) image.Point {
	return image.Pt(cmp.Or(size.X, side), cmp.Or(size.Y, side))
}

// same returns three times v, for Input's Mean and Std.
func same(v float32) [3]float32 { return [3]float32{v, v, v} }

// logit is the inverse of sigmoid.
func logit(p float32) float32 {
	q := max(float64(p), 0)
	return float32(math.Log(q / (1 - q)))
}
