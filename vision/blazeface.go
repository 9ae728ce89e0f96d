// SPDX-License-Identifier: Apache-2.0

package vision

import "github.com/anyinfer/anyinfer/common"

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

// MinScore returns the score that MediaPipe's face detection asks for: more for the full
// range, which has one grid.
func (h *BlazeFace) MinScore() float32 {
	if len(h.Strides) == 1 {
		return 0.6
	}
	return 0.5
}

// Suppression returns the options of MediaPipe's face detection.
func (h *BlazeFace) Suppression() NMSOptions { return NMSOptions{IoU: 0.3, Weighted: true} }

func (h *BlazeFace) strides() []int { return h.Strides[:min(len(h.Strides), len(h.Anchors))] }

func (h *BlazeFace) anchors(grid int) int { return h.Anchors[grid] }

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
	_, size, _, ok := colorInput(sig)
	h := map[int]*BlazeFace{
		128: {Strides: []int{8, 16}, Anchors: []int{2, 6}},  // short range, and front cameras
		256: {Strides: []int{16, 32}, Anchors: []int{2, 6}}, // back cameras
		192: {Strides: []int{4}, Anchors: []int{1}},         // full range
	}[size.X]
	if !ok || h == nil || size.X != size.Y {
		return nil, Input{}, nil, false
	}
	n := len(sig.Outputs) / 2
	rows := func(k int) int { return anchorRows(h, k, n, size) }
	var scores, boxes bool
	h.Scores, scores = outputsOf(sig, 1, n, rows)
	h.Boxes, boxes = outputsOf(sig, blazeColumns, n, rows)
	ok = scores && boxes && (n == 1 || n == len(h.Strides)) && len(sig.Outputs) == 2*n
	return h, Input{Fit: Letterbox, Filter: MediaPipe, Mean: same(127.5), Std: same(127.5)}, face, ok
}
