// SPDX-License-Identifier: Apache-2.0

package overlay_test

import (
	"fmt"
	"image"
	"image/color"

	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/overlay"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
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

// Larger text, in a font that has the letters.
func ExampleStyle() {
	font, err := opentype.Parse(goregular.TTF) // such as a file of Noto Sans CJK
	if err != nil {
		fmt.Println(err)
		return
	}
	picture := image.NewRGBA(image.Rect(0, 0, 640, 480))
	overlay.Classes(picture, []vision.Class{{Label: "tabby", Score: 0.8}}, &overlay.Style{Scale: 2, Font: font})
	fmt.Println(picture.At(20, 460))
	// Output: {0 0 0 166}
}

func ExampleCutout() {
	picture := image.NewGray(image.Rect(0, 0, 4, 1))
	matte := &image.Alpha{Pix: []uint8{0, 0, 255, 255}, Stride: 4, Rect: picture.Rect}
	overlay.Cutout(picture, matte, image.NewUniform(color.White))
	fmt.Println(picture.At(0, 0), picture.At(3, 0))
	// Output: {255} {0}
}
