// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"

	"github.com/anyinfer/anyinfer/common"
)

// SCRFD is the head of insightface's SCRFD detectors. If the model gives points, a face
// has five: the eye, at the left in the picture, then the other, the tip of the nose, and
// the corners of the mouth, the left one first, as Embedder.EmbedFace takes them.
type SCRFD struct {
	Strides []int // of each grid, in pixels of the input
	Anchors int   // at each place of a grid
	Scores  []int // the outputs with one number an anchor, by grid
	Boxes   []int // likewise with 4 numbers
	Points  []int // likewise with 10 numbers; nil: none
}

// MinScore returns the score that insightface asks for.
func (h *SCRFD) MinScore() float32 { return 0.5 }

// Suppression returns insightface's options.
func (h *SCRFD) Suppression() NMSOptions { return NMSOptions{IoU: 0.4, PlusOne: true} }

func (h *SCRFD) strides() []int { return h.Strides }

func (h *SCRFD) anchors(int) int { return h.Anchors }

func (h *SCRFD) origin(grid, _ int, center Point) (Point, float32) {
	stride := float32(h.Strides[grid])
	return Point{center.X - stride/2, center.Y - stride/2}, stride // from the corner of the cell
}

func (h *SCRFD) rect(from Point, unit float32, row []float32) Rect {
	return Rect{Point{from.X - row[0]*unit, from.Y - row[1]*unit}, Point{from.X + row[2]*unit, from.Y + row[3]*unit}}
}

// Decode implements Head.
func (h *SCRFD) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	return decodeFaces(h, dst, out, minScore, h.Scores, 1, h.Boxes, 4)
}

// Finish implements Finisher.
func (h *SCRFD) Finish(found []Detection, out Outputs, _ Affine, _ image.Point) error {
	return findPoints(h, found, out, h.Points, 0, 2*facePoints)
}

func recognizeSCRFD(sig common.Signature, _ map[string]string) (Head, Input, []string, bool) {
	_, size, _, ok := colorInput(sig)
	h := &SCRFD{Strides: []int{8, 16, 32}, Anchors: 2}
	if n := len(sig.Outputs); n == 10 || n == 15 {
		h.Strides, h.Anchors = []int{8, 16, 32, 64, 128}, 1
	}
	n := len(h.Strides)
	rows := func(k int) int {
		if size.X == 0 || size.Y == 0 {
			return -1
		}
		return anchorRows(h, k, n, size)
	}
	var scores, boxes, points bool
	h.Scores, scores = outputsOf(sig, 1, n, rows)
	h.Boxes, boxes = outputsOf(sig, 4, n, rows)
	h.Points, points = outputsOf(sig, 2*facePoints, n, rows)
	ok = ok && scores && boxes && (points && len(sig.Outputs) == 3*n || h.Points == nil && len(sig.Outputs) == 2*n)
	return h, Input{Size: sizeOr(size, 640), Fit: InsightFace, Mean: same(127.5), Std: same(128)}, face, ok
}
