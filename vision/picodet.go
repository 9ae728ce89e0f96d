// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"cmp"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// PicoDet is the head of PicoDet, NanoDet and NanoDet-Plus without NMS: for each cell
// of a grid for each stride, scores, and the distances to the four sides of a box in
// strides. A distance is a number, or the mean of a distribution over 0, 1, 2 and so on.
type PicoDet struct {
	Strides []int // nil: 8, 16, 32, 64
	// The indexes of the outputs with scores and distances, one for each stride; nil: output
	// 0 has a row for each cell of all strides, with Classes scores and then the distances.
	Scores, Distances []int
	Classes           int
	Corner            bool    // distances are from a cell's top left, as in NanoDet-Plus, not from its center
	MaxIoU            float32 // for NMS; 0: 0.5
}

var picoDetStrides = []int{8, 16, 32, 64}

// Suppression returns NMS by class.
func (p *PicoDet) Suppression() NMSOptions { return NMSOptions{IoU: cmp.Or(p.MaxIoU, 0.5)} }

// Decode implements Head.
func (p *PicoDet) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	strides := p.Strides
	if strides == nil {
		strides = picoDetStrides
	}
	if p.Scores == nil && p.Distances == nil {
		a, err := out.array(0, 2)
		if err != nil {
			return dst, err
		}
		defer a.free()
		return p.decode(dst, a, a, p.Classes, p.Classes, strides, out, minScore)
	}
	if len(p.Scores) != len(strides) || len(p.Scores) != len(p.Distances) {
		return dst, fail(common.ErrCount, "the head has %d outputs of scores and %d of distances for %d strides", len(p.Scores), len(p.Distances), len(strides))
	}
	for i := range strides {
		scores, distances, err := out.pair(p.Scores[i], 0, p.Distances[i], 0)
		if err != nil {
			return dst, err
		}
		dst, err = p.decode(dst, scores, distances, scores.dims[1], 0, strides[i:i+1], out, minScore)
		scores.free()
		distances.free()
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// decode appends what cells of these grids have found. The distances are behind a number
// of others in their row.
func (p *PicoDet) decode(dst []Detection, scores, distances array, classes, before int, strides []int, out Outputs, minScore float32) ([]Detection, error) {
	width, step, center := distances.dims[1], scores.dims[1], float32(0.5)
	bins := (width - before) / 4
	if classes < 1 || bins < 1 || width != before+4*bins || scores.dims[0] != cells(out.Size, strides...) {
		return dst, fail(common.ErrShape, "outputs have %d rows of scores and %d numbers for distances; the strides %v in an input of %v make %d rows, of 4 distances or distributions",
			scores.dims[0], width-before, strides, out.Size, cells(out.Size, strides...))
	}
	if p.Corner {
		center = 0
	}
	for i := range scores.dims[0] {
		score, class := best(scores.data[i*step:][:classes])
		if class < 0 || !(score >= minScore) {
			continue
		}
		var side [4]float32
		for k := range side {
			side[k] = mean(distances.data[i*width+before+k*bins:][:bins])
		}
		column, row, stride := cell(i, out.Size, strides)
		x, y := float32(column)+center, float32(row)+center
		dst = add(dst, Corners.rect(x-side[0], y-side[1], x+side[2], y+side[3], Point{stride, stride}), score, class, i)
	}
	return dst, nil
}

// mean returns the mean of the distribution over 0, 1, 2 and so on that logits are, or
// a single number as it is.
func mean(logits []float32) float32 {
	if len(logits) == 1 {
		return logits[0]
	}
	var sum, total float64
	most := slices.Max(logits)
	for i, v := range logits {
		e := math.Exp(float64(v - most))
		sum, total = sum+e*float64(i), total+e
	}
	return float32(sum / total)
}
