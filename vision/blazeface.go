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
	if n := len(h.Strides); len(h.Anchors) != n || len(h.Boxes) != len(h.Scores) || len(h.Scores) != 1 && len(h.Scores) != n {
		return nil, fail(common.ErrOption, "BlazeFace has %d strides, %d numbers of anchors, %d outputs for scores and %d for boxes",
			n, len(h.Anchors), len(h.Scores), len(h.Boxes))
	}
	for i := range h.Scores {
		first, end := i, i+1
		if len(h.Scores) == 1 {
			first, end = 0, len(h.Strides)
		}
		var err error
		if dst, err = h.decode(dst, out, i, h.Strides[first:end], h.Anchors[first:end], logit(minScore)); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// decode appends the faces with at least that number as score in the outputs i.
func (h *BlazeFace) decode(dst []Detection, out Outputs, i int, strides, anchors []int, least float32) ([]Detection, error) {
	scores, err := out.rows(h.Scores[i], 1)
	if err != nil {
		return nil, err
	}
	defer scores.free()
	boxes, err := out.rows(h.Boxes[i], blazeColumns)
	if err != nil {
		return nil, err
	}
	defer boxes.free()
	total, n := 0, 0
	for k, stride := range strides {
		if stride > 0 {
			total += out.Size.X / stride * (out.Size.Y / stride) * anchors[k]
		}
	}
	if scores.dims[0] != total || boxes.dims[0] != total {
		return nil, anchorsError(scores.dims[0], boxes.dims[0], total, strides, out.Size)
	}
	for _, s := range scores.data {
		if s >= least {
			n++
		}
	}
	points := make([]KeyPoint, n*blazePoints) // in one piece; most of them are results
	row := 0
	for k, stride := range strides {
		columns := out.Size.X / stride
		for place := range columns * (out.Size.Y / stride) {
			at := Point{(float32(place%columns) + 0.5) * float32(stride), (float32(place/columns) + 0.5) * float32(stride)}
			for range anchors[k] {
				s, b := scores.data[row], boxes.data[row*blazeColumns:][:blazeColumns]
				row++
				if !(s >= least) {
					continue
				}
				before := len(dst)
				if dst = add(dst, around(Point{at.X + b[0], at.Y + b[1]}, b[2], b[3]), sigmoid(s), 0, row-1); len(dst) > before {
					dst[before].Points, points = points[:blazePoints:blazePoints], points[blazePoints:]
					for j := range dst[before].Points {
						dst[before].Points[j] = KeyPoint{Point{at.X + b[4+2*j], at.Y + b[5+2*j]}, 1}
					}
				}
			}
		}
	}
	return dst, nil
}

// around returns the rectangle of that size with c in its middle.
func around(c Point, w, h float32) Rect {
	return Rect{Point{c.X - w/2, c.Y - h/2}, Point{c.X + w/2, c.Y + h/2}}
}

// anchorsError returns the error for outputs that do not have the anchors of grids.
func anchorsError(scores, boxes, want int, strides any, size image.Point) error {
	return fail(common.ErrShape, "grids of the strides %v in a picture of %v have %d anchors, but the outputs have %d scores and %d boxes or points",
		strides, size, want, scores, boxes)
}

func recognizeBlazeFace(sig common.Signature, _ map[string]string) (Head, Input, []string, bool) {
	_, size, _, ok := colorInput(sig)
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
			return &h, Input{Fit: Letterbox, Filter: MediaPipe, Mean: same(127.5), Std: same(127.5)}, face, true
		}
	}
	return nil, Input{}, nil, false
}

// face are the labels of face detectors.
var face = []string{"face"}
