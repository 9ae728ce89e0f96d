// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"math"

	"github.com/anyinfer/anyinfer/common"
)

// YOLO is the head of YOLOv5 and its successors, without or with masks or key points. The
// zero YOLO is for detectors of YOLOv8, 9, 11 and 12. The head of YOLOX is Grids.
type YOLO struct {
	Form   YOLOForm
	Output int   // the index of the output with the boxes
	Units  Units // TFLite files often have normalized boxes

	Masks  int // the numbers by which each box weights the prototypes of masks, often 32; 0: no masks
	Protos int // the index of the output with the prototypes

	Points      int // the key points of each box; 0: none
	PointValues int // of each key point: 2, or 3 with its visibility
}

// YOLOForm is what a row of YOLO's output has, before masks and key points.
type YOLOForm uint8

const (
	YOLOv8   YOLOForm = iota // center, size, classes; the boxes are columns, or rows if there are more rows
	YOLOv5                   // center, size, score of any object, classes; also YOLOv7, and YOLOX with decode_in_inference
	EndToEnd                 // corners, score, class; without NMS: YOLOv10 and YOLO26
	RTDETR                   // center, size, classes; without NMS: RT-DETR as Ultralytics exported it at first
)

// yoloForms have the number of values before the classes, what the first four are, and the
// usual NMS.
var yoloForms = [...]struct {
	before int
	box    BoxFormat
	nms    NMSOptions
}{
	YOLOv8: {4, CenterSize, NMSOptions{IoU: 0.7}}, YOLOv5: {5, CenterSize, NMSOptions{IoU: 0.45}},
	EndToEnd: {6, Corners, NMSOptions{None: true}}, RTDETR: {4, CenterSize, NMSOptions{None: true}},
}

// Suppression returns the options that the models' own programs use.
func (y *YOLO) Suppression() NMSOptions { return yoloForms[int(y.Form)%len(yoloForms)].nms }

// yoloTable is the output of a YOLO: value c of box i is data[i*box+c*value].
type yoloTable struct {
	array
	boxes, box, value int
	extras            int // the first value after the classes
	scale             Point
}

func (y *YOLO) table(out Outputs) (t yoloTable, err error) {
	if t.array, err = out.array(y.Output, 2); err != nil {
		return t, err
	}
	values, before := t.dims[1], yoloForms[int(y.Form)%len(yoloForms)].before
	t.boxes, t.box, t.value = t.dims[0], values, 1
	if y.Form == YOLOv8 && t.boxes < values {
		t.boxes, t.box, t.value, values = values, 1, values, t.boxes
	}
	t.extras = values - y.Masks - y.Points*y.PointValues
	classes := t.extras - before
	if classes < 0 || (classes == 0) != (y.Form == EndToEnd) || min(y.Masks, y.Points) < 0 ||
		y.Points > 0 && y.PointValues < 2 {
		return t, fail(common.ErrShape, "output %d has %d values a box, not %d, classes, %d for masks and %d for points",
			y.Output, values, before, y.Masks, y.Points*y.PointValues)
	}
	t.scale = y.Units.scale(out, t.data, t.boxes, t.box, t.value)
	return t, nil
}

// Decode implements Head.
func (y *YOLO) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	t, err := y.table(out)
	if err != nil {
		return dst, err
	}
	if t.value != 1 {
		return t.columns(dst, minScore), nil
	}
	for i := range t.boxes {
		row := t.row(i)
		score, class := row[4], -1
		switch {
		case y.Form == EndToEnd:
			class = index(row[5])
		case y.Form == YOLOv8 || y.Form == RTDETR:
			score, class = best(row[4:t.extras])
		case row[4] >= minScore:
			score, class = best(row[5:t.extras])
			score *= row[4]
		}
		if class < 0 || !(score >= minScore) {
			continue
		}
		dst = add(dst, yoloForms[int(y.Form)%len(yoloForms)].box.rect([4]float32(row), t.scale), score, class, i)
	}
	return dst, nil
}

// columns decodes boxes that are columns, some at a time, because their values lie
// far apart.
func (t *yoloTable) columns(dst []Detection, minScore float32) []Detection {
	var scores [512]float32
	var classes [512]int
	for from := 0; from < t.boxes; from += len(scores) {
		n := min(len(scores), t.boxes-from)
		for i := range n {
			scores[i], classes[i] = float32(math.Inf(-1)), -1
		}
		for c := 4; c < t.extras; c++ {
			row := t.data[c*t.value+from:][:n]
			for i := 0; i < n; {
				if v := row[i:]; len(v) >= 4 && !(v[0] >= minScore || v[1] >= minScore || v[2] >= minScore || v[3] >= minScore) {
					i += 4 // nearly all scores are low
					continue
				}
				if v := row[i]; v >= minScore && v > scores[i] {
					scores[i], classes[i] = v, c-4
				}
				i++
			}
		}
		for i := range n {
			if classes[i] >= 0 {
				at := func(c int) float32 { return t.data[c*t.value+from+i] }
				box := [4]float32{at(0), at(1), at(2), at(3)}
				dst = add(dst, CenterSize.rect(box, t.scale), scores[i], classes[i], from+i)
			}
		}
	}
	return dst
}

// Finish implements Finisher: it adds key points and masks.
func (y *YOLO) Finish(found []Detection, out Outputs, back Affine, size image.Point) error {
	if len(found) == 0 || y.Points == 0 && y.Masks == 0 {
		return nil
	}
	t, err := y.table(out)
	if err != nil {
		return err
	}
	var m *maskMaker
	if y.Masks > 0 {
		if m, err = y.masks(out, back, size); err != nil {
			return err
		}
		defer maskMakers.Put(m)
	}
	for i := range found {
		d := &found[i]
		if d.Row < 0 || d.Row >= t.boxes {
			return fail(common.ErrShape, "detection %d is of box %d, but the model found %d", i, d.Row, t.boxes)
		}
		at := func(c int) float32 { return t.data[d.Row*t.box+(t.extras+c)*t.value] }
		if y.Masks > 0 {
			d.Mask = m.mask(back.ApplyRect(d.Rect).Clip(size), at)
		}
		if y.Points > 0 {
			d.Points = make([]KeyPoint, y.Points)
		}
		for p := range d.Points {
			c := y.Masks + p*y.PointValues
			d.Points[p] = KeyPoint{Point{at(c) * t.scale.X, at(c+1) * t.scale.Y}, 1}
			if y.PointValues > 2 {
				d.Points[p].Score = at(c + 2)
			}
		}
	}
	return nil
}
