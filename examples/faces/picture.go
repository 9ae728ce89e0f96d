// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"image"
	"image/png"
	"os"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

func open(photo string) (image.Image, error) {
	data, err := os.ReadFile(photo)
	if err != nil {
		return nil, err
	}
	img, _, err := vision.Decode(bytes.NewReader(data)) // turned upright
	return img, err
}

// places are where models of ArcFace's kind have the eyes and the nose in 112 x 112 pixels.
var places = []vision.Point{{X: 38.8, Y: 52.2}, {X: 74, Y: 52}, {X: 56.5, Y: 72.2}}

// align writes the face whose first points are the eyes and the nose.
func align(file string, img image.Image, points []vision.KeyPoint) error {
	var from []vision.Point
	for _, p := range points[:len(places)] {
		from = append(from, p.Point)
	}
	pixels := make([]uint8, 112*112*3)
	tensor, err := common.FromSlice(pixels, 1, 112, 112, 3)
	if err != nil {
		return err
	}
	if err := (&vision.Input{}).FillWarped(tensor, nil, 0, img, vision.Similarity(from, places)); err != nil {
		return err
	}
	face := image.NewRGBA(image.Rect(0, 0, 112, 112))
	for i := range 112 * 112 {
		copy(face.Pix[4*i:], append(pixels[3*i:3*i+3:3*i+3], 255))
	}
	var out bytes.Buffer
	if err := png.Encode(&out, face); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o666)
}
