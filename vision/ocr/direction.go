// SPDX-License-Identifier: Apache-2.0

package ocr

import (
	"cmp"
	"context"
	"image"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

// Direction tells whether lines of text are upside down, with a classifier of 0 and 180
// degrees. NewDirection fills the fields; they may be changed before the first call. The
// defaults are those of RapidOCR. Many goroutines may call it.
type Direction struct {
	Model    vision.Model
	Input    vision.Input // with a Size of 0,0 and an input of any size: 192 by 48 (cls_image_shape)
	MinScore float32      // a line is upside down if the score of that is larger; 0: 0.9 (cls_thresh)
	Batch    int          // lines at a time, where the model takes any number; 0: 6 (cls_batch_num)

	runner runner
}

// NewDirection returns a Direction for a model with an output of two numbers. Otherwise the
// error wraps common.ErrModel and says what the model has.
func NewDirection(m vision.Model) (*Direction, error) {
	d := &Direction{Model: m, Input: input}
	d.Input.Fit = vision.LetterboxLine
	f, err := newFrame(m, &d.Input, 2)
	if err == nil && f.results.Shape[1] > 0 && f.results.Shape[1] != 2 {
		err = fail(common.ErrModel, "the model has the output %s; want two numbers, for 0 and 180 degrees",
			describe([]common.TensorInfo{f.results}))
	}
	return d, err
}

// UpsideDown reports whether a picture of a line is upside down.
func (d *Direction) UpsideDown(ctx context.Context, img image.Image) (bool, error) {
	if err := check(img); err != nil {
		return false, err
	}
	strips := []strip{whole(img)}
	err := d.turn(ctx, strips)
	return strips[0].turns == 2, err
}

// turn turns the strips that are upside down.
func (d *Direction) turn(ctx context.Context, strips []strip) error {
	size := func(w, h int, _ float64) (int, int) {
		return cmp.Or(max(w, 0), d.Input.Size.X, 192), cmp.Or(max(h, 0), d.Input.Size.Y, 48)
	}
	return batches(ctx, &d.runner, d.Model, &d.Input, strips, d.Batch, size, func(f *frame, some []int) error {
		out, shape, err := f.outputs(2)
		if err == nil && shape[1] != 2 {
			err = fail(common.ErrShape, "the output has the shape %v; want two numbers a line", shape)
		}
		for i := 0; i < len(some) && err == nil; i++ {
			out.N = i
			var scores []float32
			if scores, _, err = out.Floats(0, 1); err == nil && scores[1] > scores[0] && scores[1] > cmp.Or(d.MinScore, 0.9) {
				strips[some[i]].turns += 2
			}
		}
		return err
	})
}
