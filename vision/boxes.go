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
	var of [3]array // boxes, scores, classes
	for k, c := range [...]struct{ output, column, width int }{{b.Boxes, b.BoxColumn, 4}, {b.Scores, b.ScoreColumn, 1}, {b.Classes, b.ClassColumn, 1}} {
		rank := 2
		if c.output != b.Boxes {
			rank = 1
		}
		a, err := rows.array(c.output, rank)
		if err != nil {
			return dst, err
		}
		defer a.free()
		if rank == 1 {
			a.dims[1], c.column = 1, 0
		}
		if n < 0 {
			n = a.dims[0]
		}
		if c.column < 0 || c.column+c.width > a.dims[1] || from+n > a.dims[0] {
			return dst, fail(common.ErrShape, "output %d has %d rows of %d numbers, without rows %d to %d and columns %d to %d", c.output, a.dims[0], a.dims[1], from, from+n, c.column, c.column+c.width)
		}
		a.data = a.data[min(c.column, len(a.data)):]
		of[k] = a
	}
	scale, width := Point{}, of[0].dims[1]
	for i := from; i < from+n; i++ {
		score, class := of[1].data[i*of[1].dims[1]], index(of[2].data[i*of[2].dims[1]])
		if class < 0 || !(score >= minScore) {
			continue
		}
		if scale == (Point{}) {
			scale = b.Units.scale(out, of[0].data, of[0].dims[0], width, 1)
		}
		box := of[0].data[i*width:][:4]
		dst = add(dst, b.Format.rect(box[0], box[1], box[2], box[3], scale), score, class, i)
	}
	return dst, nil
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
	if b, labels, ok := recognizeSSD(sig); ok {
		return b, rawInput(sig.Inputs[at]), labels, true
	}
	in := Input{Std: [3]float32{255, 255, 255}}
	if sig.InputIndex("orig_target_sizes") >= 0 && len(sig.Outputs) == 3 { // RT-DETR, D-FINE, DEIM
		b := &Boxes{Boxes: sig.OutputIndex("boxes"), Scores: sig.OutputIndex("scores"), Classes: sig.OutputIndex("labels"), Count: -1, Format: Corners, Units: Pixels}
		_, _, in.Size = pictureSize(sig.Inputs[at], []int{640})
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
func recognizeSSD(sig common.Signature) (*Boxes, []string, bool) {
	if len(sig.Outputs) != 4 || len(sig.Inputs) != 1 {
		return nil, nil, false
	}
	b := &Boxes{Boxes: -1, Scores: -1, Classes: -1, Count: -1, Format: CornersYX, Units: Normalized}
	var labels []string
	const op = "TFLite_Detection_PostProcess"
	roles := map[string]*int{op: &b.Boxes, op + ":1": &b.Classes, op + ":2": &b.Scores, op + ":3": &b.Count}
	for i, o := range sig.Outputs {
		role := roles[o.Name]
		switch has := func(part string) bool { return strings.Contains(strings.ToLower(o.Name), part) }; {
		case role != nil:
		case len(o.Shape) == 3 && o.Shape[2] == 4:
			role = &b.Boxes
		case len(o.Shape) == 1 || has("num_detections"):
			role = &b.Count
		case len(o.Labels) > 0 || has("class") || has("category"):
			role = &b.Classes
		case has("score"):
			role = &b.Scores
		default:
			continue
		}
		if *role = i; role == &b.Classes {
			labels = o.Labels
		}
	}
	if b.Scores < 0 && b.Classes >= 0 && labels != nil { // the labels show which one the other is
		b.Scores = 6 - b.Boxes - b.Classes - b.Count
	}
	return b, labels, min(b.Boxes, b.Scores, b.Classes, b.Count) >= 0 && b.Scores < 4
}

// rawInput is the recipe of TensorFlow's detectors: quantized inputs get the pixels as
// they are, others -1 to 1.
func rawInput(info common.TensorInfo) Input {
	mean, std := float32(127.5), float32(127.5)
	if info.DType == common.Uint8 || info.DType == common.Int8 {
		mean, std = 0, 1
		if q := info.Quant; q != nil && len(q.Scale) == 1 && len(q.ZeroPoint) == 1 && q.Scale[0] > 0 {
			mean, std = float32(q.ZeroPoint[0]), 1/q.Scale[0]
		}
		if info.DType == common.Int8 {
			mean += 128
		}
	}
	return Input{Mean: [3]float32{mean, mean, mean}, Std: [3]float32{std, std, std}}
}
