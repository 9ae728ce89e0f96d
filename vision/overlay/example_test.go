// SPDX-License-Identifier: Apache-2.0

package overlay_test

import (
	"fmt"
	"image"
	"image/color"

	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/overlay"
)

func ExampleDraw() {
	photo := image.NewYCbCr(image.Rect(0, 0, 640, 480), image.YCbCrSubsampleRatio420)
	found := []vision.Detection{{
		Rect:  vision.Rect{Min: vision.Point{X: 100, Y: 100}, Max: vision.Point{X: 300, Y: 400}},
		Score: 0.91, Label: "person",
	}}
	picture := overlay.Copy(photo)
	overlay.Draw(picture, found, nil)
	fmt.Println(picture.At(200, 200), picture.At(100, 92)) // between and on what was drawn
	// Output: {0 135 0 255} {86 180 233 255}
}

func ExampleCutout() {
	photo := image.NewGray(image.Rect(0, 0, 4, 1))
	matte := &image.Alpha{Pix: []uint8{0, 0, 255, 255}, Stride: 4, Rect: photo.Rect}
	overlay.Cutout(photo, photo, matte, image.NewUniform(color.White))
	fmt.Println(photo.At(0, 0), photo.At(3, 0))
	// Output: {255} {0}
}
