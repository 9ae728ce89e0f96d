// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// Faces is the head of detectors of faces whose outputs have a row for each anchor. Anchors
// are in the cells of grids.
type Faces struct {
	Form    FaceForm
	Strides []int // of each grid, in pixels of the input
	// Anchors are the sides of the anchors in a cell, for each grid. Boxes depend on them
	// with RetinaFace; with other forms only their number counts.
	Anchors [][]float32
	// The indexes of the outputs: one for all grids, or one for each. Points may be nil: with
	// BlazeFace they are in Boxes, with SCRFD faces have none then.
	Scores, Boxes, Points []int
}

// FaceForm is what rows of outputs mean.
type FaceForm uint8

const (
	// BlazeFace is the form of MediaPipe's detectors. A face has six points: the right eye,
	// the left eye, the tip of the nose, the middle of the mouth, the right ear and the left
	// ear, where right is the person's right.
	BlazeFace FaceForm = iota
	// SCRFD is the form of insightface's detectors. A face has five points: the eye at the
	// left in the picture, then the other, the tip of the nose, and the corners of the mouth,
	// the left one first, as Embedder.EmbedFace takes them.
	SCRFD
	// RetinaFace is the form of those RetinaFace that were trained with PyTorch. A face has
	// SCRFD's points.
	RetinaFace
)

// The number of points of a face.
const facePoints, blazePoints = 5, 6

// faceForms have the numbers in a row for scores, of which the last is that of a face, for
// boxes and for points, and the NMS and the input of the models' own programs.
var faceForms = [...]struct {
	scores, boxes, points int
	nms                   NMSOptions
	in                    Input
}{
	BlazeFace: {
		1, 4 + 2*blazePoints, 4 + 2*blazePoints, NMSOptions{IoU: 0.3, Weighted: true},
		Input{Fit: Letterbox, Filter: MediaPipe, Mean: same(127.5), Std: same(127.5)},
	},
	SCRFD: {
		1, 4, 2 * facePoints, NMSOptions{IoU: 0.4, PlusOne: true},
		Input{Fit: InsightFace, Mean: same(127.5), Std: same(128)},
	},
	RetinaFace: {
		2, 4, 2 * facePoints, NMSOptions{IoU: 0.4, PlusOne: true},
		Input{BGR: true, Mean: [3]float32{123, 117, 104}},
	},
}

// Suppression returns the options of the models' own programs.
func (f *Faces) Suppression() NMSOptions { return faceForms[int(f.Form)%len(faceForms)].nms }

// grids returns how many grids there are.
func (f *Faces) grids() int { return min(len(f.Strides), len(f.Anchors)) }

// rows returns how many rows output k of n has.
func (f *Faces) rows(k, n int, size image.Point) (rows int) {
	for grid := range f.grids() {
		if grid == k || n == 1 {
			rows += cells(size.X, size.Y, f.Strides[grid]) * len(f.Anchors[grid])
		}
	}
	return rows
}

// Decode implements Head.
func (f *Faces) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	form, n, points, first := faceForms[int(f.Form)%len(faceForms)], len(f.Scores), f.Points, 0
	if f.Form == BlazeFace {
		points, first, minScore = f.Boxes, 4, logit(minScore)
	}
	if len(f.Boxes) != n || points != nil && len(points) != n || n != 1 && n != max(f.grids(), 1) {
		return dst, fail(common.ErrOption, "the head has %d outputs for scores, %d for boxes, %d for points and %d grids; "+
			"outputs are 1 or as many as grids", n, len(f.Boxes), len(points), f.grids())
	}
	anchor := 0
	for k := range n {
		var err error
		read := func(outputs []int, columns int) (a array) {
			if err != nil || outputs == nil {
				return a
			}
			a, err = out.array(outputs[k], 2)
			if rows := f.rows(k, n, out.Size); err == nil && (rows == 0 || rows != a.dims[0] || columns != a.dims[1]) {
				err = fail(common.ErrShape, "output %d has %d rows of %d numbers, not %d rows of %d for the anchors in grids of the strides %v "+
					"in a picture of %v", outputs[k], a.dims[0], a.dims[1], rows, columns, f.Strides, out.Size)
			}
			return a
		}
		scores, boxes, points := read(f.Scores, form.scores), read(f.Boxes, form.boxes), read(points, form.points)
		if err != nil {
			return dst, err
		}
		for i := range scores.dims[0] {
			score, before := scores.row(i)[form.scores-1], len(dst)
			if !(score >= minScore) {
				continue
			}
			if f.Form == BlazeFace {
				score = sigmoid(score)
			}
			box, from, unit := f.face(anchor+i, out.Size, boxes.row(i))
			if dst = add(dst, box, score, 0, anchor+i); len(dst) > before && points.data != nil {
				dst[before].Points = pointsFrom(from, unit, points.row(i)[first:])
			}
		}
		anchor += scores.dims[0]
	}
	return dst, nil
}

// face returns the box of an anchor, which exists, and from where and in what unit the points
// in its row count.
func (f *Faces) face(anchor int, size image.Point, row []float32) (box Rect, from Point, unit float32) {
	grid := 0
	for ; anchor >= f.rows(grid, f.grids(), size); grid++ {
		anchor -= f.rows(grid, f.grids(), size)
	}
	each := len(f.Anchors[grid])
	x, y, stride := cell(anchor/each, size, f.Strides[grid:])
	from, unit = Point{(float32(x) + 0.5) * stride, (float32(y) + 0.5) * stride}, 1
	switch f.Form {
	case SCRFD:
		from, unit = Point{float32(x) * stride, float32(y) * stride}, stride
		corners := [4]float32{from.X - row[0]*unit, from.Y - row[1]*unit, from.X + row[2]*unit, from.Y + row[3]*unit}
		return Corners.rect(corners, Point{1, 1}), from, unit
	case RetinaFace:
		const centers, sizes = 0.1, 0.2 // the variances by which training divided the numbers
		side := f.Anchors[grid][anchor%each]
		grow := func(v float32) float32 { return side * float32(math.Exp(float64(v)*sizes)) }
		unit, row = centers*side, []float32{row[0], row[1], grow(row[2]), grow(row[3])}
	}
	return CenterSize.rect([4]float32{from.X + row[0]*unit, from.Y + row[1]*unit, row[2], row[3]}, Point{1, 1}), from, unit
}

// pointsFrom returns the points whose coordinates count from a point in that unit.
func pointsFrom(from Point, unit float32, coordinates []float32) []KeyPoint {
	all := make([]KeyPoint, len(coordinates)/2)
	for i := range all {
		all[i] = KeyPoint{Point{from.X + coordinates[2*i]*unit, from.Y + coordinates[2*i+1]*unit}, 1}
	}
	return all
}

// face are the labels of face detectors.
var face = []string{"face"}

// recognizeFaces recognizes the outputs of Faces by how many there are, by the length of
// their rows and, unless they depend on the picture, by how many rows they have. Of outputs
// with rows of one length the first grid, which has the most anchors, is the longest.
func recognizeFaces(m *modelInfo) *Detector {
	h := &Faces{Strides: []int{8, 16, 32}, Anchors: [][]float32{{16, 32}, {64, 128}, {256, 512}}}
	d, n := &Detector{Head: h, MinScore: 0.5, Labels: face}, 1
	switch outputs := len(m.Outputs); outputs {
	case 2, 4:
		h.Form, n = BlazeFace, outputs/2
		h.Anchors = [][]float32{{1, 1}, {1, 1, 1, 1, 1, 1}}
		switch m.size {
		case image.Pt(128, 128): // short range, and front cameras
			h.Strides = []int{8, 16}
		case image.Pt(192, 192): // full range
			h.Strides, h.Anchors, d.MinScore = []int{4}, [][]float32{{1}}, 0.6
		case image.Pt(256, 256): // back cameras
			h.Strides = []int{16, 32}
		default:
			return nil
		}
	case 3:
		h.Form, d.MinScore = RetinaFace, 0.6
	case 6, 9:
		h.Form, n = SCRFD, 3
	case 10, 15:
		h.Form, n = SCRFD, 5
		h.Strides, h.Anchors = []int{8, 16, 32, 64, 128}, [][]float32{{16}, {32}, {64}, {128}, {256}}
	default:
		return nil
	}
	form, indexes := faceForms[h.Form], [3][]int{}
	for j, columns := range []int{form.scores, form.boxes, form.points}[:len(m.Outputs)/n] {
		for i, o := range m.Outputs {
			if rowCount(o, columns) != 0 {
				indexes[j] = append(indexes[j], i)
			}
		}
		rows := func(i int) int { return rowCount(m.Outputs[i], columns) }
		slices.SortStableFunc(indexes[j], func(a, b int) int { return rows(b) - rows(a) })
		for k, i := range indexes[j] {
			if rows(i) > 0 && min(m.size.X, m.size.Y) > 0 && rows(i) != h.rows(k, n, m.size) {
				return nil
			}
		}
		if len(indexes[j]) != n || n != 1 && n != h.grids() {
			return nil
		}
	}
	h.Scores, h.Boxes, h.Points = indexes[0], indexes[1], indexes[2]
	d.Input = form.in
	d.Input.Size = sizeOr(m.size, 640)
	return d
}

// recognizeUltraFace recognizes the Ultra-Light-Fast-Generic-Face-Detector, which decodes its
// boxes itself, by the number of its anchors.
func recognizeUltraFace(m *modelInfo) *Detector {
	anchors := 3*cells(m.size.X, m.size.Y, 8, 64) + 2*cells(m.size.X, m.size.Y, 16, 32)
	of := func(columns int) int {
		return slices.IndexFunc(m.Outputs, func(o common.TensorInfo) bool { return anchors > 0 && rowCount(o, columns) == anchors })
	}
	h := &Boxes{Boxes: of(4), Scores: of(2), ScoreColumn: 1, Classes: -1, Count: -1, Format: Corners, Units: Normalized}
	if !m.color || len(m.Outputs) != 2 || min(h.Boxes, h.Scores) < 0 {
		return nil
	}
	in := Input{Mean: same(127), Std: same(128)}
	return &Detector{Head: h, Input: in, Labels: face, MinScore: 0.7, NMS: NMSOptions{IoU: 0.5}}
}
