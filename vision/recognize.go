// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"cmp"
	"image"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	about "github.com/anyinfer/anyinfer/internal/metadata"
)

// heads are the families of detectors, in the order in which they are asked.
// Each returns a Detector without a model, or nil. Names show some, and then shapes others.
var heads = []func(*modelInfo) *Detector{
	recognizeScaled, recognizeFaces, recognizeUltraFace, recognizeSSD, recognizeDETR, recognizePicoDet, recognizeYOLO,
}

// modelInfo is what a model's file says of it.
type modelInfo struct {
	common.Signature
	metadata map[string]string
	image    common.TensorInfo // the input for pictures; or none
	layout   Layout
	size     image.Point // of that, else in the metadata, else 0
	color    bool        // pictures have three channels
}

func newModelInfo(sig common.Signature, metadata map[string]string) *modelInfo {
	m := &modelInfo{Signature: sig, metadata: metadata}
	if at := pictureInput(sig); at >= 0 {
		m.image = sig.Inputs[at]
		m.layout = new(Input).layout(m.image.Shape)
		c, y := m.layout.axes()
		m.size, m.color = image.Pt(max(m.image.Shape[y+1], 0), max(m.image.Shape[y], 0)), m.image.Shape[c] == 3
	}
	if told := integers(metadata["imgsz"]); len(told) > 0 { // height and width, or one number for both
		m.size = image.Pt(cmp.Or(m.size.X, told[len(told)-1]), cmp.Or(m.size.Y, told[0]))
	}
	return m
}

// labels returns the labels in the metadata, else COCO's if there are as many classes.
func (m *modelInfo) labels(classes int) []string {
	if names := about.Names(m.metadata); names != nil {
		return names
	}
	if lines := strings.TrimSpace(m.metadata["character"]); lines != "" { // as RapidAI's files have them
		return strings.Split(lines, "\n")
	}
	return map[int][]string{80: COCO(), 91: COCO91()}[classes]
}

// recognizeDetector returns the Detector of a model that is of one of these families.
func recognizeDetector(m *modelInfo) (_ Task, certain bool) {
	for i, recognize := range heads {
		if m.image.Shape == nil || i > 0 && len(m.Inputs) > 1 { // only the first family has further inputs
			break
		}
		if d := recognize(m); d != nil {
			d.NMS = cmp.Or(d.NMS, d.Head.Suppression())
			return d, true
		}
	}
	return nil, false
}

// recognizeScaled recognizes models that scale boxes to a size that a further input tells:
// RT-DETR, D-FINE and DEIM, and PP-YOLOE and others of PaddleDetection.
func recognizeScaled(m *modelInfo) *Detector {
	h := &Boxes{Count: -1, Format: Corners, Units: Pixels}
	h.Boxes, h.Scores, h.Classes = m.OutputIndex("boxes"), m.OutputIndex("scores"), m.OutputIndex("labels")
	if m.InputIndex("orig_target_sizes") < 0 || len(m.Outputs) != 3 || min(h.Boxes, h.Scores, h.Classes) < 0 {
		rows := slices.IndexFunc(m.Outputs, func(o common.TensorInfo) bool { return len(o.Shape) == 2 && o.Shape[1] == 6 })
		if m.InputIndex("scale_factor") < 0 || len(m.Outputs) != 2 || rows < 0 || len(m.Outputs[1-rows].Shape) != 1 {
			return nil
		}
		h.Boxes, h.Scores, h.Classes, h.Count, h.BoxColumn, h.ScoreColumn = rows, rows, rows, 1-rows, 2, 1
	}
	return &Detector{Head: h, Input: Input{Size: sizeOr(m.size, 640), Std: same(255)}, Labels: m.labels(0)}
}

// recognizeSSD recognizes the four outputs of TFLite_Detection_PostProcess, those with
// telling names, and those whose classes have labels in the file.
func recognizeSSD(m *modelInfo) *Detector {
	h := &Boxes{Boxes: -1, Scores: -1, Classes: -1, Count: -1, Format: CornersYX, Units: Normalized}
	for i, o := range m.Outputs {
		has := func(part string) bool { return strings.Contains(strings.ToLower(o.Name), part) }
		switch {
		case len(o.Shape) == 1 || has("num_detections") || has("postprocess:3"):
			h.Count = i
		case o.Labels != nil || has("class") || has("category") || has("postprocess:1"):
			h.Classes = i
		case has("score") || has("postprocess:2"):
			h.Scores = i
		case len(o.Shape) == 3 && o.Shape[2] == 4 || has("postprocess"):
			h.Boxes = i
		}
	}
	if h.Classes >= 0 && h.Scores < 0 && m.Outputs[h.Classes].Labels != nil { // the labels show which one the other is
		h.Scores = 6 - h.Boxes - h.Classes - h.Count
	}
	if len(m.Outputs) != 4 || min(h.Boxes, h.Scores, h.Classes, h.Count) < 0 || h.Scores > 3 {
		return nil
	}
	return &Detector{Head: h, Input: rawInput(m.image), Labels: m.Outputs[h.Classes].Labels}
}

// recognizeDETR recognizes the names of RF-DETR's and Transformers' outputs.
func recognizeDETR(m *modelInfo) *Detector {
	h := &DETR{Boxes: m.OutputIndex("dets"), Scores: m.OutputIndex("labels")}
	transformers := min(h.Boxes, h.Scores) < 0
	if transformers {
		h.Boxes, h.Scores = m.OutputIndex("pred_boxes"), m.OutputIndex("logits")
	}
	if min(h.Boxes, h.Scores) < 0 || len(m.Outputs[h.Boxes].Shape) != 3 || len(m.Outputs[h.Scores].Shape) != 3 {
		return nil
	}
	in := Input{Size: m.size, Mean: imageNetMean, Std: imageNetStd}
	queries, classes := m.Outputs[h.Scores].Shape[1], m.Outputs[h.Scores].Shape[2]
	switch {
	case !transformers && classes != 91: // not COCO's, but those of somebody's training
		classes = 0
	case !transformers:
	case queries == 100: // DETR, YOLOS
		h.Softmax, in.Size, classes = true, sizeOr(m.size, 800), classes-1
	case queries == 300 && classes != 91 && classes != 92: // RT-DETR, D-FINE; with 91: others that need another input
		in = Input{Size: sizeOr(m.size, 640), Std: same(255)}
	default:
		return nil
	}
	return &Detector{Head: h, Input: in, Labels: m.labels(classes)}
}

// recognizePicoDet recognizes a pair of outputs for each of three or four strides, and
// the single output of NanoDet-Plus, which has the shape of others too, by its name.
func recognizePicoDet(m *modelInfo) *Detector {
	h, n := &Grids{Strides: []int{8, 16, 32, 64}}, len(m.Outputs)/2
	rows := func(o common.TensorInfo, strides ...int) bool {
		return len(o.Shape) == 3 && o.Shape[1] == cells(m.size.X, m.size.Y, strides...)
	}
	classes := 0
	switch {
	case len(m.Outputs) == 1 && m.image.Name == "data" && rows(m.Outputs[0], h.Strides...) && m.Outputs[0].Shape[2] > 32:
		classes = m.Outputs[0].Shape[2] - 32
		h.Form, h.Classes, h.Scores, h.Boxes = NanoDetPlus, classes, []int{0}, []int{0}
	case len(m.Outputs) == 2*n && (n == 3 || n == 4):
		none := slices.Repeat([]int{-1}, n)
		h.Strides, h.Scores, h.Boxes = h.Strides[:n], none, slices.Clone(none)
		for i, o := range m.Outputs {
			k, to := slices.IndexFunc(h.Strides, func(stride int) bool { return rows(o, stride) }), h.Boxes
			// Where names do not tell, the length of rows does.
			if k >= 0 && (strings.Contains(o.Name, "cls_") || !strings.Contains(o.Name, "dis_") && o.Shape[2] != 32) {
				to, classes = h.Scores, o.Shape[2]
			}
			if k < 0 || to[k] >= 0 {
				return nil
			}
			to[k] = i
		}
		if n == 3 || strings.Contains(m.Outputs[0].Name, "_pred_stride_") {
			h.Form = NanoDet
		}
	default:
		return nil
	}
	d := &Detector{Head: h, Input: Input{Size: m.size, Mean: imageNetMean, Std: imageNetStd, BGR: true}, Labels: m.labels(classes)}
	if h.Form == PicoDet { // PaddleDetection's
		d.Input.BGR, d.MinScore = false, 0.5
	}
	return d
}

// nmsInside matches the arguments of an export with NMS, as JSON and as a Python dict.
var nmsInside = regexp.MustCompile(`["']nms["']: *[tT]rue`)

var yoloStrides = [][]int{{8, 16, 32}, {8, 16, 32, 64}, {4, 8, 16, 32}, {16, 32}}

// recognizeYOLO recognizes YOLO by the metadata that Ultralytics writes, else by shapes
// that no other family has.
func recognizeYOLO(m *modelInfo) *Detector {
	y, in := &YOLO{Output: -1}, Input{Size: m.size, Fit: Letterbox, Pad: 114, Std: same(255)}
	for i, o := range m.Outputs {
		switch {
		case len(o.Shape) == 3 && y.Output < 0:
			y.Output = i
		case len(o.Shape) == 4 && y.Masks == 0 && (o.Shape[1] == 32 || o.Shape[3] == 32):
			y.Protos, y.Masks = i, 32
		case len(o.Shape) != 5: // YOLOv5 may show its three unfinished outputs, too
			return nil
		}
	}
	task, names := m.metadata["task"], len(about.Names(m.metadata))
	if points := integers(m.metadata["kpt_shape"]); task == "pose" && len(points) == 2 {
		y.Points, y.PointValues = points[0], points[1]
	}
	known := task == "detect" || task == "segment" && y.Masks > 0 || y.PointValues == 2 || y.PointValues == 3
	if y.Output < 0 || task != "" && !known {
		return nil
	}
	classes := names
	if task == "" && names == 0 {
		// Only COCO's classes are recognized: the same shapes with other numbers are also of
		// poses, turned boxes, plates and decoded boxes.
		classes = 80
	}
	a, b, extras := m.Outputs[y.Output].Shape[1], m.Outputs[y.Output].Shape[2], y.Masks+y.Points*y.PointValues
	grid := func(n, anchors int) bool {
		is := func(strides []int) bool { return n > 0 && n == anchors*cells(m.size.X, m.size.Y, strides...) }
		return slices.ContainsFunc(yoloStrides, is)
	}
	// fits reports whether a dimension can have this many values before the classes.
	fits := func(d, before int) bool {
		return d < 0 || d == before+classes+extras || classes == 0 && d > before+extras
	}
	ok := true
	switch {
	case strings.Contains(strings.ToLower(m.metadata["head"]+" "+m.metadata["description"]), "rtdetr"):
		in.Fit = Stretch
		if b == 6 && names != 2 { // else it may be two classes, or a score and a class
			h := &Boxes{ScoreColumn: 4, ClassColumn: 5, Count: -1, Units: Normalized}
			return &Detector{Head: h, Input: in, Labels: m.labels(0)}
		}
		y.Form, y.Units, ok = RTDETR, Normalized, b != 6 && b == 4+names
	case known && (strings.EqualFold(m.metadata["end2end"], "true") || nmsInside.MatchString(m.metadata["args"])):
		y.Form, ok = EndToEnd, b < 0 || b == 6+extras
	case known && fits(a, 4) && (b < 0 || b > a), known && b > 0 && fits(b, 4) && (a < 0 && names > 0 || grid(a, 1)):
	case known: // exports of YOLOv10 do not tell that they are end to end
		y.Form, ok = EndToEnd, b == 6+extras && a > 0 && !grid(a, 1)
	case a > 0 && fits(a, 4) && (b < 0 || grid(b, 1)):
	case b > 0 && fits(b, 5) && (grid(a, 3) || a < 0 && names > 0):
		y.Form = YOLOv5
	case a > 0 && a == cells(m.size.X, m.size.Y, 8, 16, 32) && b > 5 && names+extras == 0:
		in = Input{Size: m.size, Fit: LetterboxCorner, Pad: 114, BGR: true}
		switch m.image.Name + " " + m.Outputs[0].Name {
		case "images output": // of YOLOX's own exports; others have decoded boxes in this shape
		case "inputs outputs": // of the first YOLOX, 0.1.0, which was trained on normalized RGB
			in.BGR, in.Mean, in.Std = false, imageNetMean, imageNetStd
		default:
			return nil
		}
		h := &Grids{Form: YOLOX, Strides: []int{8, 16, 32}, Scores: []int{0}, Boxes: []int{0}}
		return &Detector{Head: h, Input: in, Labels: m.labels(b - 5)}
	default:
		return nil
	}
	if !ok {
		return nil
	}
	return &Detector{Head: y, Input: in, Labels: m.labels(classes)}
}

// integers returns the decimal numbers in a text such as "[17, 3]".
func integers(text string) (all []int) {
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
		if n, err := strconv.Atoi(field); err == nil && n > 0 && n < 1<<16 {
			all = append(all, n)
		}
	}
	return all
}

// rowCount returns how many rows of columns numbers an output has for a picture: -1 if
// that is dynamic, 0 if its rows are not of so many numbers.
func rowCount(info common.TensorInfo, columns int) int {
	last := len(info.Shape) - 1
	if last < 1 || info.Shape[last] != columns {
		return 0
	}
	return info.Shape[min(1, last-1):last].Elems() // without the batch
}

// sizeOr returns size, with side where the model takes any.
func sizeOr(size image.Point, side int) image.Point {
	return image.Pt(cmp.Or(size.X, side), cmp.Or(size.Y, side))
}

// same returns three times v, for Input's Mean and Std.
func same(v float32) [3]float32 { return [3]float32{v, v, v} }

// The mean and standard deviation of ImageNet's pictures.
var (
	imageNetMean = [3]float32{0.485 * 255, 0.456 * 255, 0.406 * 255}
	imageNetStd  = [3]float32{0.229 * 255, 0.224 * 255, 0.225 * 255}
)

// rawInput is the recipe of TensorFlow's models: quantized inputs get the pixels as they
// are, others -1 to 1.
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
	return Input{Mean: same(mean), Std: same(std)}
}
