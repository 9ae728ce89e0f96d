// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"cmp"
	"image"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// anchored is a head of faces whose outputs have a row for each anchor. Anchors are in the
// cells of grids. Each grid has outputs of its own, or one output has all.
type anchored interface {
	strides() []int
	anchors(grid int) int // in each cell
	// origin returns from where the numbers of anchor n of a cell count, and in what unit.
	origin(grid, n int, center Point) (from Point, unit float32)
	rect(from Point, unit float32, row []float32) Rect
}

// face are the labels of face detectors.
var face = []string{"face"}

// facePoints is how many points a face has. BlazeFace's have more.
const facePoints = 5

// anchorRows returns how many rows output k of n has.
func anchorRows(h anchored, k, n int, size image.Point) (rows int) {
	for grid, stride := range h.strides() {
		if grid == k || n == 1 {
			rows += cells(size.X, size.Y, stride) * h.anchors(grid)
		}
	}
	return rows
}

// findAnchor returns the grid and the origin of a candidate, and its row in the grid.
func findAnchor(h anchored, candidate int, size image.Point) (grid, row int, from Point, unit float32) {
	strides := h.strides()
	for row = candidate; grid < len(strides); grid++ {
		if n := anchorRows(h, grid, len(strides), size); row >= n {
			row -= n
			continue
		}
		each := h.anchors(grid)
		x, y, side := cell(row/each, size, strides[grid:])
		from, unit = h.origin(grid, row%each, Point{(float32(x) + 0.5) * side, (float32(y) + 0.5) * side})
		break
	}
	return grid, row, from, unit
}

// anchorOutput returns output k of a head, which has a row for each of its anchors. The
// caller frees the array.
func anchorOutput(h anchored, out Outputs, outputs []int, k, columns int) (array, error) {
	a, err := out.rows(outputs[k], columns)
	if n := a.dims[0]; err == nil && (n == 0 || n != anchorRows(h, k, len(outputs), out.Size)) {
		a.free()
		err = fail(common.ErrShape, "output %d has %d rows, but grids of the strides %v in a picture of %v have another number of anchors", outputs[k], n, h.strides(), out.Size)
	}
	return a, err
}

// decodeFaces appends the faces whose score, the last number of a row, is at least minScore.
func decodeFaces(h anchored, dst []Detection, out Outputs, minScore float32, scores []int, scoreColumns int, boxes []int, boxColumns int) ([]Detection, error) {
	grids := len(h.strides())
	if n := len(scores); len(boxes) != n || n != 1 && n != max(grids, 1) {
		return dst, fail(common.ErrOption, "the head has %d outputs for scores, %d for boxes, and %d strides with anchors; outputs are 1 or as many as strides", n, len(boxes), grids)
	}
	first := 0
	for k := range scores {
		s, err := anchorOutput(h, out, scores, k, scoreColumns)
		if err != nil {
			return dst, err
		}
		b, err := anchorOutput(h, out, boxes, k, boxColumns)
		for i := 0; i < s.dims[0] && err == nil; i++ {
			if score := s.data[(i+1)*scoreColumns-1]; score >= minScore {
				_, _, from, unit := findAnchor(h, first+i, out.Size)
				dst = add(dst, h.rect(from, unit, b.data[i*boxColumns:][:boxColumns]), score, 0, first+i)
			}
		}
		first += s.dims[0]
		s.free()
		b.free()
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// findPoints sets the points of faces, which are the numbers from skip on in rows of outputs.
func findPoints(h anchored, found []Detection, out Outputs, outputs []int, skip, columns int) error {
	each := (columns - skip) / 2
	all := make([]KeyPoint, len(found)*each)
	for k := range outputs {
		a, err := anchorOutput(h, out, outputs, k, columns)
		if err != nil {
			return err
		}
		for i := range found {
			grid, row, from, unit := findAnchor(h, found[i].candidate, out.Size)
			if len(outputs) == 1 {
				grid, row = 0, found[i].candidate
			}
			if grid != k {
				continue
			}
			found[i].Points, all = all[:each:each], all[each:]
			for j := range found[i].Points {
				p := a.data[row*columns+skip+2*j:]
				found[i].Points[j] = KeyPoint{Point{from.X + p[0]*unit, from.Y + p[1]*unit}, 1}
			}
		}
		a.free()
	}
	return nil
}

// faceOutputs returns, for each number of columns, the outputs with rows of so many numbers,
// those with most rows first. It is ok if there are n each and no others, and if they have
// a row for each anchor of h, unless that is nil or one of both numbers depends on the
// picture.
func faceOutputs(sig common.Signature, h anchored, n int, columns ...int) (all [][]int, ok bool) {
	_, size, _, ok := colorInput(sig)
	ok = ok && len(sig.Outputs) == n*len(columns)
	for _, c := range columns {
		var some []int
		for i, info := range sig.Outputs {
			if rowCount(info, c) != 0 {
				some = append(some, i)
			}
		}
		slices.SortStableFunc(some, func(i, j int) int { return cmp.Compare(rowCount(sig.Outputs[j], c), rowCount(sig.Outputs[i], c)) })
		for k, i := range some {
			rows := rowCount(sig.Outputs[i], c)
			ok = ok && (rows < 0 || h == nil || min(size.X, size.Y) == 0 || rows == anchorRows(h, k, n, size))
		}
		all, ok = append(all, some), ok && len(some) == n
	}
	return all, ok
}

// BlazeFace is the head of MediaPipe's face detectors. A face has six points: the right
// eye, the left eye, the tip of the nose, the middle of the mouth, the right ear and the
// left ear, where right is the person's right.
type BlazeFace struct {
	Strides []int // of each grid, in pixels of the input
	Anchors []int // at each place of the grid
	Scores  []int // the outputs with one number an anchor: one for all grids, or one for each
	Boxes   []int // likewise with 16 numbers
}

const (
	blazePoints  = 6
	blazeColumns = 4 + 2*blazePoints
)

// MinScore returns what MediaPipe's face detection asks for: more of the model with one grid.
func (h *BlazeFace) MinScore() float32 {
	if len(h.Strides) == 1 {
		return 0.6
	}
	return 0.5
}

// Suppression returns the options of MediaPipe's face detection.
func (h *BlazeFace) Suppression() NMSOptions { return NMSOptions{IoU: 0.3, Weighted: true} }

func (h *BlazeFace) strides() []int                                 { return h.Strides[:min(len(h.Strides), len(h.Anchors))] }
func (h *BlazeFace) anchors(grid int) int                           { return h.Anchors[grid] }
func (h *BlazeFace) origin(_, _ int, center Point) (Point, float32) { return center, 1 }
func (h *BlazeFace) rect(from Point, _ float32, row []float32) Rect {
	return CenterSize.rect(from.X+row[0], from.Y+row[1], row[2], row[3], Point{1, 1})
}

// Decode implements Head. It sets the points too, because NMS averages them.
func (h *BlazeFace) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	before := len(dst)
	dst, err := decodeFaces(h, dst, out, logit(minScore), h.Scores, 1, h.Boxes, blazeColumns)
	if err != nil {
		return dst, err
	}
	for i := range dst[before:] {
		dst[before+i].Score = sigmoid(dst[before+i].Score)
	}
	return dst, findPoints(h, dst[before:], out, h.Boxes, 4, blazeColumns)
}

func recognizeBlazeFace(sig common.Signature, _ map[string]string) (Head, Input, []string, bool) {
	_, size, _, _ := colorInput(sig)
	h := map[image.Point]*BlazeFace{
		{128, 128}: {Strides: []int{8, 16}, Anchors: []int{2, 6}},  // short range, and front cameras
		{256, 256}: {Strides: []int{16, 32}, Anchors: []int{2, 6}}, // back cameras
		{192, 192}: {Strides: []int{4}, Anchors: []int{1}},         // full range
	}[size]
	n := len(sig.Outputs) / 2
	if h == nil || n != 1 && n != len(h.Strides) {
		return nil, Input{}, nil, false
	}
	all, ok := faceOutputs(sig, h, n, 1, blazeColumns)
	h.Scores, h.Boxes = all[0], all[1]
	return h, Input{Fit: Letterbox, Filter: LinearWarp, Mean: same(127.5), Std: same(127.5)}, face, ok
}

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

func (h *SCRFD) strides() []int  { return h.Strides }
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
	_, size, _, _ := colorInput(sig)
	h := &SCRFD{Strides: []int{8, 16, 32}, Anchors: 2}
	if n := len(sig.Outputs); n == 10 || n == 15 {
		h.Strides, h.Anchors = []int{8, 16, 32, 64, 128}, 1
	}
	all, ok := faceOutputs(sig, h, len(h.Strides), 1, 4)
	if !ok {
		all, ok = faceOutputs(sig, h, len(h.Strides), 1, 4, 2*facePoints)
		h.Points = all[2]
	}
	h.Scores, h.Boxes = all[0], all[1]
	return h, Input{Size: sizeOr(size, 640), Fit: LetterboxByHeight, Mean: same(127.5), Std: same(128)}, face, ok
}

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

func (h *RetinaFace) strides() []int       { return h.Strides[:min(len(h.Strides), len(h.Sides))] }
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
	_, size, _, _ := colorInput(sig)
	h := &RetinaFace{Strides: []int{8, 16, 32}, Sides: [][]float32{{16, 32}, {64, 128}, {256, 512}}}
	all, ok := faceOutputs(sig, h, 1, 2, 4, 2*facePoints)
	if ok {
		h.Scores, h.Boxes, h.Points = all[0][0], all[1][0], all[2][0]
	}
	return h, Input{Size: sizeOr(size, 640), BGR: true, Mean: [3]float32{123, 117, 104}}, face, ok
}

// UltraFace is the head of the Ultra-Light-Fast-Generic-Face-Detector, which decodes its
// boxes itself.
type UltraFace struct {
	Scores, Boxes int // the outputs, with 2 and 4 numbers a box
}

// MinScore returns the score that UltraFace's own program asks for.
func (h *UltraFace) MinScore() float32 { return 0.7 }

// Suppression returns the options of UltraFace's own program.
func (h *UltraFace) Suppression() NMSOptions { return NMSOptions{IoU: 0.5} }

// Decode implements Head.
func (h *UltraFace) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	scores, boxes, err := out.pair(h.Scores, 2, h.Boxes, 4)
	if err != nil {
		return dst, err
	}
	defer scores.free()
	defer boxes.free()
	scale := Point{float32(out.Size.X), float32(out.Size.Y)}
	for i := range scores.dims[0] {
		if s := scores.data[2*i+1]; s >= minScore {
			b := boxes.data[4*i:]
			dst = add(dst, Corners.rect(b[0], b[1], b[2], b[3], scale), s, 0, i)
		}
	}
	return dst, nil
}

func recognizeUltraFace(sig common.Signature, _ map[string]string) (Head, Input, []string, bool) {
	_, size, _, _ := colorInput(sig)
	rows := 3*cells(size.X, size.Y, 8, 64) + 2*cells(size.X, size.Y, 16, 32)
	all, ok := faceOutputs(sig, nil, 1, 2, 4)
	if !ok || rowCount(sig.Outputs[all[0][0]], 2) != rows || rowCount(sig.Outputs[all[1][0]], 4) != rows {
		return nil, Input{}, nil, false
	}
	return &UltraFace{all[0][0], all[1][0]}, Input{Mean: same(127), Std: same(128)}, face, true
}
