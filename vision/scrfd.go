// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"cmp"
	"image"
	"slices"

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

// Decode implements Head.
func (h *SCRFD) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	if n := len(h.Strides); len(h.Scores) != n || len(h.Boxes) != n || h.Points != nil && len(h.Points) != n {
		return nil, fail(common.ErrOption, "SCRFD has %d strides, but %d outputs for scores, %d for boxes and %d for points",
			n, len(h.Scores), len(h.Boxes), len(h.Points))
	}
	first := 0
	for k, stride := range h.Strides {
		scores, boxes, err := out.pair(h.Scores[k], 1, h.Boxes[k], 4)
		if err != nil {
			return nil, err
		}
		if n := scores.dims[0]; n == 0 || n != h.count(stride, out.Size) {
			err = anchorsError(n, stride, out.Size)
		} else {
			for i, s := range scores.data {
				if s >= minScore {
					_, _, c, unit := h.place(first+i, out.Size)
					b := boxes.data[4*i:]
					dst = add(dst, Rect{Point{c.X - b[0]*unit, c.Y - b[1]*unit}, Point{c.X + b[2]*unit, c.Y + b[3]*unit}}, s, 0, first+i)
				}
			}
		}
		first += scores.dims[0]
		scores.free()
		boxes.free()
		if err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// count returns how many anchors a grid has.
func (h *SCRFD) count(stride int, size image.Point) int {
	if stride <= 0 {
		return 0
	}
	return size.X / stride * (size.Y / stride) * h.Anchors
}

// place returns the grid of an anchor, its number there, the corner of its cell and the
// stride.
func (h *SCRFD) place(anchor int, size image.Point) (k, row int, corner Point, unit float32) {
	for k, stride := range h.Strides {
		n := h.count(stride, size)
		if anchor < n {
			at, columns := anchor/h.Anchors, size.X/stride
			return k, anchor, Point{float32(at % columns * stride), float32(at / columns * stride)}, float32(stride)
		}
		anchor -= n
	}
	return -1, 0, corner, 0
}

// Finish implements Finisher.
func (h *SCRFD) Finish(found []Detection, out Outputs, _ Affine, _ image.Point) error {
	return out.points(found, h.Points, func(candidate int) (int, int, Point, float32) { return h.place(candidate, out.Size) })
}

func recognizeSCRFD(sig common.Signature, _ map[string]string) (Head, Input, []string, bool) {
	_, size, _, ok := colorInput(sig)
	h := &SCRFD{Strides: []int{8, 16, 32}, Anchors: 2}
	if n := len(sig.Outputs); n == 10 || n == 15 {
		h.Strides, h.Anchors = []int{8, 16, 32, 64, 128}, 1
	} else if n != 6 && n != 9 {
		return nil, Input{}, nil, false
	}
	for _, group := range []struct {
		columns int
		to      *[]int
	}{{1, &h.Scores}, {4, &h.Boxes}, {2 * facePoints, &h.Points}} {
		all := withRows(sig, group.columns)
		slices.SortStableFunc(all, func(i, j int) int { // the finest grid has most rows
			return -cmp.Compare(rowCount(sig.Outputs[i], group.columns), rowCount(sig.Outputs[j], group.columns))
		})
		for k, i := range all {
			rows := rowCount(sig.Outputs[i], group.columns)
			ok = ok && k < len(h.Strides) && (rows < 0 || size.X == 0 || size.Y == 0 || rows == h.count(h.Strides[k], size))
		}
		*group.to = all
	}
	if n := len(h.Strides); !ok || len(h.Scores) != n || len(h.Boxes) != n || len(h.Points) != len(sig.Outputs)-2*n {
		return nil, Input{}, nil, false
	}
	return h, Input{Size: sizeOr(size, 640), Fit: InsightFace, Mean: same(127.5), Std: same(128)}, face, true
}
