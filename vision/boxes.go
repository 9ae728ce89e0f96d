// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"strings"

	"github.com/anyinfer/anyinfer/common"
)

// Boxes is the head of models that finish boxes, scores and classes themselves, with
// NMS where they need it: SSD and EfficientDet of TensorFlow, RT-DETR, PP-YOLOE.
type Boxes struct {
	// The indexes of the outputs. They may be the same one, with a row of numbers for
	// each box; the columns say where in it.
	Boxes, Scores, Classes              int
	BoxColumn, ScoreColumn, ClassColumn int
	// Count is the index of the output with the number of boxes; -1: all rows are boxes.
	// If the rows have no dimension for pictures, those of one picture follow those of
	// another one.
	Count  int
	Format BoxFormat
	Units  Units
}

// Suppression returns none, because the model has done it.
func (b *Boxes) Suppression() NMSOptions { return NMSOptions{None: true} }

// Decode implements Head.
func (b *Boxes) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	from, n, rows := 0, -1, out
	if b.Count >= 0 {
		var err error
		if n, err = out.count(b.Count); err != nil {
			return dst, err
		}
		if b.Boxes >= 0 && b.Boxes < len(out.Tensors) && len(out.Tensors[b.Boxes].Shape()) == 2 {
			for rows.N = 0; rows.N < out.N; rows.N++ {
				before, err := rows.count(b.Count)
				if err != nil {
					return dst, err
				}
				from += before
			}
			rows.N = 0
		}
	}
	boxes, err := rows.array(b.Boxes, 2)
	if err != nil {
		return dst, err
	}
	defer boxes.free()
	scores, err := b.column(rows, boxes, b.Scores, b.ScoreColumn)
	if err != nil {
		return dst, err
	}
	defer scores.free()
	classes, err := b.column(rows, boxes, b.Classes, b.ClassColumn)
	if err != nil {
		return dst, err
	}
	defer classes.free()
	if n < 0 {
		n = boxes.dims[0] - from
	}
	width := boxes.dims[1]
	if b.BoxColumn < 0 || b.BoxColumn+4 > width || n > boxes.dims[0]-from || from+n > scores.dims[0] || from+n > classes.dims[0] {
		return dst, fail(common.ErrShape, "output %d has %d boxes of %d numbers, but there are %d scores and %d classes, and %d boxes from %d on are wanted",
			b.Boxes, boxes.dims[0], width, scores.dims[0], classes.dims[0], n, from)
	}
	scale := Point{}
	for i := from; i < from+n; i++ {
		score, class := scores.data[i*scores.dims[1]], index(classes.data[i*classes.dims[1]])
		if class < 0 || !(score >= minScore) {
			continue
		}
		if scale == (Point{}) {
			scale = b.Units.scale(out, boxes.data[b.BoxColumn:], boxes.dims[0], width, 1)
		}
		box := boxes.data[i*width+b.BoxColumn:][:4]
		dst = add(dst, b.Format.rect(box[0], box[1], box[2], box[3], scale), score, class, i)
	}
	return dst, nil
}

// column returns one number for each box: every dims[1]-th of data.
func (b *Boxes) column(out Outputs, boxes array, output, column int) (array, error) {
	if output != b.Boxes {
		a, err := out.array(output, 1)
		a.dims[1] = 1
		return a, err
	}
	if column < 0 || column >= boxes.dims[1] {
		return array{}, fail(common.ErrShape, "output %d has %d numbers for each box, and none at %d", output, boxes.dims[1], column)
	}
	boxes.scratch = nil
	boxes.data = boxes.data[min(column, len(boxes.data)):]
	return boxes, nil
}

// count returns the number in output i for the picture.
func (o Outputs) count(i int) (int, error) {
	a, err := o.array(i, 0)
	if err != nil {
		return 0, err
	}
	defer a.free()
	if n := index(a.data[0]); n >= 0 {
		return n, nil
	}
	return 0, fail(common.ErrShape, "output %d has %v as the number of boxes", i, a.data[0])
}

// recognizeBoxes recognizes detectors with NMS inside by the names of their outputs.
func recognizeBoxes(sig common.Signature, metadata map[string]string) (Head, Input, []string, bool) {
	at := pictureInput(sig)
	if at < 0 {
		return nil, Input{}, nil, false
	}
	if b, labels, ok := recognizeSSD(sig, metadata); ok {
		return b, rawInput(sig.Inputs[at]), labels, true
	}
	in := Input{Std: [3]float32{255, 255, 255}}
	if sig.InputIndex("orig_target_sizes") >= 0 && len(sig.Outputs) == 3 { // RT-DETR, D-FINE, DEIM
		b := &Boxes{Boxes: sig.OutputIndex("boxes"), Scores: sig.OutputIndex("scores"), Classes: sig.OutputIndex("labels"), Count: -1, Format: Corners, Units: Pixels}
		_, _, in.Size = pictureSize(sig.Inputs[at], map[string]string{"imgsz": "640"})
		return b, in, nil, b.Boxes >= 0 && b.Scores >= 0 && b.Classes >= 0
	}
	if sig.InputIndex("scale_factor") >= 0 && len(sig.Outputs) == 2 { // PP-YOLOE and others of PaddleDetection
		for i, o := range sig.Outputs {
			if len(o.Shape) == 2 && o.Shape[1] == 6 && len(sig.Outputs[1-i].Shape) == 1 {
				return &Boxes{Boxes: i, Scores: i, Classes: i, BoxColumn: 2, ScoreColumn: 1, Count: 1 - i, Format: Corners, Units: Pixels}, in, nil, true
			}
		}
	}
	return nil, Input{}, nil, false
}

// recognizeSSD recognizes the four outputs of TFLite_Detection_PostProcess, those with
// telling names, and those whose classes have labels in the file.
func recognizeSSD(sig common.Signature, metadata map[string]string) (*Boxes, []string, bool) {
	if len(sig.Outputs) != 4 || len(sig.Inputs) != 1 {
		return nil, nil, false
	}
	b := &Boxes{Boxes: -1, Scores: -1, Classes: -1, Count: -1, Format: CornersYX, Units: Normalized}
	var labels []string
	for i, o := range sig.Outputs {
		name := strings.ToLower(o.Name)
		role := map[string]*int{
			"tflite_detection_postprocess": &b.Boxes, "tflite_detection_postprocess:1": &b.Classes,
			"tflite_detection_postprocess:2": &b.Scores, "tflite_detection_postprocess:3": &b.Count,
		}[name]
		switch has := func(part string) bool { return strings.Contains(name, part) }; {
		case role != nil:
		case len(o.Shape) == 3 && o.Shape[2] == 4:
			role = &b.Boxes
		case len(o.Shape) == 1 || has("num_detections"):
			role = &b.Count
		case len(o.Labels) > 0 || has("class") || has("category"):
			role = &b.Classes
		case has("score"):
			role = &b.Scores
		}
		if role == nil || *role >= 0 {
			continue
		}
		if *role = i; role == &b.Classes {
			labels = o.Labels
		}
	}
	if b.Scores < 0 && b.Classes >= 0 && labels != nil { // the labels show which one the other is
		b.Scores = 6 - b.Boxes - b.Classes - b.Count
	}
	ok := b.Boxes >= 0 && b.Scores >= 0 && b.Classes >= 0 && b.Count >= 0 && b.Scores != b.Boxes && b.Scores != b.Classes && b.Scores != b.Count
	return b, labels, ok
}

// rawInput is the recipe of TensorFlow's detectors: quantized inputs get the pixels as
// they are, others -1 to 1.
func rawInput(info common.TensorInfo) Input {
	mean, std := float32(127.5), float32(127.5)
	switch q := info.Quant; {
	case info.DType == common.Uint8 && q == nil:
		mean, std = 0, 1
	case (info.DType == common.Uint8 || info.DType == common.Int8) && q != nil && len(q.Scale) == 1 && q.Scale[0] > 0:
		mean, std = 0, 1/q.Scale[0]
		if len(q.ZeroPoint) == 1 {
			mean = float32(q.ZeroPoint[0])
		}
		if info.DType == common.Int8 {
			mean += 128
		}
	}
	return Input{Mean: [3]float32{mean, mean, mean}, Std: [3]float32{std, std, std}}
}
