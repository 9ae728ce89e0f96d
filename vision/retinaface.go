// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"math"

	"github.com/anyinfer/anyinfer/common"
)

// RetinaFace is the head of the RetinaFace detectors that were trained with PyTorch. A
// face has five points, in the order of SCRFD's.
type RetinaFace struct {
	Strides               []int       // of each grid, in pixels of the input
	Sides                 [][]float32 // of the square anchors at each place of a grid, in pixels of the input
	Scores, Boxes, Points int         // the outputs, with 2, 4 and 10 numbers an anchor
}

// These are the variances by which the model's numbers are scaled.
const centerVariance, sizeVariance = 0.1, 0.2

// MinScore returns the score from which RetinaFace's own program draws a face.
func (h *RetinaFace) MinScore() float32 { return 0.6 }

// Suppression returns the options of RetinaFace's own program.
func (h *RetinaFace) Suppression() NMSOptions { return NMSOptions{IoU: 0.4, PlusOne: true} }

// anchor returns the middle and the side of anchor i; ok is false if there is none.
func (h *RetinaFace) anchor(i int, size image.Point) (center Point, side float32, ok bool) {
	for k, stride := range h.Strides {
		if stride <= 0 || k >= len(h.Sides) {
			break
		}
		columns, rows, sides := (size.X+stride-1)/stride, (size.Y+stride-1)/stride, h.Sides[k]
		if n := columns * rows * len(sides); i >= n {
			i -= n
			continue
		}
		place := i / len(sides)
		return Point{(float32(place%columns) + 0.5) * float32(stride), (float32(place/columns) + 0.5) * float32(stride)}, sides[i%len(sides)], true
	}
	return center, 0, false
}

// Decode implements Head.
func (h *RetinaFace) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	scores, err := out.rows(h.Scores, 2)
	if err != nil {
		return nil, err
	}
	defer scores.free()
	boxes, err := out.rows(h.Boxes, 4)
	if err != nil {
		return nil, err
	}
	defer boxes.free()
	n := scores.dims[0]
	_, _, last := h.anchor(max(n-1, 0), out.Size)
	_, _, more := h.anchor(n, out.Size)
	if !last || more || boxes.dims[0] != n {
		return nil, fail(common.ErrShape, "grids of the strides %v with anchors of the sides %v in a picture of %v do not have the %d scores and %d boxes of the outputs",
			h.Strides, h.Sides, out.Size, n, boxes.dims[0])
	}
	for i := range n {
		if s := scores.data[2*i+1]; s >= minScore {
			c, side, _ := h.anchor(i, out.Size)
			b := boxes.data[4*i:]
			grow := func(v float32) float32 { return side * float32(math.Exp(float64(v)*sizeVariance)) }
			dst = add(dst, around(shift(c, b, side), grow(b[2]), grow(b[3])), s, 0, i)
		}
	}
	return dst, nil
}

// shift returns c moved by the two numbers v of the model.
func shift(c Point, v []float32, side float32) Point {
	return Point{c.X + v[0]*centerVariance*side, c.Y + v[1]*centerVariance*side}
}

// Finish implements Finisher.
func (h *RetinaFace) Finish(found []Detection, out Outputs, _ Affine, _ image.Point) error {
	points, err := out.rows(h.Points, 2*facePoints)
	if err != nil {
		return err
	}
	defer points.free()
	all := make([]KeyPoint, len(found)*facePoints)
	for i := range found {
		d, row := &found[i], found[i].candidate
		c, side, ok := h.anchor(row, out.Size)
		if !ok || row >= points.dims[0] {
			return fail(common.ErrShape, "there are no points of anchor %d; output %d has %d rows", row, h.Points, points.dims[0])
		}
		d.Points, all = all[:facePoints:facePoints], all[facePoints:]
		for j := range d.Points {
			d.Points[j] = KeyPoint{shift(c, points.data[2*(row*facePoints+j):], side), 1}
		}
	}
	return nil
}

func recognizeRetinaFace(sig common.Signature, _ map[string]string) (Head, Input, []string, bool) {
	_, size, _, ok := colorInput(sig)
	scores, boxes, points := withRows(sig, 2), withRows(sig, 4), withRows(sig, 2*facePoints)
	if !ok || len(sig.Outputs) != 3 || len(scores) != 1 || len(boxes) != 1 || len(points) != 1 {
		return nil, Input{}, nil, false
	}
	h := &RetinaFace{Strides: []int{8, 16, 32}, Sides: [][]float32{{16, 32}, {64, 128}, {256, 512}}, Scores: scores[0], Boxes: boxes[0], Points: points[0]}
	in := Input{Size: sizeOr(size, 640), BGR: true, Mean: [3]float32{123, 117, 104}}
	if n := rowCount(sig.Outputs[h.Scores], 2); n > 0 {
		_, _, last := h.anchor(n-1, in.Size)
		_, _, more := h.anchor(n, in.Size)
		ok = last && !more
	}
	return h, in, face, ok
}
