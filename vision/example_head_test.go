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

// arrows is a head for a model of somebody's own, which finds arrows: output 0 has rows of a
// center, a size and a score, from 0 to 1, and output 1 a row with the tip for each of them.
type arrows struct{}

func (arrows) Suppression() vision.NMSOptions { return vision.NMSOptions{IoU: 0.5} }

func (arrows) Decode(dst []vision.Detection, out vision.Outputs, minScore float32) ([]vision.Detection, error) {
	numbers, dims, err := out.Floats(0, 2)
	if err == nil && dims[1] != 5 {
		err = fmt.Errorf("a row has %d numbers, not 5", dims[1])
	}
	if err != nil {
		return dst, err
	}
	w, h := float32(out.Size.X), float32(out.Size.Y)
	for i := range dims[0] {
		if n := numbers[5*i:]; n[4] >= minScore {
			box := vision.Rect{
				Min: vision.Point{X: (n[0] - n[2]/2) * w, Y: (n[1] - n[3]/2) * h},
				Max: vision.Point{X: (n[0] + n[2]/2) * w, Y: (n[1] + n[3]/2) * h},
			}
			dst = append(dst, vision.Detection{Rect: box, Score: n[4], Row: i})
		}
	}
	return dst, nil
}

// Finish implements Finisher: the tips are read for those that NMS leaves.
func (arrows) Finish(found []vision.Detection, out vision.Outputs, _ vision.Affine, _ image.Point) error {
	tips, dims, err := out.Floats(1, 2)
	if err != nil {
		return err
	}
	for i := range found {
		tip := tips[found[i].Row*dims[1]:]
		at := vision.Point{X: tip[0] * float32(out.Size.X), Y: tip[1] * float32(out.Size.Y)}
		found[i].Points = []vision.KeyPoint{{Point: at, Score: 1}}
	}
	return nil
}

// A Head of a program's own has what those of this package have. The outputs here are
// quantized: 0 stands for 0 and 200 for 1.
func ExampleHead() {
	var quant = &common.Quantization{Scale: []float32{1. / 200}, ZeroPoint: []int64{0}}
	sig := common.Signature{
		Inputs: []common.TensorInfo{{Name: "photo", DType: common.Float32, Shape: common.Shape{1, 3, 40, 80}}},
		Outputs: []common.TensorInfo{
			{Name: "boxes", DType: common.Uint8, Shape: common.Shape{1, 3, 5}, Quant: quant},
			{Name: "tips", DType: common.Uint8, Shape: common.Shape{1, 3, 2}, Quant: quant},
		},
	}
	model := fake.NewModel(sig, nil, func(context.Context, common.Tensors) (common.Tensors, error) {
		boxes, err := common.FromSlice([]uint8{
			50, 100, 50, 100, 120,
			50, 100, 50, 110, 180, // the same arrow with a higher score
			150, 100, 40, 40, 10,
		}, 1, 3, 5)
		if err != nil {
			return nil, err
		}
		tips, err := common.FromSlice([]uint8{60, 100, 70, 100, 150, 100}, 1, 3, 2)
		return common.Tensors{"boxes": boxes, "tips": tips}, err
	})
	defer model.Close()

	detector := &vision.Detector{Model: model, Head: arrows{}, Labels: []string{"arrow"}}
	found, err := detector.Detect(context.Background(), image.NewRGBA(image.Rect(0, 0, 160, 80)))
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range found {
		fmt.Println(d.Label, d.Score, d.Rect, "points to", d.Points[0].Point)
	}
	// Output: arrow 0.9 {{20 18} {60 62}} points to {56 40}
}
