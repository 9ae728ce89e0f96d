// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// The number of points of a face, and of one of BlazeFace.
const facePoints, blazePoints = 5, 6

// face are the labels of face detectors.
var face = []string{"face"}

// recognizeFaces recognizes detectors of faces whose head is Grids by the number of their
// outputs, the lengths of rows and, unless they depend on the picture, the numbers of rows. Of
// outputs with rows of one length that with the most rows is of the first grid.
func recognizeFaces(m *modelInfo) *Detector {
	h := &Grids{Strides: []int{8, 16, 32}, Anchors: [][]float32{{16, 32}, {64, 128}, {256, 512}}}
	d, n := &Detector{Head: h, MinScore: 0.5, Labels: face}, 1
	switch outputs := len(m.Outputs); outputs {
	case 2, 4:
		h.Form, n = BlazeFace, outputs/2
		d.Input = Input{Fit: Letterbox, Filter: LinearWarp, Mean: same(127.5), Std: same(127.5)}
		switch m.size {
		case image.Pt(128, 128): // short range, and front cameras
			h.Strides, h.Anchors = []int{8, 16}, [][]float32{{1, 1}, {1, 1, 1, 1, 1, 1}}
		case image.Pt(192, 192): // full range
			h.Strides, h.Anchors, d.MinScore = []int{4}, nil, 0.6
		case image.Pt(256, 256): // back cameras
			h.Strides, h.Anchors = []int{16, 32}, [][]float32{{1, 1}, {1, 1, 1, 1, 1, 1}}
		default:
			return nil
		}
	case 3:
		h.Form, d.MinScore = RetinaFace, 0.6
		d.Input = Input{BGR: true, Mean: [3]float32{123, 117, 104}}
	case 6, 9, 10, 15:
		h.Form, n = SCRFD, 3
		d.Input = Input{Fit: LetterboxByHeight, Mean: same(127.5), Std: same(128)}
		if outputs >= 10 {
			h.Strides, h.Anchors, n = []int{8, 16, 32, 64, 128}, nil, 5
		}
	default:
		return nil
	}
	var indexes [3][]int
	lengths := []int{gridForms[h.Form].scores, gridForms[h.Form].boxes, gridForms[h.Form].points}
	switch h.Form {
	case BlazeFace: // others have more points, or fewer
		lengths = []int{1, 4 + 2*blazePoints, 4 + 2*blazePoints}
	case SCRFD:
		lengths = lengths[:len(m.Outputs)/n] // points may be missing
	}
	for j, length := range lengths {
		for i, o := range m.Outputs {
			if rowCount(o, length) != 0 {
				indexes[j] = append(indexes[j], i)
			}
		}
		rows := func(i int) int { return rowCount(m.Outputs[i], length) }
		slices.SortStableFunc(indexes[j], func(a, b int) int { return rows(b) - rows(a) })
		for k, i := range indexes[j] {
			if rows(i) > 0 && min(m.size.X, m.size.Y) > 0 && rows(i) != h.rows(k, n, m.size) {
				return nil
			}
		}
		if len(indexes[j]) != n || n != 1 && n != len(h.Strides) || !m.color {
			return nil
		}
	}
	h.Scores, h.Boxes, h.Points = indexes[0], indexes[1], indexes[2]
	d.Input.Size = sizeOr(m.size, 640)
	return d
}

// recognizeUltraFace recognizes the Ultra-Light-Fast-Generic-Face-Detector, which decodes its
// boxes itself, by the number of its anchors.
func recognizeUltraFace(m *modelInfo) *Detector {
	anchors := 3*cells(m.size.X, m.size.Y, 8, 64) + 2*cells(m.size.X, m.size.Y, 16, 32)
	of := func(length int) int {
		return slices.IndexFunc(m.Outputs, func(o common.TensorInfo) bool { return rowCount(o, length) == anchors })
	}
	h := &Boxes{Boxes: of(4), Scores: of(2), ScoreColumn: 1, Classes: -1, Count: -1, Format: Corners, Units: Normalized}
	if !m.color || len(m.Outputs) != 2 || anchors == 0 || min(h.Boxes, h.Scores) < 0 {
		return nil
	}
	in := Input{Mean: same(127), Std: same(128)}
	return &Detector{Head: h, Input: in, Labels: face, MinScore: 0.7, NMS: NMSOptions{IoU: 0.5}}
}
