// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"math"

	"github.com/anyinfer/anyinfer/common"
)

// YOLOX is the head of YOLOX.
type YOLOX struct {
	Output  int
	Strides []int // of the grids, in the order of the rows; nil: 8, 16, 32
	Decoded bool  // the model computes boxes in pixels itself (decode_in_inference)
}

// Suppression returns IoU 0.45 over all classes, with sizes one larger, as YOLOX does.
func (y *YOLOX) Suppression() NMSOptions { return NMSOptions{IoU: 0.45, Agnostic: true, PlusOne: true} }

// Decode implements Head.
func (head *YOLOX) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	a, err := out.array(head.Output, 2)
	if err != nil {
		return dst, err
	}
	defer a.free()
	strides := head.Strides
	if strides == nil {
		strides = yoloxStrides
	}
	values, next := a.dims[1], 0
	if n := cells(out.Size.X, out.Size.Y, strides...); values < 6 || a.dims[0] != n {
		return dst, fail(common.ErrShape, "output %d of YOLOX has %d boxes of %d values; an input of %v and the strides %v make %d of at least 6",
			head.Output, a.dims[0], values, out.Size, append([]int(nil), strides...), n)
	}
	for _, stride := range strides {
		columns := (out.Size.X + stride - 1) / stride
		first := next
		next += cells(out.Size.X, out.Size.Y, stride)
		for i := first; i < next; i++ {
			row := a.data[i*values : (i+1)*values]
			if !(row[4] >= minScore) {
				continue
			}
			score, class := best(row[5:])
			if score *= row[4]; class < 0 || !(score >= minScore) {
				continue
			}
			x, y, w, h, scale := row[0], row[1], row[2], row[3], Point{1, 1}
			if !head.Decoded {
				scale = Point{float32(stride), float32(stride)}
				x, y = x+float32((i-first)%columns), y+float32((i-first)/columns)
				w, h = float32(math.Exp(float64(w))), float32(math.Exp(float64(h)))
			}
			dst = add(dst, CenterSize.rect(x, y, w, h, scale), score, class, i)
		}
	}
	return dst, nil
}

var yoloxStrides = []int{8, 16, 32}

// recognizeYOLOX recognizes one output with a row of at least six values for each cell.
func recognizeYOLOX(sig common.Signature, metadata map[string]string) (Head, Input, []string, bool) {
	in := Input{Fit: LetterboxCorner, Pad: 114, BGR: true}
	if len(sig.Inputs) != 1 || len(sig.Outputs) != 1 || len(sig.Inputs[0].Shape) != 4 || len(sig.Outputs[0].Shape) != 3 || metadata["names"] != "" {
		return nil, in, nil, false
	}
	width, height, _ := pictureSize(sig.Inputs[0], nil)
	n, values := sig.Outputs[0].Shape[1], sig.Outputs[0].Shape[2]
	if width == 0 || height == 0 || values < 6 || n != cells(width, height, yoloxStrides...) {
		return nil, in, nil, false
	}
	// The first YOLOX, 0.1.0, was trained on normalized RGB. The files of that kind that are about name their tensors so.
	if sig.Inputs[0].Name == "inputs" && sig.Outputs[0].Name == "outputs" {
		in.BGR, in.Mean, in.Std = false, imageNetMean, imageNetStd
	}
	var labels []string
	if values == 85 {
		labels = COCO()
	}
	return &YOLOX{}, in, labels, true
}

// The mean and standard deviation of ImageNet's pictures.
var (
	imageNetMean = [3]float32{0.485 * 255, 0.456 * 255, 0.406 * 255}
	imageNetStd  = [3]float32{0.229 * 255, 0.224 * 255, 0.225 * 255}
)
