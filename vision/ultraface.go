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
	_, size, _, ok := colorInput(sig)
	rows := func(int) int {
		return 3*cells(size.X, size.Y, 8, 64) + 2*cells(size.X, size.Y, 16, 32)
	}
	scores, isScores := outputsOf(sig, 2, 1, rows)
	boxes, isBoxes := outputsOf(sig, 4, 1, rows)
	if !ok || len(sig.Outputs) != 2 || !isScores || !isBoxes || rowCount(sig.Outputs[scores[0]], 2) < 0 || rows(0) == 0 {
		return nil, Input{}, nil, false
	}
	return &UltraFace{scores[0], boxes[0]}, Input{Mean: same(127), Std: same(128)}, face, true
}
