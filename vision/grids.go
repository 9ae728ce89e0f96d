// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// Grids is the head of models whose outputs have a row of numbers for each anchor in the cells
// of grids: PicoDet and NanoDet without NMS, YOLOX, and detectors of faces.
type Grids struct {
	Form    GridForm
	Strides []int // of each grid, in pixels of the input
	// Anchors are the sides of the anchors in a cell, for each grid. Boxes depend on them with
	// RetinaFace; with other forms only their number counts. A grid without them has one.
	Anchors [][]float32
	// The indexes of the outputs: one for all grids, or one for each. Points may be nil. They
	// may be the same ones: for YOLOX; for others if Classes scores are before the box in a
	// row; for BlazeFace, whose points are behind the box.
	Scores, Boxes, Points []int
	Classes               int
}

// GridForm is what the numbers in rows mean.
type GridForm uint8

const (
	// PicoDet has scores, and the distances of the four sides of a box from the center of a
	// cell in strides. A distance is a number, or the mean of a distribution over 0, 1, 2 and
	// so on.
	PicoDet GridForm = iota
	// NanoDet is PicoDet with another NMS.
	NanoDet
	// NanoDetPlus is NanoDet with distances from a cell's top left.
	NanoDetPlus
	// YOLOX has the center and size of a box, which count from a cell, the score that there is
	// any object, and those of classes.
	YOLOX
	// SCRFD is the form of insightface's detectors: distances from a cell's top left. A face
	// has five points: the eye at the left in the picture, then the other, the tip of the
	// nose, and the corners of the mouth, the left one first, as Embedder.EmbedFace takes them.
	SCRFD
	// RetinaFace is the form of those RetinaFace that were trained with PyTorch. A face has
	// SCRFD's points.
	RetinaFace
	// BlazeFace is the form of MediaPipe's detectors. A face has six points: the right eye,
	// the left eye, the tip of the nose, the middle of the mouth, the right ear and the left
	// ear, where right is the person's right. A palm has seven, a body four.
	BlazeFace
)

// gridForms have the numbers in a row of outputs, if the form tells, where an anchor is in its
// cell, and the NMS of the models' own programs.
var gridForms = [...]struct {
	scores, boxes, points int
	at                    float32
	nms                   NMSOptions
}{
	PicoDet:     {at: 0.5, nms: NMSOptions{IoU: 0.5}},
	NanoDet:     {at: 0.5, nms: NMSOptions{IoU: 0.6}},
	NanoDetPlus: {at: 0, nms: NMSOptions{IoU: 0.6}},
	YOLOX:       {at: 0, nms: NMSOptions{IoU: 0.45, Agnostic: true, PlusOne: true}},
	SCRFD:       {1, 4, 2 * facePoints, 0, NMSOptions{IoU: 0.4, PlusOne: true}},
	RetinaFace:  {2, 4, 2 * facePoints, 0.5, NMSOptions{IoU: 0.4, PlusOne: true}},
	BlazeFace:   {1, 0, 0, 0.5, NMSOptions{IoU: 0.3, Weighted: true}},
}

// Suppression returns the options of the models' own programs.
func (g *Grids) Suppression() NMSOptions { return gridForms[int(g.Form)%len(gridForms)].nms }

// anchors returns the sides of the anchors in a cell of a grid.
func (g *Grids) anchors(grid int) []float32 {
	if grid < len(g.Anchors) {
		return g.Anchors[grid]
	}
	return oneAnchor
}

var oneAnchor = []float32{1}

// rows returns how many rows output k of n has.
func (g *Grids) rows(k, n int, size image.Point) (rows int) {
	for grid, stride := range g.Strides {
		if grid == k || n == 1 {
			rows += cells(size.X, size.Y, stride) * len(g.anchors(grid))
		}
	}
	return rows
}

// Decode implements Head.
func (g *Grids) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	form, n, anchor := gridForms[int(g.Form)%len(gridForms)], len(g.Scores), 0
	if len(g.Boxes) != n || g.Points != nil && len(g.Points) != n || n != 1 && n != max(len(g.Strides), 1) {
		return dst, fail(common.ErrOption, "the head has %d outputs for scores, %d for boxes, %d for points and %d strides; "+
			"outputs are 1 or as many as strides", n, len(g.Boxes), len(g.Points), len(g.Strides))
	}
	if g.Form == BlazeFace {
		minScore = logit(minScore)
	}
	for k := range n {
		var err error
		read := func(outputs []int, columns int) (a array) {
			if err != nil || outputs == nil {
				return a
			}
			a, err = out.array(outputs[k], 2)
			rows := g.rows(k, n, out.Size)
			if err == nil && (rows == 0 || rows != a.dims[0] || columns != 0 && columns != a.dims[1]) {
				err = fail(common.ErrShape, "output %d has %d rows of %d numbers, not %d for anchors of the strides %v in %v",
					outputs[k], a.dims[0], a.dims[1], rows, g.Strides, out.Size)
			}
			return a
		}
		scores, boxes, points := read(g.Scores, form.scores), read(g.Boxes, form.boxes), read(g.Points, form.points)
		switch {
		case g.Form == YOLOX: // the fifth number is the score of any object
			boxes.end, scores.first = 4, 5
		case g.Form == RetinaFace: // the background's score is the first
			scores.first = 1
		case g.Form == BlazeFace:
			boxes.end, points.first = 4, 4
		case g.Scores[k] == g.Boxes[k]:
			scores.end, boxes.first = g.Classes, g.Classes
		}
		classes, sides := scores.end-scores.first, boxes.end-boxes.first
		if err == nil && (classes < 1 || sides < 4 || sides%4 != 0 || boxes.end > boxes.dims[1]) {
			err = fail(common.ErrShape, "output %d has %d scores in a row, output %d %d of %d numbers for 4 sides",
				g.Scores[k], classes, g.Boxes[k], sides, boxes.dims[1])
		}
		if err != nil {
			return dst, err
		}
		for i := range scores.dims[0] {
			object := float32(1)
			if g.Form == YOLOX {
				if object = scores.data[i*scores.dims[1]+4]; !(object >= minScore) {
					continue
				}
			}
			score, class := best(scores.row(i))
			if score *= object; class < 0 || !(score >= minScore) {
				continue
			}
			if g.Form == BlazeFace {
				score = sigmoid(score)
			}
			before := len(dst)
			box, from, unit := g.box(anchor+i, out.Size, boxes.row(i))
			if dst = add(dst, box, score, class, anchor+i); len(dst) > before && g.Points != nil {
				dst[before].Points = pointsFrom(from, unit, points.row(i))
			}
		}
		anchor += scores.dims[0]
	}
	return dst, nil
}

// box returns the box of an anchor, which exists, and from where and in what unit its points
// count.
func (g *Grids) box(anchor int, size image.Point, row []float32) (box Rect, from Point, unit float32) {
	grid := 0
	for ; anchor >= g.rows(grid, len(g.Strides), size); grid++ {
		anchor -= g.rows(grid, len(g.Strides), size)
	}
	sides, columns := g.anchors(grid), cells(size.X, 1, g.Strides[grid])
	at, stride := gridForms[int(g.Form)%len(gridForms)].at, float32(g.Strides[grid])
	x, y := float32(anchor/len(sides)%columns)+at, float32(anchor/len(sides)/columns)+at
	from, unit = Point{x * stride, y * stride}, stride
	b := [4]float32(row)
	exp := func(v float32, by float64) float32 { return float32(math.Exp(float64(v) * by)) }
	switch g.Form {
	case YOLOX:
		b[2], b[3] = stride*exp(b[2], 1), stride*exp(b[3], 1)
	case RetinaFace:
		const centers, sizes = 0.1, 0.2 // the variances by which training divided the numbers
		side := sides[anchor%len(sides)]
		unit, b[2], b[3] = centers*side, side*exp(b[2], sizes), side*exp(b[3], sizes)
	case BlazeFace:
		unit = 1
	default:
		for i := range b {
			b[i] = mean(row[i*len(row)/4:][:len(row)/4])
		}
		return Corners.rect([4]float32{x - b[0], y - b[1], x + b[2], y + b[3]}, Point{stride, stride}), from, stride
	}
	b[0], b[1] = from.X+b[0]*unit, from.Y+b[1]*unit
	return CenterSize.rect(b, Point{1, 1}), from, unit
}

// pointsFrom returns the points whose coordinates count from a point in that unit.
func pointsFrom(from Point, unit float32, coordinates []float32) []KeyPoint {
	all := make([]KeyPoint, len(coordinates)/2)
	for i := range all {
		all[i] = KeyPoint{Point{from.X + coordinates[2*i]*unit, from.Y + coordinates[2*i+1]*unit}, 1}
	}
	return all
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
