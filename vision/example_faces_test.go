// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"context"
	"fmt"
	"image"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

// squares are the sides of the anchors of SCRFD and RetinaFace.
var squares = [][]float32{{16, 32}, {64, 128}, {256, 512}}

// faceHeads are for models whose outputs have no names or shapes that tell what they are, such
// as those of any size.
var faceHeads = map[string]vision.Head{
	"SCRFD": &vision.Grids{
		Form: vision.GridForm(vision.SCRFD), Strides: []int{8, 16, 32}, Anchors: squares,
		Scores: []int{0, 1, 2}, Boxes: []int{3, 4, 5}, Points: []int{6, 7, 8},
	},
	"RetinaFace": &vision.Grids{
		Form: vision.RetinaFace, Strides: []int{8, 16, 32}, Anchors: squares,
		Boxes: []int{0}, Scores: []int{1}, Points: []int{2},
	},
	"BlazeFace": &vision.Grids{
		Form: vision.BlazeFace, Strides: []int{8, 16}, Anchors: [][]float32{{1, 1}, {1, 1, 1, 1, 1, 1}},
		Boxes: []int{0}, Scores: []int{1}, Points: []int{0},
	},
	"UltraFace": &vision.Boxes{
		Scores: 0, ScoreColumn: 1, Boxes: 1, Classes: -1, Count: -1, Format: vision.Corners, Units: vision.Normalized,
	},
}

// vector returns the vector of the best face in a picture.
func vector(ctx context.Context, faces *vision.Detector, people *vision.Embedder, img image.Image) ([]float32, error) {
	found, err := faces.Detect(ctx, img)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return people.EmbedFace(ctx, img, found[0].Points)
}

// Two pictures show the same person if the vectors of the faces are similar.
func Example_faces() {
	var detector, arcFace *common.Model // from common.Load
	var one, other image.Image          // from vision.Decode

	same := func() (bool, error) {
		faces := &vision.Detector{
			Model:    detector,
			Input:    vision.Input{Size: image.Pt(640, 640), Fit: vision.LetterboxByHeight, Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{128, 128, 128}},
			Head:     faceHeads["SCRFD"],
			MinScore: 0.6,
		}
		people, err := vision.NewEmbedder(arcFace)
		if err != nil {
			return false, err
		}
		a, err := vector(context.Background(), faces, people, one)
		if err != nil {
			return false, err
		}
		b, err := vector(context.Background(), faces, people, other)
		return err == nil && vision.Cosine(a, b) > 0.4, err
	}
	if detector != nil {
		fmt.Println(same())
	}
}
