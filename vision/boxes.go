// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"math"

	"github.com/anyinfer/anyinfer/common"
)

// Boxes is the head of models that finish boxes, scores and classes themselves, with
// NMS where they need it: SSD and EfficientDet of TensorFlow, RT-DETR, PP-YOLOE; and, with
// the NMS of the Detector, UltraFace.
type Boxes struct {
	// The indexes of the outputs. They may be the same one, with a row of numbers for
	// each box; the columns say where in it. Classes -1: all are of class 0.
	Boxes, Scores, Classes              int
	BoxColumn, ScoreColumn, ClassColumn int
	// Count is the index of the output with the number of boxes; -1: all rows are boxes.
	// If the rows have no dimension for pictures, those of one picture follow those of
	// another one.
	Count  int
	Format BoxFormat
	Units  Units
}

// Suppression returns none, because the model has done it.
func (b *Boxes) Suppression() NMSOptions { return NMSOptions{None: true} }

// Decode implements Head.
func (b *Boxes) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	from, n, rows := 0, -1, out
	if b.Count >= 0 && out.rank(b.Boxes) == 2 {
		rows.N = 0
	}
	for k := rows; k.N <= out.N && b.Count >= 0; k.N++ {
		a, err := k.array(b.Count, 0)
		if err != nil {
			return dst, err
		}
		from += max(n, 0)
		if n = index(a.data[0]); n < 0 {
			return dst, fail(common.ErrShape, "output %d has no number of boxes", b.Count)
		}
	}
	var of [3]array // boxes, scores and classes, each from its column on
	for k, c := range [...]struct{ output, column, width int }{
		{b.Boxes, b.BoxColumn, 4}, {b.Scores, b.ScoreColumn, 1}, {b.Classes, b.ClassColumn, 1},
	} {
		if k == 2 && b.Classes < 0 {
			break
		}
		rank := 2
		if out.rank(c.output) != out.rank(b.Boxes) {
			rank = 1
		}
		a, err := rows.array(c.output, rank)
		if err != nil {
			return dst, err
		}
		if rank == 1 {
			a.dims[1], c.column = 1, 0
		}
		a.first, a.end = c.column, c.column+c.width
		if n < 0 {
			n = a.dims[0]
		}
		if a.first < 0 || a.end > a.dims[1] || from+n > a.dims[0] || b.Count < 0 && n != a.dims[0] {
			return dst, fail(common.ErrShape, "output %d has %d rows of %d numbers, without rows %d to %d and columns %d to %d",
				c.output, a.dims[0], a.dims[1], from, from+n, a.first, a.end)
		}
		of[k] = a
	}
	scale := b.Units.scale(out, of[0].data[min(b.BoxColumn, len(of[0].data)):], of[0].dims[0], of[0].dims[1], 1)
	for i := from; i < from+n; i++ {
		score, class := of[1].row(i)[0], 0
		if b.Classes >= 0 {
			class = index(of[2].row(i)[0])
		}
		if class >= 0 && score >= minScore {
			dst = add(dst, b.Format.rect([4]float32(of[0].row(i)), scale), score, class, i)
		}
	}
	return dst, nil
}

// DETR is the head of DETR and its successors as Transformers exports them: centers
// and sizes of boxes from 0 to 1, and a number for each class. Where the model decides
// for itself which boxes it has found, Boxes is the head.
type DETR struct {
	Boxes, Scores int // the indexes of the outputs
	// Softmax: the last class is "no object", as in DETR and YOLOS. Otherwise each class
	// is for itself, as in RT-DETR and RF-DETR, and a box can be of several ones.
	Softmax bool
}

// Suppression returns none, because the model was trained to find a thing once.
func (d *DETR) Suppression() NMSOptions { return NMSOptions{None: true} }

// Decode implements Head. Without Softmax it appends a detection for each class of a box
// that has the score, as the models' own code does.
func (d *DETR) Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error) {
	scores, err := out.array(d.Scores, 2)
	if err != nil {
		return dst, err
	}
	boxes, err := out.array(d.Boxes, 2)
	if n := scores.dims[0]; err == nil && (boxes.dims[0] != n || boxes.dims[1] != 4) {
		err = fail(common.ErrShape, "output %d is %v, not %d boxes of 4", d.Boxes, out.Tensors[d.Boxes].Shape(), n)
	}
	if err != nil {
		return dst, err
	}
	scale, least := corner(out.Size), logit(minScore)
	for i := range boxes.dims[0] {
		row, r := scores.row(i), CenterSize.rect([4]float32(boxes.row(i)), scale)
		if !d.Softmax {
			for class, v := range row {
				if v >= least {
					dst = add(dst, r, sigmoid(v), class, i)
				}
			}
			continue
		}
		most, _ := best(row)
		score, class := best(row[:max(len(row)-1, 0)])
		sum := 0.0
		for _, v := range row {
			sum += math.Exp(float64(v - most))
		}
		if score = float32(math.Exp(float64(score-most)) / sum); class >= 0 && score >= minScore {
			dst = add(dst, r, score, class, i)
		}
	}
	return dst, nil
}
