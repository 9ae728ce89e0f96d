// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"math"
	"strconv"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	about "github.com/anyinfer/anyinfer/internal/metadata"
)

// YOLO is the head of YOLOv5 and its successors, without or with masks or key points.
// The zero YOLO is for detectors of YOLOv8, 9, 11 and 12.
type YOLO struct {
	Form   YOLOForm
	Output int   // the index of the output with the boxes
	Units  Units // TFLite files often have normalized boxes

	Masks       int    // the numbers by which each box weights the prototypes of masks, often 32; 0: no masks
	Protos      int    // the index of the output with the prototypes
	ProtoLayout Layout // of the prototypes; AutoLayout: the dimension that has the length Masks tells

	Points      int // the key points of each box; 0: none
	PointValues int // of each key point: 2, or 3 with its visibility
}

// YOLOForm is what a row of YOLO's output has, before masks and key points.
type YOLOForm uint8

const (
	YOLOv8   YOLOForm = iota // center, size, classes; the boxes are columns, or rows if there are more rows
	YOLOv5                   // center, size, score of any object, classes; also YOLOv7
	EndToEnd                 // corners, score, class; without NMS: YOLOv10 and YOLO26
)

// before returns the number of values before the classes of a form.
func (f YOLOForm) before() int { return [...]int{4, 5, 6}[f%3] }

// Suppression returns IoU 0.7 for YOLOv8 and 0.45 for YOLOv5, by class.
func (y *YOLO) Suppression() NMSOptions {
	switch y.Form {
	case EndToEnd:
		return NMSOptions{None: true}
	case YOLOv5:
		return NMSOptions{IoU: 0.45}
	}
	return NMSOptions{IoU: 0.7}
}

// yoloTable is the output of a YOLO: value c of box i is data[i*box+c*value].
type yoloTable struct {
	array
	boxes, classes int
	box, value     int
	extras         int // the first value after the classes
	scale          Point
}

func (y *YOLO) table(out Outputs) (yoloTable, error) {
	a, err := out.array(y.Output, 2)
	t := yoloTable{array: a, boxes: a.dims[0], box: a.dims[1], value: 1}
	if err != nil {
		return t, err
	}
	values := a.dims[1]
	if y.Form == YOLOv8 && a.dims[0] < a.dims[1] {
		t.boxes, t.box, t.value, values = a.dims[1], 1, a.dims[1], a.dims[0]
	}
	t.extras = values - max(y.Masks, 0) - max(y.Points*y.PointValues, 0)
	if t.classes = t.extras - y.Form.before(); t.classes < 0 || t.classes == 0 && y.Form != EndToEnd || y.Form == EndToEnd && t.classes != 0 {
		a.free()
		return t, fail(common.ErrShape, "output %d of YOLO has %d values for each of %d boxes; that is not %d, classes, %d for masks and %d for key points",
			y.Output, values, t.boxes, y.Form.before(), y.Masks, y.Points*y.PointValues)
	}
	t.scale = y.Units.scale(out, a.data, t.boxes, t.box, t.value)
	return t, nil
}

// Decode implements Head.
func (y *YOLO) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	t, err := y.table(out)
	if err != nil {
		return dst, err
	}
	defer t.free()
	if t.value != 1 {
		return t.columns(dst, minScore), nil
	}
	format := CenterSize
	if y.Form == EndToEnd {
		format = Corners
	}
	for i := range t.boxes {
		row := t.data[i*t.box : (i+1)*t.box]
		var score float32
		var class int
		switch y.Form {
		case EndToEnd:
			score, class = row[4], index(row[5])
		case YOLOv5:
			if row[4] >= minScore {
				score, class = best(row[5:t.extras])
				score *= row[4]
			} else {
				class = -1
			}
		default:
			score, class = best(row[4:t.extras])
		}
		if class >= 0 && score >= minScore {
			dst = add(dst, format.rect(row[0], row[1], row[2], row[3], t.scale), score, class, i)
		}
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
		for c := range t.classes {
			for i, v := range t.data[(4+c)*t.value+from:][:n] {
				if v >= minScore && v > scores[i] {
					scores[i], classes[i] = v, c
				}
			}
		}
		for i := range n {
			if classes[i] >= 0 {
				at := func(c int) float32 { return t.data[c*t.value+from+i] }
				dst = add(dst, CenterSize.rect(at(0), at(1), at(2), at(3), t.scale), scores[i], classes[i], from+i)
			}
		}
	}
	return dst
}

// index returns the class that a number is, or -1.
func index(v float32) int {
	if v >= 0 && v < 1<<24 {
		return int(v)
	}
	return -1
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
	defer t.free()
	var m *maskMaker
	if y.Masks > 0 {
		if m, err = y.masks(out, back, size); err != nil {
			return err
		}
		defer m.free()
	}
	for i := range found {
		d := &found[i]
		if d.candidate < 0 || d.candidate >= t.boxes {
			return fail(common.ErrShape, "detection %d is of box %d, but the model found %d", i, d.candidate, t.boxes)
		}
		at := func(c int) float32 { return t.data[d.candidate*t.box+(t.extras+c)*t.value] }
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

// recognizeYOLO recognizes YOLO by the metadata that Ultralytics writes, else by shapes
// that no other family has.
func recognizeYOLO(sig common.Signature, metadata map[string]string) (Head, Input, []string, bool) {
	y, in := &YOLO{Output: -1, Protos: -1}, Input{Fit: Letterbox, Pad: 114, Std: [3]float32{255, 255, 255}}
	at := pictureInput(sig)
	if len(sig.Inputs) != 1 || at < 0 || isRTDETR(metadata) {
		return nil, in, nil, false
	}
	for i, o := range sig.Outputs {
		switch {
		case len(o.Shape) == 3 && y.Output < 0:
			y.Output = i
		case len(o.Shape) == 4 && y.Protos < 0:
			y.Protos = i
		case len(o.Shape) != 5: // YOLOv5 may show its three unfinished outputs, too
			return nil, in, nil, false
		}
	}
	task, names := metadata["task"], about.Names(metadata)
	if points := integers(metadata["kpt_shape"]); task == "pose" && len(points) == 2 {
		y.Points, y.PointValues = points[0], points[1]
	}
	if y.Protos >= 0 {
		y.Masks = 32
	} else {
		y.Protos = 0
	}
	known := task == "detect" || task == "segment" && y.Masks > 0 || task == "pose" && (y.PointValues == 2 || y.PointValues == 3)
	if y.Output < 0 || task != "" && !known {
		return nil, in, nil, false
	}
	var width, height int
	width, height, in.Size = pictureSize(sig.Inputs[at], metadata)
	classes, ok := y.recognizeForm(sig.Outputs[y.Output].Shape, width, height, len(names), known, metadata)
	if !ok {
		return nil, in, nil, false
	}
	if len(names) == 0 && classes == 80 {
		names = COCO()
	}
	return y, in, names, true
}

// recognizeForm sets Form. It returns the number of classes, 0 if that is not known.
// known: metadata tells the task.
func (y *YOLO) recognizeForm(shape common.Shape, width, height, names int, known bool, metadata map[string]string) (int, bool) {
	a, b, extras := shape[1], shape[2], y.Masks+y.Points*y.PointValues
	grid := func(n, anchors int) bool {
		return n > 0 && (n == anchors*cells(width, height, 8, 16, 32) || n == anchors*cells(width, height, 8, 16, 32, 64) ||
			n == anchors*cells(width, height, 4, 8, 16, 32) || n == anchors*cells(width, height, 16, 32))
	}
	// fits reports whether a dimension has this many values before the classes, which are as many as the names.
	fits := func(d, before int) bool {
		return d < 0 || (names == 0 && d > before+extras || names > 0 && d == before+extras+names)
	}
	switch {
	case known && strings.EqualFold(metadata["end2end"], "true"):
		y.Form = EndToEnd
		return names, b < 0 || b == 6+extras
	case known && fits(a, 4) && (b < 0 || b > a), known && fits(b, 4) && (a < 0 || grid(a, 1)):
		return names, true
	case known: // exports of YOLOv10 do not tell that they are end to end
		y.Form = EndToEnd
		return names, b == 6+extras && a > 0 && !grid(a, 1)
	case grid(b, 1) && fits(a, 4) && a > 0, b < 0 && fits(a, 4) && a > 0:
		// What could be a pose (one class, 17 key points) or turned boxes (15 classes of DOTA) is not guessed.
		return a - 4 - extras, names > 0 || extras > 0 || a != 56 && a != 20
	case grid(a, 3) && fits(b, 5) && b > 0, a < 0 && b > 0 && names > 0 && fits(b, 5):
		y.Form = YOLOv5
		return b - 5 - extras, names > 0 || extras > 0 || b != 57 && b != 16 // poses and faces of YOLOv7 and YOLOv5
	}
	return 0, false
}

// pictureSize returns the width and height of an input, 0 if they are dynamic, and the
// size that metadata tells for an input of any size.
func pictureSize(info common.TensorInfo, metadata map[string]string) (width, height int, size image.Point) {
	var in Input
	y := 2
	if in.layout(info.Shape) == NHWC {
		y = 1
	}
	height, width = info.Shape[y], info.Shape[y+1]
	if told := integers(metadata["imgsz"]); (width < 0 || height < 0) && len(told) > 0 {
		height, width = told[0], told[len(told)-1]
		size = image.Pt(width, height)
	}
	return max(width, 0), max(height, 0), size
}

// integers returns the decimal numbers in a text such as "[17, 3]".
func integers(text string) []int {
	var all []int
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
		if n, err := strconv.Atoi(field); err == nil && n > 0 && n < 1<<16 {
			all = append(all, n)
		}
	}
	return all
}
