// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
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

// pictureSize returns the size of the pictures that a model takes, with 0 for what is
// dynamic, and the layout; ok is false if no input takes pictures in color.
func pictureSize(sig common.Signature) (size image.Point, layout Layout, ok bool) {
	at := pictureInput(sig)
	if at < 0 {
		return size, layout, false
	}
	s := sig.Inputs[at].Shape
	if layout = new(Input).layout(s); layout == NHWC {
		s = common.Shape{s[0], s[3], s[1], s[2]}
	}
	return image.Pt(max(s[3], 0), max(s[2], 0)), layout, s[1] == 3
}

// same returns three times v, for Input's Mean and Std.
func same(v float32) [3]float32 { return [3]float32{v, v, v} }

// ImageNet's mean and standard deviation, for values of 0..255.
var imageNetMean, imageNetStd = [3]float32{123.675, 116.28, 103.53}, [3]float32{58.395, 57.12, 57.375}

// quantized returns the recipe of a quantized input, whose integers are those of the
// picture, less 128 if they have a sign.
func quantized(in Input, info common.TensorInfo) Input {
	if q := info.Quant; q != nil && len(q.Scale) == 1 && q.Scale[0] != 0 && (info.DType == common.Uint8 || info.DType == common.Int8) {
		var zero float32
		if len(q.ZeroPoint) > 0 {
			zero = float32(q.ZeroPoint[0])
		}
		if info.DType == common.Int8 {
			zero += 128
		}
		in.Mean, in.Std = same(zero), same(1/q.Scale[0])
	}
	return in
}

// logit is the inverse of sigmoid.
func logit(p float32) float32 {
	q := max(float64(p), 0)
	return float32(math.Log(q / (1 - q)))
}

// picture runs a model on one picture. The caller gives the frame back.
func (r *runner) picture(ctx context.Context, m *common.Model, in *Input, img image.Image) (*frame, error) {
	f, err := r.take(m, in, 1)
	if err != nil {
		return nil, err
	}
	if f.backs[0], err = in.Fill(f.input, f.quant, 0, img); err == nil {
		err = f.run(ctx, m)
	}
	if err != nil {
		r.give(f)
		return nil, err
	}
	return f, nil
}

// unrecognized returns the error of a New function for a model that is not of its task.
func unrecognized(m *common.Model, wanted string) error {
	t, err := New(m)
	if err != nil {
		return err
	}
	return otherTask(wanted, t)
}
