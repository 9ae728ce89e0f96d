// SPDX-License-Identifier: Apache-2.0

package vision

import "github.com/anyinfer/anyinfer/common"

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
	if boxes.dims[0] != scores.dims[0] {
		return nil, fail(common.ErrShape, "the outputs have %d scores, but %d boxes", scores.dims[0], boxes.dims[0])
	}
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
	_, size, _, ok := colorInput(sig)
	scores, boxes := withRows(sig, 2), withRows(sig, 4)
	if !ok || len(sig.Outputs) != 2 || len(scores) != 1 || len(boxes) != 1 {
		return nil, Input{}, nil, false
	}
	n := 0
	for _, grid := range [][2]int{{8, 3}, {16, 2}, {32, 2}, {64, 3}} { // strides, and boxes at each place
		n += (size.X + grid[0] - 1) / grid[0] * ((size.Y + grid[0] - 1) / grid[0]) * grid[1]
	}
	ok = n > 0 && rowCount(sig.Outputs[scores[0]], 2) == n && rowCount(sig.Outputs[boxes[0]], 4) == n
	return &UltraFace{scores[0], boxes[0]}, Input{Mean: same(127), Std: same(128)}, face, ok
}
