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
	Batch    int          // lines at a time, at most 16, where the model takes any number; 0: 6 (cls_batch_num)

	runner vision.Runner
}

// NewDirection returns a Direction for a model with an output of two numbers. Otherwise the
// error wraps common.ErrModel and says what the model has.
func NewDirection(m vision.Model) (*Direction, error) {
	d := &Direction{Model: m, Input: input}
	d.Input.Fit = vision.LetterboxLine
	sig, _, err := about(m, 2)
	if err == nil && sig.Outputs[0].Shape[1] > 0 && sig.Outputs[0].Shape[1] != 2 {
		err = fail(common.ErrModel, "the model has the output %v; want two numbers, for 0 and 180 degrees", sig.Outputs[0])
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
	size := func(w, h int, _ float64) image.Point {
		return image.Pt(cmp.Or(w, d.Input.Size.X, 192), cmp.Or(h, d.Input.Size.Y, 48))
	}
	return batches(ctx, &d.runner, d.Model, d.Input, strips, d.Batch, size, func(out vision.Outputs, _, s int) error {
		scores, _, err := out.Floats(0, 1)
		if err == nil && len(scores) != 2 {
			err = fail(common.ErrShape, "the output has %d numbers for each line, not two", len(scores))
		}
		if err == nil && scores[1] > scores[0] && scores[1] > cmp.Or(d.MinScore, 0.9) {
			strips[s].turns += 2
		}
		return err
	})
}
