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

func (h *RetinaFace) strides() []int { return h.Strides[:min(len(h.Strides), len(h.Sides))] }

func (h *RetinaFace) anchors(grid int) int { return len(h.Sides[grid]) }

func (h *RetinaFace) origin(grid, n int, center Point) (Point, float32) {
	return center, centerVariance * h.Sides[grid][n]
}

func (h *RetinaFace) rect(from Point, unit float32, row []float32) Rect {
	grow := func(v float32) float32 { return unit / centerVariance * float32(math.Exp(float64(v)*sizeVariance)) }
	return CenterSize.rect(from.X+row[0]*unit, from.Y+row[1]*unit, grow(row[2]), grow(row[3]), Point{1, 1})
}

// Decode implements Head.
func (h *RetinaFace) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	return decodeFaces(h, dst, out, minScore, []int{h.Scores}, 2, []int{h.Boxes}, 4)
}

// Finish implements Finisher.
func (h *RetinaFace) Finish(found []Detection, out Outputs, _ Affine, _ image.Point) error {
	return findPoints(h, found, out, []int{h.Points}, 0, 2*facePoints)
}

func recognizeRetinaFace(sig common.Signature, _ map[string]string) (Head, Input, []string, bool) {
	_, size, _, ok := colorInput(sig)
	h := &RetinaFace{Strides: []int{8, 16, 32}, Sides: [][]float32{{16, 32}, {64, 128}, {256, 512}}}
	in := Input{Size: sizeOr(size, 640), BGR: true, Mean: [3]float32{123, 117, 104}}
	ok = ok && len(sig.Outputs) == 3
	for columns, output := range map[int]*int{2: &h.Scores, 4: &h.Boxes, 2 * facePoints: &h.Points} {
		all, fit := outputsOf(sig, columns, 1, func(k int) int { return anchorRows(h, k, 1, in.Size) })
		if ok = ok && fit; ok {
			*output = all[0]
		}
	}
	return h, in, face, ok
}
