// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"

	"github.com/anyinfer/anyinfer/common"
)

// BlazeFace is the head of MediaPipe's face detectors. A face has six points: the right
// eye, the left eye, the tip of the nose, the middle of the mouth, the right ear and the
// left ear, where right is the person's right.
type BlazeFace struct {
	Strides []int // of each grid, in pixels of the input
	Anchors []int // at each place of the grid
	Scores  []int // the outputs with one number an anchor: one for all grids, or one for each
	Boxes   []int // likewise with 16 numbers
}

// blazeFaces are the grids by the size of the input: the short range model and the
// front camera's, the back camera's, and the full range one.
var blazeFaces = map[int]BlazeFace{
	128: {Strides: []int{8, 16}, Anchors: []int{2, 6}},
	256: {Strides: []int{16, 32}, Anchors: []int{2, 6}},
	192: {Strides: []int{4}, Anchors: []int{1}},
}

const (
	blazePoints  = 6
	blazeColumns = 4 + 2*blazePoints
)

// MinScore returns the score that MediaPipe's face detection asks for.
func (h *BlazeFace) MinScore() float32 { return 0.5 }

// Suppression returns the options of MediaPipe's face detection.
func (h *BlazeFace) Suppression() NMSOptions { return NMSOptions{IoU: 0.3, Weighted: true} }

// Decode implements Head. It sets the points too, because NMS averages them.
func (h *BlazeFace) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	if len(h.Anchors) != len(h.Strides) || len(h.Scores) != len(h.Boxes) {
		return nil, fail(common.ErrOption, "BlazeFace has %d strides, but %d numbers of anchors; %d outputs for scores, but %d for boxes",
			len(h.Strides), len(h.Anchors), len(h.Scores), len(h.Boxes))
	}
	least, n := logit(minScore), 0
	for _, i := range h.Scores {
		scores, err := out.rows(i, 1)
		if err != nil {
			return nil, err
		}
		for _, s := range scores {
			if s >= least {
				n++
			}
		}
	}
	points := make([]KeyPoint, n*blazePoints) // in one piece; most of it is results
	var scores, boxes []float32
	next := 0
	for k, stride := range h.Strides {
		if len(scores) == 0 && next < len(h.Scores) {
			var err error
			if scores, err = out.rows(h.Scores[next], 1); err != nil {
				return nil, err
			}
			if boxes, err = out.rows(h.Boxes[next], blazeColumns); err != nil {
				return nil, err
			}
			next++
		}
		n := 0
		if stride > 0 && h.Anchors[k] > 0 {
			n = out.Size.X / stride * (out.Size.Y / stride) * h.Anchors[k]
		}
		if n <= 0 || len(scores) < n || len(boxes) != len(scores)*blazeColumns {
			return nil, anchorsError("BlazeFace", len(scores), len(boxes)/blazeColumns, n, stride, out.Size)
		}
		for i, s := range scores[:n] {
			if s >= least {
				b, place := boxes[i*blazeColumns:], i/h.Anchors[k]
				at := Point{(float32(place%(out.Size.X/stride)) + 0.5) * float32(stride), (float32(place/(out.Size.X/stride)) + 0.5) * float32(stride)}
				d := Detection{Score: sigmoid(min(s, 100)), Points: points[:blazePoints:blazePoints], Rect: around(Point{at.X + b[0], at.Y + b[1]}, b[2], b[3])}
				points = points[blazePoints:]
				for j := range d.Points {
					d.Points[j] = KeyPoint{Point{at.X + b[4+2*j], at.Y + b[5+2*j]}, 1}
				}
				if d.Rect.Dx() > 0 && d.Rect.Dy() > 0 {
					dst = append(dst, d)
				}
			}
		}
		scores, boxes = scores[n:], boxes[n*blazeColumns:]
	}
	if len(scores) > 0 || next < len(h.Scores) {
		return nil, fail(common.ErrShape, "BlazeFace's grids with the strides %v do not have all %d anchors that the outputs have", h.Strides, len(scores))
	}
	return dst, nil
}

// around returns the rectangle of that size with c in its middle.
func around(c Point, w, h float32) Rect {
	return Rect{Point{c.X - w/2, c.Y - h/2}, Point{c.X + w/2, c.Y + h/2}}
}

// anchorsError returns the error for outputs that do not have the anchors of a grid.
func anchorsError(head string, scores, boxes, want, stride int, size image.Point) error {
	return fail(common.ErrShape, "%s needs %d scores and boxes for the grid of stride %d in a picture of %v, but the outputs have %d and %d left",
		head, want, stride, size, scores, boxes)
}

func recognizeBlazeFace(sig common.Signature, _ map[string]string) (Head, Input, []string, bool) {
	size, _, ok := pictureSize(sig)
	h, known := blazeFaces[size.X]
	if !ok || !known || size.X != size.Y {
		return nil, Input{}, nil, false
	}
	total, grids := 0, []int{}
	for k, stride := range h.Strides {
		grids = append(grids, size.X/stride*(size.Y/stride)*h.Anchors[k])
		total += grids[k]
	}
	find := func(columns, n int) int {
		for _, i := range withRows(sig, columns) {
			if rowCount(sig.Outputs[i], columns) == n {
				return i
			}
		}
		return -1
	}
	for _, parts := range [][]int{{total}, grids} {
		h.Scores, h.Boxes, ok = nil, nil, len(sig.Outputs) == 2*len(parts)
		for _, n := range parts {
			score, box := find(1, n), find(blazeColumns, n)
			h.Scores, h.Boxes, ok = append(h.Scores, score), append(h.Boxes, box), ok && score >= 0 && box >= 0
		}
		if ok {
			return &h, Input{Fit: Letterbox, Mean: same(127.5), Std: same(127.5)}, face, true
		}
	}
	return nil, Input{}, nil, false
}

// face are the labels of face detectors.
var face = []string{"face"}
