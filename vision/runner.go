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

// Run runs m and calls read with what it makes of img, which may be used until read returns. to
// returns the map from points of the picture to points of the model's input, which has that size.
func (r *Runner) Run(ctx context.Context, m Model, in *Input, img image.Image, to func(size image.Point) (Affine, error),
	read func(Outputs) error) error {
	return r.runner.run(ctx, m, in, []image.Image{img}, to, func(f *frame, n int, _ image.Image) error { return read(f.of(n)) })
}

// About returns the signature of m that tasks run, and its metadata; an error if there is no model.
func About(m Model) (sig common.Signature, metadata map[string]string, err error) {
	now := current(m)
	if sig, err = firstSignature(now); err == nil {
		metadata = now.Info().Metadata
	}
	return sig, metadata, err
}
