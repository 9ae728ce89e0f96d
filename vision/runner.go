// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"image"

	"github.com/anyinfer/anyinfer/common"
)

// Runner runs models on parts of pictures, for tasks that this package does not have, such as
// those of package landmark. It uses the memory of earlier calls again. The zero Runner is
// ready to use, by many goroutines.
type Runner struct{ runner runner }

// Run runs m and calls read with what it makes of img: to returns the map from points of the
// picture to points of the model's input, which has that size. The outputs may be used until
// read returns.
func (r *Runner) Run(ctx context.Context, m Model, in *Input, img image.Image, to func(size image.Point) (Affine, error),
	read func(Outputs) error) error {
	return r.runner.run(ctx, m, in, []image.Image{img}, to, func(f *frame, n int, _ image.Image) error { return read(f.of(n)) })
}

// About returns the signature of a model that tasks run, and the model's metadata. The error
// wraps common.ErrModel if there is no model.
func About(m Model) (common.Signature, map[string]string, error) {
	now := current(m)
	sig, err := firstSignature(now)
	if err != nil {
		return sig, nil, err
	}
	return sig, now.Info().Metadata, nil
}
