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
var heads = []func(common.Signature, map[string]string) (Head, Input, []string, bool){
	recognizeSCRFD, recognizeRetinaFace, recognizeUltraFace, recognizeBlazeFace, recognizeHead,
}

// seen is what a model shows of itself.
type seen struct {
	common.Signature
	metadata map[string]string
	image    common.TensorInfo // the input for pictures
	size     image.Point       // of that, else in the metadata, else 0
}

// labels returns the labels in the metadata, else COCO's if there are as many classes.
func (s *seen) labels(classes int) []string {
	names, lines := about.Names(s.metadata), strings.TrimSpace(s.metadata["character"])
	switch {
	case names != nil:
		return names
	case lines != "": // as RapidAI's files have them
		return strings.Split(lines, "\n")
	case classes == 80:
		return COCO()
	case classes == 91:
		return COCO91()
	}
	return nil
}

// recognizeHead recognizes the families that do not find faces. Those that names show
// come before those that shapes show.
func recognizeHead(sig common.Signature, metadata map[string]string) (Head, Input, []string, bool) {
	s := &seen{Signature: sig, metadata: metadata}
	s.image, s.size, _, _ = colorInput(sig)
	if told := integers(metadata["imgsz"]); len(told) > 0 { // height and width, or one number for both
		s.size = image.Pt(cmp.Or(s.size.X, told[len(told)-1]), cmp.Or(s.size.Y, told[0]))
	}
	for i, recognize := range []func(*seen) (Head, Input, []string){recognizeScaled, recognizeSSD, recognizeDETR, recognizePicoDet, recognizeYOLO} {
		if s.image.Shape == nil || i > 0 && len(sig.Inputs) > 1 {
			break
		}
		if head, in, labels := recognize(s); head != nil {
			return head, in, labels, true
		}
	}
	return nil, Input{}, nil, false
}

// recognizeScaled recognizes models that scale boxes to a size that a further input tells.
func recognizeScaled(s *seen) (Head, Input, []string) {
	in, o := Input{Size: sizeOr(s.size, 640), Std: same(255)}, s.Outputs
	b := &Boxes{Boxes: s.OutputIndex("boxes"), Scores: s.OutputIndex("scores"), Classes: s.OutputIndex("labels"), Count: -1, Format: Corners, Units: Pixels}
	if s.InputIndex("orig_target_sizes") >= 0 && len(o) == 3 && min(b.Boxes, b.Scores, b.Classes) >= 0 { // RT-DETR, D-FINE, DEIM
		return b, in, s.labels(0)
	}
	rows := slices.IndexFunc(o, func(o common.TensorInfo) bool { return len(o.Shape) == 2 && o.Shape[1] == 6 })
	if s.InputIndex("scale_factor") >= 0 && len(o) == 2 && rows >= 0 && len(o[1-rows].Shape) == 1 { // PP-YOLOE and others of PaddleDetection
		return &Boxes{Boxes: rows, Scores: rows, Classes: rows, BoxColumn: 2, ScoreColumn: 1, Count: 1 - rows, Format: Corners, Units: Pixels}, in, s.labels(0)
	}
	return nil, in, nil
}

// recognizeSSD recognizes the four outputs of TFLite_Detection_PostProcess, those with
// telling names, and those whose classes have labels in the file.
func recognizeSSD(s *seen) (Head, Input, []string) {
	b := &Boxes{Boxes: -1, Scores: -1, Classes: -1, Count: -1, Format: CornersYX, Units: Normalized}
	for i, o := range s.Outputs {
		has := func(part string) bool { return strings.Contains(strings.ToLower(o.Name), part) }
		switch {
		case len(o.Shape) == 1 || has("num_detections") || has("postprocess:3"):
			b.Count = i
		case o.Labels != nil || has("class") || has("category") || has("postprocess:1"):
			b.Classes = i
		case has("score") || has("postprocess:2"):
			b.Scores = i
		case len(o.Shape) == 3 && o.Shape[2] == 4 || has("postprocess"):
			b.Boxes = i
		}
	}
	if b.Classes >= 0 && b.Scores < 0 && s.Outputs[b.Classes].Labels != nil { // the labels show which one the other is
		b.Scores = 6 - b.Boxes - b.Classes - b.Count
	}
	if len(s.Outputs) != 4 || min(b.Boxes, b.Scores, b.Classes, b.Count) < 0 || b.Scores > 3 {
		return nil, Input{}, nil
	}
	return b, rawInput(s.image), s.Outputs[b.Classes].Labels
}

// recognizeDETR recognizes the names of RF-DETR's and Transformers' outputs.
func recognizeDETR(s *seen) (Head, Input, []string) {
	in := Input{Size: s.size, Mean: imageNetMean, Std: imageNetStd}
	for _, names := range [][2]string{{"dets", "labels"}, {"pred_boxes", "logits"}} {
		d := &DETR{Boxes: s.OutputIndex(names[0]), Scores: s.OutputIndex(names[1])}
		if min(d.Boxes, d.Scores) < 0 || len(s.Outputs[d.Boxes].Shape) != 3 || len(s.Outputs[d.Scores].Shape) != 3 {
			continue
		}
		switch queries, classes := s.Outputs[d.Scores].Shape[1], s.Outputs[d.Scores].Shape[2]; {
		case names[0] == "dets": // RF-DETR
			if classes != 91 { // not COCO's, but those of somebody's training
				classes = 0
			}
			return d, in, s.labels(classes)
		case queries == 100: // DETR, YOLOS
			d.Softmax, in.Size = true, sizeOr(s.size, 800)
			return d, in, s.labels(classes - 1)
		case queries == 300 && classes != 91 && classes != 92: // RT-DETR, D-FINE; with 91: others that need another input
			return d, Input{Size: sizeOr(s.size, 640), Std: same(255)}, s.labels(classes)
		}
	}
	return nil, in, nil
}

// recognizePicoDet recognizes a pair of outputs for each of three or four strides, and
// the single output of NanoDet-Plus, which has the shape of others too, by its name.
func recognizePicoDet(s *seen) (Head, Input, []string) {
	p, in, n := &PicoDet{}, Input{Size: s.size, Mean: imageNetMean, Std: imageNetStd}, len(s.Outputs)/2
	if o := s.Outputs; len(o) == 1 && s.image.Name == "data" && len(o[0].Shape) == 3 && o[0].Shape[2] > 32 && o[0].Shape[1] == cells(s.size.X, s.size.Y, picoDetStrides...) {
		in.BGR, p.MaxIoU, p.Corner, p.Classes = true, 0.6, true, o[0].Shape[2]-32
		return p, in, s.labels(p.Classes)
	}
	if n != 3 && n != 4 || len(s.Outputs) != 2*n {
		return nil, in, nil
	}
	classes := 0
	p.Strides, p.Scores, p.Distances = slices.Clone(picoDetStrides[:n]), slices.Repeat([]int{-1}, n), slices.Repeat([]int{-1}, n)
	for i, o := range s.Outputs {
		k, to := slices.IndexFunc(p.Strides, func(stride int) bool { return len(o.Shape) == 3 && o.Shape[1] == cells(s.size.X, s.size.Y, stride) }), p.Distances
		if k >= 0 && (strings.Contains(o.Name, "cls_") || !strings.Contains(o.Name, "dis_") && o.Shape[2] != 32) { // where names do not tell, the length does
			to, classes = p.Scores, o.Shape[2]
		}
		if k < 0 || to[k] >= 0 {
			return nil, in, nil
		}
		to[k] = i
	}
	if n == 3 || strings.Contains(s.Outputs[0].Name, "_pred_stride_") { // NanoDet
		in.BGR, p.MaxIoU = true, 0.6
	}
	return p, in, s.labels(classes)
}

// nmsInside matches the arguments of an export with NMS, as JSON and as a Python dict.
var nmsInside = regexp.MustCompile(`["']nms["']: *[tT]rue`)

var yoloStrides = [][]int{yoloxStrides, {8, 16, 32, 64}, {4, 8, 16, 32}, {16, 32}}

// recognizeYOLO recognizes YOLO by the metadata that Ultralytics writes, else by shapes
// that no other family has.
func recognizeYOLO(s *seen) (Head, Input, []string) {
	y, in := &YOLO{Output: -1}, Input{Size: s.size, Fit: Letterbox, Pad: 114, Std: same(255)}
	for i, o := range s.Outputs {
		switch {
		case len(o.Shape) == 3 && y.Output < 0:
			y.Output = i
		case len(o.Shape) == 4 && y.Masks == 0 && (o.Shape[1] == 32 || o.Shape[3] == 32):
			y.Protos, y.Masks = i, 32
		case len(o.Shape) != 5: // YOLOv5 may show its three unfinished outputs, too
			return nil, in, nil
		}
	}
	task, names := s.metadata["task"], len(about.Names(s.metadata))
	if points := integers(s.metadata["kpt_shape"]); task == "pose" && len(points) == 2 {
		y.Points, y.PointValues = points[0], points[1]
	}
	known := task == "detect" || task == "segment" && y.Masks > 0 || task == "pose" && (y.PointValues == 2 || y.PointValues == 3)
	if y.Output < 0 || task != "" && !known {
		return nil, in, nil
	}
	a, b, extras := s.Outputs[y.Output].Shape[1], s.Outputs[y.Output].Shape[2], y.Masks+y.Points*y.PointValues
	grid := func(n, anchors int) bool {
		return n > 0 && slices.ContainsFunc(yoloStrides, func(strides []int) bool { return n == anchors*cells(s.size.X, s.size.Y, strides...) })
	}
	// fits reports whether a dimension has this many values before the classes, which are as many as the names.
	fits := func(d, before int) bool {
		return d < 0 || (names == 0 && d > before+extras || names > 0 && d == before+extras+names)
	}
	classes, ok, unnamed := 0, true, names == 0
	// Without names only COCO's 80 classes are recognized: the same shapes with other
	// numbers are also of poses, turned boxes, plates and decoded boxes.
	const coco = 80
	switch {
	case strings.Contains(strings.ToLower(s.metadata["head"]+" "+s.metadata["description"]), "rtdetr"):
		in.Fit = Stretch
		if b == 6 && names != 2 { // else it may be two classes, or a score and a class
			return &Boxes{ScoreColumn: 4, ClassColumn: 5, Count: -1, Units: Normalized}, in, s.labels(0)
		}
		y.Form, y.Units, ok = RTDETR, Normalized, b != 6 && b == 4+names
	case known && (strings.EqualFold(s.metadata["end2end"], "true") || nmsInside.MatchString(s.metadata["args"])):
		y.Form, ok = EndToEnd, b < 0 || b == 6+extras
	case known && fits(a, 4) && (b < 0 || b > a), known && b > 0 && fits(b, 4) && (a < 0 && names > 0 || grid(a, 1)):
	case known: // exports of YOLOv10 do not tell that they are end to end
		y.Form, ok = EndToEnd, b == 6+extras && a > 0 && !grid(a, 1)
	case a > 0 && fits(a, 4) && (b < 0 || grid(b, 1)):
		classes, ok = a-4-extras, !unnamed || a-4-extras == coco
	case b > 0 && fits(b, 5) && (grid(a, 3) || a < 0 && names > 0):
		y.Form, classes, ok = YOLOv5, b-5-extras, !unnamed || b-5-extras == coco
	case a > 0 && a == cells(s.size.X, s.size.Y, yoloxStrides...) && b > 5 && unnamed && extras == 0:
		// The names are those of YOLOX's own export; others have decoded boxes in this shape.
		name := [2]string{s.image.Name, s.Outputs[0].Name}
		ok = name == [2]string{"images", "output"} || name == [2]string{"inputs", "outputs"}
		y.Form, classes, in = YOLOX, b-5, Input{Size: s.size, Fit: LetterboxCorner, Pad: 114, BGR: true}
		// The first YOLOX, 0.1.0, was trained on normalized RGB. The files of that kind that are about name their tensors so.
		if s.image.Name == "inputs" && s.Outputs[0].Name == "outputs" {
			in.BGR, in.Mean, in.Std = false, imageNetMean, imageNetStd
		}
	default:
		ok = false
	}
	if !ok {
		return nil, in, nil
	}
	return y, in, s.labels(classes)
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

// colorInput returns the input for pictures, their size, with 0 for what is dynamic, and
// the layout; ok: it takes them in color.
func colorInput(sig common.Signature) (info common.TensorInfo, size image.Point, layout Layout, ok bool) {
	at := pictureInput(sig)
	if at < 0 {
		return info, size, layout, false
	}
	info = sig.Inputs[at]
	c, y := 1, 2
	if layout = new(Input).layout(info.Shape); layout == NHWC {
		c, y = 3, 1
	}
	return info, image.Pt(max(info.Shape[y+1], 0), max(info.Shape[y], 0)), layout, info.Shape[c] == 3
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
