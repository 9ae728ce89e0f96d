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

const facePoints = 5

// MinScore returns the score that insightface asks for.
func (h *SCRFD) MinScore() float32 { return 0.5 }

// Suppression returns insightface's options.
func (h *SCRFD) Suppression() NMSOptions { return NMSOptions{IoU: 0.4, PlusOne: true} }

// Decode implements Head.
func (h *SCRFD) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	if n := len(h.Strides); len(h.Scores) != n || len(h.Boxes) != n {
		return nil, fail(common.ErrOption, "SCRFD has %d strides, but %d outputs for scores and %d for boxes", n, len(h.Scores), len(h.Boxes))
	}
	first := 0
	for k := range h.Strides {
		var err error
		if dst, err = h.decode(dst, out, k, first, minScore); err != nil {
			return nil, err
		}
		first += h.count(h.Strides[k], out.Size)
	}
	return dst, nil
}

// decode appends the faces of grid k, whose first anchor has that number.
func (h *SCRFD) decode(dst []Detection, out Outputs, k, first int, minScore float32) ([]Detection, error) {
	scores, err := out.rows(h.Scores[k], 1)
	if err != nil {
		return nil, err
	}
	defer scores.free()
	boxes, err := out.rows(h.Boxes[k], 4)
	if err != nil {
		return nil, err
	}
	defer boxes.free()
	stride := h.Strides[k]
	if n := h.count(stride, out.Size); scores.dims[0] != n || boxes.dims[0] != n {
		return nil, anchorsError(scores.dims[0], boxes.dims[0], n, stride, out.Size)
	}
	for i, s := range scores.data {
		if s >= minScore {
			c, b, scale := h.center(i, stride, out.Size), boxes.data[4*i:], float32(stride)
			dst = add(dst, Rect{Point{c.X - b[0]*scale, c.Y - b[1]*scale}, Point{c.X + b[2]*scale, c.Y + b[3]*scale}}, s, 0, first+i)
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

// center returns the place of anchor i of a grid: the corner of its cell.
func (h *SCRFD) center(i, stride int, size image.Point) Point {
	place, columns := i/h.Anchors, size.X/stride
	return Point{float32(place % columns * stride), float32(place / columns * stride)}
}

// Finish implements Finisher.
func (h *SCRFD) Finish(found []Detection, out Outputs, _ Affine, _ image.Point) error {
	if h.Points == nil {
		return nil
	}
	if len(h.Points) != len(h.Strides) {
		return fail(common.ErrOption, "SCRFD has %d strides, but %d outputs for points", len(h.Strides), len(h.Points))
	}
	all, first := make([]KeyPoint, len(found)*facePoints), 0
	for k, stride := range h.Strides {
		points, err := out.rows(h.Points[k], 2*facePoints)
		if err != nil {
			return err
		}
		n, scale := h.count(stride, out.Size), float32(stride)
		if points.dims[0] != n {
			points.free()
			return anchorsError(n, points.dims[0], n, stride, out.Size)
		}
		for i := range found {
			d, row := &found[i], found[i].candidate-first
			if row < 0 || row >= n {
				continue // of another grid
			}
			c := h.center(row, stride, out.Size)
			d.Points, all = all[:facePoints:facePoints], all[facePoints:]
			for j := range d.Points {
				p := points.data[2*(row*facePoints+j):]
				d.Points[j] = KeyPoint{Point{c.X + p[0]*scale, c.Y + p[1]*scale}, 1}
			}
		}
		points.free()
		first += n
	}
	return nil
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
	return h, Input{Size: sizeOr(size, 640), Fit: LetterboxCorner, Mean: same(127.5), Std: same(128)}, face, true
}
