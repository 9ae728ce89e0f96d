// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"fmt"
	"image"
	"log"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

// Heads for models that NewDetector does not know, because neither names nor metadata
// show what they are.
var heads = map[string]vision.Head{
	"YOLOv5 in TFLite, normalized": &vision.YOLO{Form: vision.YOLOForm(vision.YOLOv5), Units: vision.Units(vision.Normalized)},
	"poses of YOLO11":              &vision.YOLO{Points: 17, PointValues: 3},
	"YOLOX that decodes itself":    &vision.YOLO{Form: vision.YOLOv5, Units: vision.Pixels},
	"DETR of another name":         &vision.DETR{Boxes: 1, Softmax: true},
	"NanoDet-Plus of 20 classes": &vision.Grids{
		Form: vision.NanoDetPlus, Strides: []int{8, 16, 32, 64}, Scores: []int{0}, Boxes: []int{0}, Classes: 20,
	},
	"rows of x0, y0, x1, y1, score, class": &vision.Boxes{
		ScoreColumn: 4, ClassColumn: 5, Count: -1, Format: vision.BoxFormat(vision.Corners),
	},
}

// A head turns what a model has made of a picture into detections, and NMS drops those
// that overlap a better one. A Detector does this for pictures.
func Example_heads() {
	table, err := common.FromSlice([]float32{
		10, 10, 60, 60, 0.5, 15,
		12, 10, 60, 60, 0.9, 15,
		70, 20, 90, 40, 0.1, 16,
	}, 1, 3, 6)
	if err != nil {
		log.Fatal(err)
	}
	out := vision.Outputs{Tensors: []*common.Tensor{table}, Size: image.Pt(100, 100)}
	found, err := heads["rows of x0, y0, x1, y1, score, class"].Decode(nil, out, 0.25)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range vision.NMS(found, vision.NMSOptions{IoU: 0.45}) {
		fmt.Println(vision.COCO()[d.Class], d.Score, d.Rect)
	}
	// Output: cat 0.9 {{12 10} {60 60}}
}
