// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"math"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	about "github.com/anyinfer/anyinfer/internal/metadata"
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

// Suppression returns NMS by class.
func (p *PicoDet) Suppression() NMSOptions {
	if p.MaxIoU != 0 {
		return NMSOptions{IoU: p.MaxIoU}
	}
	return NMSOptions{IoU: 0.5}
}

// Decode implements Head.
func (p *PicoDet) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	strides := p.Strides
	if strides == nil {
		strides = picoDetStrides
	}
	if p.Scores != nil && len(p.Scores) != len(strides) || len(p.Scores) != len(p.Distances) {
		return dst, fail(common.ErrCount, "the head has %d outputs of scores and %d of distances for %d strides", len(p.Scores), len(p.Distances), len(strides))
	}
	first, err := 0, error(nil)
	for i, stride := range strides {
		if dst, err = p.grid(dst, out, i, stride, first, minScore); err != nil {
			return dst, err
		}
		first += cells(out.Size.X, out.Size.Y, stride)
	}
	return dst, nil
}

// grid decodes the grid of one stride, whose first cell is that of all cells.
func (p *PicoDet) grid(dst []Detection, out Outputs, i, stride, first int, minScore float32) ([]Detection, error) {
	scoresAt, distancesAt, row := 0, 0, first
	if p.Scores != nil {
		scoresAt, distancesAt, row = p.Scores[i], p.Distances[i], 0
	}
	scores, err := out.array(scoresAt, 2)
	if err != nil {
		return dst, err
	}
	defer scores.free()
	distances, classes, begin := scores, scores.dims[1], 0
	if distancesAt != scoresAt {
		if distances, err = out.array(distancesAt, 2); err != nil {
			return dst, err
		}
		defer distances.free()
	} else {
		classes, begin = p.Classes, p.Classes
	}
	n := cells(out.Size.X, out.Size.Y, stride)
	bins := (distances.dims[1] - begin) / 4
	if classes < 1 || bins < 1 || distances.dims[1] != begin+4*bins || row+n > scores.dims[0] || row+n > distances.dims[0] {
		return dst, fail(common.ErrShape, "outputs %d and %d have the shapes %v and %v, not %d cells of stride %d from %d on with scores and distances",
			scoresAt, distancesAt, scores.dims[:2], distances.dims[:2], n, stride, row)
	}
	center := float32(0.5)
	if p.Corner {
		center = 0
	}
	columns, s := (out.Size.X+stride-1)/stride, float32(stride)
	for c := range n {
		score, class := best(scores.data[(row+c)*scores.dims[1]:][:classes])
		if class < 0 || !(score >= minScore) {
			continue
		}
		var side [4]float32
		for k := range side {
			side[k] = mean(distances.data[(row+c)*distances.dims[1]+begin+k*bins:][:bins])
		}
		x, y := float32(c%columns)+center, float32(c/columns)+center
		dst = add(dst, Corners.rect(x-side[0], y-side[1], x+side[2], y+side[3], Point{s, s}), score, class, first+c)
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

var picoDetStrides = []int{8, 16, 32, 64}

// recognizePicoDet recognizes a pair of outputs for each of three or four strides, and
// the single output of NanoDet-Plus, which has the shape of others too, by its name.
func recognizePicoDet(sig common.Signature, metadata map[string]string) (Head, Input, []string, bool) {
	at := pictureInput(sig)
	if at < 0 || len(sig.Inputs) != 1 {
		return nil, Input{}, nil, false
	}
	width, height, _ := pictureSize(sig.Inputs[at], nil)
	nanoDet := Input{BGR: true, Mean: [3]float32{123.675, 116.28, 103.53}, Std: [3]float32{58.395, 57.12, 57.375}}
	if len(sig.Outputs) == 1 {
		s := sig.Outputs[0].Shape
		if sig.Inputs[at].Name != "data" || len(s) != 3 || width == 0 || height == 0 || s[1] != cells(width, height, picoDetStrides...) || s[2] <= 32 {
			return nil, Input{}, nil, false
		}
		return &PicoDet{Classes: s[2] - 32, Corner: true, MaxIoU: 0.6}, nanoDet, picoDetLabels(metadata, s[2]-32), true
	}
	n := len(sig.Outputs) / 2
	if n != 3 && n != 4 || len(sig.Outputs) != 2*n || width == 0 || height == 0 {
		return nil, Input{}, nil, false
	}
	p, classes := &PicoDet{}, 0
	for _, stride := range picoDetStrides[:n] {
		scores, distances := -1, -1
		for i, o := range sig.Outputs {
			if len(o.Shape) != 3 || o.Shape[1] != cells(width, height, stride) {
				continue
			}
			named := strings.Contains(o.Name, "cls_") || strings.Contains(o.Name, "dis_") // else the length shows what it is
			if isScores := strings.Contains(o.Name, "cls_") || !named && o.Shape[2] != 32; isScores && scores < 0 && o.Shape[2] > 0 {
				scores = i
			} else if !isScores && distances < 0 {
				distances = i
			}
		}
		if scores < 0 || distances < 0 || classes > 0 && classes != sig.Outputs[scores].Shape[2] {
			return nil, Input{}, nil, false
		}
		classes = sig.Outputs[scores].Shape[2]
		p.Strides, p.Scores, p.Distances = append(p.Strides, stride), append(p.Scores, scores), append(p.Distances, distances)
	}
	if n == 3 || strings.Contains(sig.Outputs[0].Name, "_pred_stride_") {
		p.MaxIoU = 0.6
		return p, nanoDet, picoDetLabels(metadata, classes), true
	}
	return p, Input{Mean: imageNetMean, Std: imageNetStd}, picoDetLabels(metadata, classes), true
}

// picoDetLabels returns the labels that metadata has, also those in lines, or COCO's.
func picoDetLabels(metadata map[string]string, classes int) []string {
	labels := about.Names(metadata)
	if text := strings.TrimSpace(metadata["character"]); len(labels) == 0 && text != "" {
		labels = strings.Split(text, "\n")
	}
	if len(labels) == 0 && classes == 80 {
		labels = COCO()
	}
	return labels
}
