// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"context"
	"fmt"
	"image"
	"log"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/anyinfer/anyinfer/vision"
)

// balls is the head of a model that gives the middle, the radius and the score of one ball.
type balls struct{}

var _ vision.Finisher = balls{}

func (balls) Decode(dst []vision.Detection, out vision.Outputs, minScore float32) ([]vision.Detection, error) {
	v, err := common.Data[float32](out.Tensors[0])
	if err != nil || v[3] < minScore {
		return dst, err
	}
	square := vision.Rect{Min: vision.Point{X: v[0] - v[2], Y: v[1] - v[2]}, Max: vision.Point{X: v[0] + v[2], Y: v[1] + v[2]}}
	return append(dst, vision.Detection{Rect: square, Score: v[3]}), nil
}

func (balls) Suppression() vision.NMSOptions { return vision.NMSOptions{IoU: 0.5} }

// Finish adds the middle, in pixels of the input as the box is.
func (balls) Finish(found []vision.Detection, _ vision.Outputs, _ vision.Affine, _ image.Point) error {
	for i := range found {
		r := found[i].Rect
		found[i].Points = []vision.KeyPoint{{Point: vision.Point{X: r.Min.X + r.Dx()/2, Y: r.Min.Y + r.Dy()/2}, Score: 1}}
	}
	return nil
}

// A program detects with a head of its own.
func Example_detector() {
	model := fake.NewModel(common.Signature{
		Inputs:  []common.TensorInfo{{Name: "image", DType: common.Float32, Shape: common.Shape{1, 3, 64, 64}}},
		Outputs: []common.TensorInfo{{Name: "ball", DType: common.Float32, Shape: common.Shape{1, 4}}},
	}, nil, func(context.Context, common.Tensors) (common.Tensors, error) {
		ball, err := common.FromSlice([]float32{32, 20, 4, 0.75}, 1, 4)
		return common.Tensors{"ball": ball}, err
	})
	defer model.Close()
	detector := &vision.Detector{Model: model, Head: balls{}, Labels: []string{"ball"}}
	found, err := detector.Detect(context.Background(), image.NewGray(image.Rect(0, 0, 640, 640)))
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range found {
		fmt.Println(d.Label, d.Score, d.Rect.Image(), d.Points[0].Point)
	}
	// Output: ball 0.75 (280,160)-(360,240) {320 200}
}
