// SPDX-License-Identifier: Apache-2.0

package ocr_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/anyinfer/anyinfer/vision/ocr"
)

// models stand for those that common.Load returns: of detection, which says that what is bright is text, of
// direction, which says that nothing is upside down, and of recognition, which reads "go" in each line.
func models() (detection, orientation, recognition *common.Model) {
	model := func(in, out common.Shape, run func(in, out []float32)) *common.Model {
		info := func(s common.Shape) []common.TensorInfo {
			return []common.TensorInfo{{Name: "x", DType: common.Float32, Shape: s}}
		}
		sig := common.Signature{Inputs: info(in), Outputs: info(out)}
		return fake.NewModel(sig, nil, func(_ context.Context, ts common.Tensors) (common.Tensors, error) {
			y, err := common.NewTensor(common.Float32, out...)
			if err != nil {
				return nil, err
			}
			x, err := common.Data[float32](ts["x"])
			if err != nil {
				return nil, err
			}
			to, err := common.Data[float32](y)
			run(x, to)
			return common.Tensors{"x": y}, err
		})
	}
	detection = model(common.Shape{1, 3, 64, 64}, common.Shape{1, 1, 64, 64}, func(in, out []float32) { copy(out, in) })
	orientation = model(common.Shape{1, 3, 48, 192}, common.Shape{1, 2}, func(_, out []float32) { out[0] = 1 })
	recognition = model(common.Shape{1, 3, 48, 320}, common.Shape{1, 3, 3}, func(_, out []float32) { out[1], out[5], out[6] = 0.9, 0.7, 0.6 })
	return detection, orientation, recognition
}

// read reads the lines of a photo.
func read(ctx context.Context, photo image.Image) ([]ocr.Line, error) {
	detection, orientation, recognition := models()
	var detector *ocr.Detector
	var direction *ocr.Direction
	var recognizer *ocr.Recognizer
	detector, err := ocr.NewDetector(detection)
	if err != nil {
		return nil, err
	}
	if direction, err = ocr.NewDirection(orientation); err != nil {
		return nil, err
	}
	if recognizer, err = ocr.NewRecognizer(recognition); err != nil {
		return nil, err
	}
	recognizer.Characters = []string{"g", "o"} // the metadata of RapidOCR's files name them
	var alone ocr.Line
	if alone, err = recognizer.Recognize(ctx, photo); err != nil {
		return nil, err
	}
	fmt.Printf("all: %s %.1f\n", alone.Text, alone.Score)
	reader := &ocr.Reader{Detector: detector, Direction: direction, Recognizer: recognizer}
	return reader.Read(ctx, photo)
}

func Example() {
	photo := image.NewGray(image.Rect(0, 0, 640, 640))
	for _, y := range []int{100, 300} {
		draw.Draw(photo, image.Rect(100, y, 400, y+60), image.NewUniform(color.White), image.Point{}, draw.Src)
	}
	lines, err := read(context.Background(), photo)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range lines {
		var corners ocr.Quad = l.Quad
		fmt.Println(l.Text, corners.Bounds().Image())
	}
	// Output:
	// all: go 0.8
	// go (60,60)-(440,200)
	// go (60,260)-(440,400)
}
