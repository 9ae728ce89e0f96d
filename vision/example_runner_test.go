// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"context"
	"image"

	"github.com/anyinfer/anyinfer/vision"
)

// A Runner is the part of a task that runs its model: here on the left half of a picture.
func ExampleRunner() {
	var runner vision.Runner
	in := vision.Input{Std: [3]float32{255, 255, 255}}
	numbers := func(ctx context.Context, m vision.Model, photo image.Image) (all []float32, err error) {
		half := photo.Bounds().Size().Div(2)
		left := func(size image.Point) (vision.Affine, error) {
			return vision.Affine{float32(size.X) / float32(half.X), 0, 0, 0, float32(size.Y) / float32(2*half.Y), 0}, nil
		}
		err = runner.Run(ctx, m, &in, []image.Image{photo}, left, func(out vision.Outputs) error {
			numbers, _, err := out.Floats(0, 1)
			all = append(all, numbers...)
			return err
		})
		return all, err
	}
	_ = numbers
}
