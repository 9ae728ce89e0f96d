// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"math"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	about "github.com/anyinfer/anyinfer/internal/metadata"
)

// DETR is the head of DETR and its successors as Transformers exports them: centers
// and sizes of boxes from 0 to 1, and a number for each class. Where the model decides
// for itself which boxes it has found, Boxes is the head.
type DETR struct {
	Boxes, Scores int // the indexes of the outputs; the same: the classes follow a box in its row
	Classes       DETRClasses
}

// DETRClasses says how the numbers of the classes become scores.
type DETRClasses uint8

const (
	Sigmoid       DETRClasses = iota // each class for itself: RT-DETR, RF-DETR. A box can be of several classes.
	Softmax                          // the last class is "no object": DETR, YOLOS
	Probabilities                    // they are scores: RT-DETR as Ultralytics exported it
)

// Suppression returns none, because the model was trained to find a thing once.
func (d *DETR) Suppression() NMSOptions { return NMSOptions{None: true} }

// Decode implements Head. With Sigmoid it appends a detection for each class of a box
// that has the score, as the models' own code does.
func (d *DETR) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	boxes, err := out.array(d.Boxes, 2)
	if err != nil {
		return dst, err
	}
	defer boxes.free()
	scores, first := boxes, 4
	if d.Scores != d.Boxes {
		if scores, err = out.array(d.Scores, 2); err != nil {
			return dst, err
		}
		defer scores.free()
		first = 0
	}
	if boxes.dims[1] < 4 || first == 0 && boxes.dims[1] != 4 || boxes.dims[0] != scores.dims[0] || scores.dims[1] <= first {
		return dst, fail(common.ErrShape, "outputs %d and %d of DETR have the shapes %v and %v, not rows of 4 numbers and as many rows of classes",
			d.Boxes, d.Scores, boxes.dims[:2], scores.dims[:2])
	}
	size := Point{float32(out.Size.X), float32(out.Size.Y)}
	for i := range boxes.dims[0] {
		row := scores.data[i*scores.dims[1] : (i+1)*scores.dims[1]][first:]
		box := boxes.data[i*boxes.dims[1]:][:4]
		r := CenterSize.rect(box[0], box[1], box[2], box[3], size)
		switch d.Classes {
		case Sigmoid:
			for class, v := range row {
				if score := sigmoid(v); score >= minScore && v <= math.MaxFloat32 {
					dst = add(dst, r, score, class, i)
				}
			}
			continue
		case Softmax:
			v, class := best(row[:len(row)-1])
			most := max(v, row[len(row)-1])
			var sum float64
			for _, other := range row {
				sum += math.Exp(float64(other - most))
			}
			if score := float32(math.Exp(float64(v-most)) / sum); class >= 0 && score >= minScore {
				dst = add(dst, r, score, class, i)
			}
		default:
			if score, class := best(row); class >= 0 && score >= minScore {
				dst = add(dst, r, score, class, i)
			}
		}
	}
	return dst, nil
}

// isRTDETR reports whether Ultralytics' metadata is that of an RT-DETR.
func isRTDETR(metadata map[string]string) bool {
	return strings.Contains(strings.ToLower(metadata["head"]+metadata["description"]), "rtdetr") ||
		strings.Contains(strings.ToLower(metadata["description"]), "rt-detr")
}

// recognizeDETR recognizes the names of Transformers' and RF-DETR's outputs, and the
// metadata of Ultralytics' RT-DETR.
func recognizeDETR(sig common.Signature, metadata map[string]string) (Head, Input, []string, bool) {
	at := pictureInput(sig)
	if at < 0 || len(sig.Inputs) != 1 {
		return nil, Input{}, nil, false
	}
	labels := about.Names(metadata)
	in := Input{Std: [3]float32{255, 255, 255}}
	_, _, in.Size = pictureSize(sig.Inputs[at], metadata)
	rank3 := func(i int) bool { return i >= 0 && len(sig.Outputs[i].Shape) == 3 }
	if isRTDETR(metadata) && len(sig.Outputs) == 1 && rank3(0) {
		switch values := sig.Outputs[0].Shape[2]; {
		case values == 4+len(labels) && values == 6:
			return nil, in, nil, false // two classes, or a score and a class
		case values == 6:
			return &Boxes{ScoreColumn: 4, ClassColumn: 5, Count: -1, Units: Normalized}, in, labels, true
		case values == 4+len(labels):
			return &DETR{Classes: Probabilities}, in, labels, true
		}
		return nil, in, nil, false
	}
	boxes, scores := sig.OutputIndex("dets"), sig.OutputIndex("labels")
	if len(sig.Outputs) >= 2 && rank3(boxes) && rank3(scores) { // RF-DETR
		in.Mean, in.Std = imageNetMean, imageNetStd
		if sig.Outputs[scores].Shape[2] == 91 && len(labels) == 0 {
			labels = COCO91()
		}
		return &DETR{Boxes: boxes, Scores: scores}, in, labels, true
	}
	boxes, scores = sig.OutputIndex("pred_boxes"), sig.OutputIndex("logits")
	if !rank3(boxes) || !rank3(scores) {
		return nil, in, nil, false
	}
	queries, classes := sig.Outputs[scores].Shape[1], sig.Outputs[scores].Shape[2]
	switch {
	case queries == 100: // DETR, YOLOS
		in.Mean, in.Std = imageNetMean, imageNetStd
		if classes == 92 && len(labels) == 0 {
			labels = COCO91()
		}
		_, _, in.Size = pictureSize(sig.Inputs[at], map[string]string{"imgsz": "800"})
		return &DETR{Boxes: boxes, Scores: scores, Classes: Softmax}, in, labels, true
	case queries == 300 && classes != 91 && classes != 92: // RT-DETR, D-FINE; with 91: others that need another input
		if classes == 80 && len(labels) == 0 {
			labels = COCO()
		}
		_, _, in.Size = pictureSize(sig.Inputs[at], map[string]string{"imgsz": "640"})
		return &DETR{Boxes: boxes, Scores: scores}, in, labels, true
	}
	return nil, in, nil, false
}
