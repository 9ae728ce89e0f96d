// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
)

// side is the width and height of the model's input in pixels.
const side = 8

// readInk reads a PNG file of any size with a dark digit on a light or transparent
// background. It sets each of pixels to its share of ink, from 0 to 1.
func readInk(file string, pixels []float32) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	w, h := picture.Bounds().Dx(), picture.Bounds().Dy()
	if w < side || h < side {
		return fmt.Errorf("%s: %dx%d pixels, want at least %dx%d", file, w, h, side, side)
	}
	gray := image.NewGray(image.Rect(0, 0, w, h))
	draw.Draw(gray, gray.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(gray, gray.Rect, picture, picture.Bounds().Min, draw.Over)
	for i := range pixels {
		x, y := i%side, i/side
		cell := image.Rect(x*w/side, y*h/side, (x+1)*w/side, (y+1)*h/side)
		ink := 0
		for y := cell.Min.Y; y < cell.Max.Y; y++ {
			for x := cell.Min.X; x < cell.Max.X; x++ {
				ink += 255 - int(gray.GrayAt(x, y).Y)
			}
		}
		pixels[i] = float32(ink) / float32(255*cell.Dx()*cell.Dy())
	}
	return nil
}
