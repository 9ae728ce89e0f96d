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

// anchor returns the middle and the side of anchor i; 0 if there is none.
func (h *RetinaFace) anchor(i int, size image.Point) (center Point, side float32) {
	for k, stride := range h.Strides[:min(len(h.Strides), len(h.Sides))] {
		stride = max(stride, 1)
		columns, sides := (size.X+stride-1)/stride, h.Sides[k]
		n := columns * ((size.Y + stride - 1) / stride) * len(sides)
		if i < n {
			at := i / len(sides)
			return Point{(float32(at%columns) + 0.5) * float32(stride), (float32(at/columns) + 0.5) * float32(stride)}, sides[i%len(sides)]
		}
		i -= n
	}
	return center, 0
}

// fits reports whether there are n anchors.
func (h *RetinaFace) fits(n int, size image.Point) bool {
	if n < 1 {
		return false
	}
	_, last := h.anchor(n-1, size)
	_, more := h.anchor(n, size)
	return last > 0 && more == 0
}

// Decode implements Head.
func (h *RetinaFace) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	scores, boxes, err := out.pair(h.Scores, 2, h.Boxes, 4)
	if err != nil {
		return nil, err
	}
	defer scores.free()
	defer boxes.free()
	if !h.fits(scores.dims[0], out.Size) {
		return nil, anchorsError(scores.dims[0], h.Strides, out.Size)
	}
	for i := range scores.dims[0] {
		if s := scores.data[2*i+1]; s >= minScore {
			c, side := h.anchor(i, out.Size)
			b, unit := boxes.data[4*i:], centerVariance*side
			grow := func(v float32) float32 { return side * float32(math.Exp(float64(v)*sizeVariance)) }
			dst = add(dst, around(Point{c.X + b[0]*unit, c.Y + b[1]*unit}, grow(b[2]), grow(b[3])), s, 0, i)
		}
	}
	return dst, nil
}

// Finish implements Finisher.
func (h *RetinaFace) Finish(found []Detection, out Outputs, _ Affine, _ image.Point) error {
	return out.points(found, []int{h.Points}, func(candidate int) (int, int, Point, float32) {
		c, side := h.anchor(candidate, out.Size)
		return 0, candidate, c, centerVariance * side
	})
}

func recognizeRetinaFace(sig common.Signature, _ map[string]string) (Head, Input, []string, bool) {
	_, size, _, ok := colorInput(sig)
	scores, boxes, points := withRows(sig, 2), withRows(sig, 4), withRows(sig, 2*facePoints)
	if !ok || len(sig.Outputs) != 3 || len(scores) != 1 || len(boxes) != 1 || len(points) != 1 {
		return nil, Input{}, nil, false
	}
	h := &RetinaFace{Strides: []int{8, 16, 32}, Sides: [][]float32{{16, 32}, {64, 128}, {256, 512}}, Scores: scores[0], Boxes: boxes[0], Points: points[0]}
	in := Input{Size: sizeOr(size, 640), BGR: true, Mean: [3]float32{123, 117, 104}}
	n := rowCount(sig.Outputs[h.Scores], 2)
	return h, in, face, n < 0 || h.fits(n, in.Size)
}
