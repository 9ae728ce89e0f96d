// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"image"

	"github.com/anyinfer/anyinfer/common"
)

// Runner runs models on parts of pictures for tasks of other packages, and uses the memory of
// earlier calls again. The zero Runner is ready to use, by many goroutines.
type Runner struct{ runner runner }

// Run runs m and calls read with what it makes of each picture in turn, which may be used until
// read returns. to returns the map from points of a picture to points of the model's input, which
// has that size; nil: in says how pictures become that. Where the model takes any number of
// pictures, it takes at most 16 at a time.
func (r *Runner) Run(ctx context.Context, m Model, in *Input, imgs []image.Image, to func(size image.Point) (Affine, error),
	read func(Outputs) error) error {
	return r.runner.run(ctx, m, in, imgs, to, func(f *frame, n int, _ image.Image) error { return read(f.of(n)) })
}

// Sides returns the width and height of the pictures that an input of four
// dimensions takes; 0: any.
func (in *Input) Sides(info common.TensorInfo) (width, height int) {
	_, y := in.layout(info.Shape).axes()
	return max(info.Shape[y+1], 0), max(info.Shape[y], 0)
}

// About returns the signature of m that tasks run, and its metadata; an error if there is no model.
func About(m Model) (sig common.Signature, metadata map[string]string, err error) {
	now := current(m)
	if sig, err = firstSignature(now); err == nil {
		metadata = now.Info().Metadata
	}
	return sig, metadata, err
}
