// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"math"
	"slices"
	"sync"

	"github.com/anyinfer/anyinfer/common"
)

// array has what a model has made of one picture in one of its outputs.
type array struct {
	data    []float32
	dims    [3]int
	scratch *[]float32 // the memory of data, if it is not the tensor's
}

var scratches = sync.Pool{New: func() any { return new([]float32) }}

// array returns the last rank dimensions of output i for the picture, all but the first
// one if rank is negative; those before count pictures. Elements that are not float32 are
// converted. The caller frees the array.
func (o Outputs) array(i, rank int) (array, error) {
	if i < 0 || i >= len(o.Tensors) || o.Tensors[i] == nil {
		return array{}, fail(common.ErrCount, "the head reads output %d, but the model has %d", i, len(o.Tensors))
	}
	t, a := o.Tensors[i], array{}
	shape := t.Shape()
	if rank < 0 {
		rank = max(len(shape)-1, 1)
	}
	lead := len(shape) - rank
	if lead < 0 || rank > len(a.dims) || o.N < 0 || o.N >= shape[:lead].Elems() {
		return a, fail(common.ErrShape, "output %d has the shape %v, without %d dimensions of picture %d", i, t.Shape(), rank, o.N)
	}
	size := shape[lead:].Elems()
	copy(a.dims[:], shape[lead:])
	if t.DType() == common.Float32 {
		all, err := common.Data[float32](t)
		a.data = all[o.N*size:][:size]
		return a, err
	}
	a.scratch = scratches.Get().(*[]float32)
	*a.scratch = slices.Grow((*a.scratch)[:0], t.Len())[:t.Len()]
	a.data = (*a.scratch)[o.N*size:][:size]
	if t.DType() == common.Int64 { // which Dequantize does not take
		all, err := common.Data[int64](t)
		for i, v := range all {
			(*a.scratch)[i] = float32(v)
		}
		return a, err
	}
	var q *common.Quantization
	if i < len(o.Quants) {
		q = o.Quants[i]
	}
	err := q.Dequantize(*a.scratch, t)
	if err != nil {
		a.free()
		a = array{}
	}
	return a, err
}

func (a array) free() {
	if a.scratch != nil {
		scratches.Put(a.scratch)
	}
}

func (o Outputs) all(i int) (array, error) { return o.array(i, -1) }

// rows returns the rows of output i that belong to the picture, of columns numbers each,
// or of any number if that is 0. The caller frees the array.
func (o Outputs) rows(i, columns int) (array, error) {
	a, err := o.array(i, 2)
	if err == nil && columns != 0 && a.dims[1] != columns {
		a.free()
		return array{}, fail(common.ErrShape, "output %d has the shape %v, not rows of %d numbers", i, o.Tensors[i].Shape(), columns)
	}
	return a, err
}

// pair returns the rows of scores and boxes, of which there must be as many. The caller
// frees the arrays.
func (o Outputs) pair(scores, scoreColumns, boxes, boxColumns int) (s, b array, err error) {
	if s, err = o.rows(scores, scoreColumns); err == nil {
		b, err = o.rows(boxes, boxColumns)
	}
	if err == nil && s.dims[0] != b.dims[0] {
		err = fail(common.ErrShape, "output %d has %d scores, but output %d has %d boxes", scores, s.dims[0], boxes, b.dims[0])
	}
	if err != nil {
		s.free()
		b.free()
	}
	return s, b, err
}

// BoxFormat is the order of the four numbers of a box.
type BoxFormat uint8

const (
	CenterSize BoxFormat = iota // x and y of the center, width, height
	Corners                     // x and y of the top left, x and y of the bottom right
	CornersYX                   // Corners with y before x
)

func (f BoxFormat) rect(a, b, c, d float32, scale Point) Rect {
	switch f {
	case CenterSize:
		a, b, c, d = a-c/2, b-d/2, a+c/2, b+d/2
	case CornersYX:
		a, b, c, d = b, a, d, c
	}
	return Rect{Point{a * scale.X, b * scale.Y}, Point{c * scale.X, d * scale.Y}}
}

// Units are what coordinates in an output are counted in.
type Units uint8

const (
	AutoUnits  Units = iota // Normalized if no coordinate in the output is larger than 2, else Pixels
	Pixels                  // of the model's input
	Normalized              // 0 to 1 over the model's input
)

// scale returns the factors from units to pixels of the input, for boxes in data whose rows
// and columns have these distances.
func (u Units) scale(out Outputs, data []float32, rows, rowStep, columnStep int) Point {
	for c := 0; c < 4 && u == AutoUnits; c++ {
		for r := range rows {
			if v := data[r*rowStep+c*columnStep]; v > 2 && v <= math.MaxFloat32 {
				u = Pixels
				break
			}
		}
	}
	if u == Pixels {
		return Point{1, 1}
	}
	return Point{float32(out.Size.X), float32(out.Size.Y)}
}

// add appends a detection, unless one of its numbers is infinite or not a number, or
// its box is empty.
func add(dst []Detection, r Rect, score float32, class, candidate int) []Detection {
	if !finite(r, score) || r.Max.X <= r.Min.X || r.Max.Y <= r.Min.Y {
		return dst
	}
	return append(dst, Detection{Rect: r, Score: score, Class: class, candidate: candidate})
}

func finite(r Rect, score float32) bool {
	sum := r.Min.X + r.Min.Y + r.Max.X + r.Max.Y + score
	return sum-sum == 0
}

// best returns the largest of scores and its index, the first of equal ones; -1: none is a number.
func best(scores []float32) (score float32, class int) {
	score, class = float32(math.Inf(-1)), -1
	for i, s := range scores {
		if s > score {
			score, class = s, i
		}
	}
	return score, class
}

// index returns the integer that a class or a count is, or -1.
func index(v float32) int {
	if v >= 0 && v < 1<<24 {
		return int(v)
	}
	return -1
}

func sigmoid(v float32) float32 { return float32(1 / (1 + math.Exp(-float64(v)))) }

func logit(p float32) float32 {
	q := max(float64(p), 0)
	return float32(math.Log(q / (1 - q)))
}

// cells returns the number of cells that grids of these strides have together.
func cells(width, height int, strides ...int) (n int) {
	for _, s := range strides {
		if s > 0 {
			n += ((width + s - 1) / s) * ((height + s - 1) / s)
		}
	}
	return n
}

// cell returns the column and row of cell i of grids, which exists, and its stride.
func cell(i int, size image.Point, strides []int) (column, row int, stride float32) {
	for ; i >= cells(size.X, size.Y, strides[0]); strides = strides[1:] {
		i -= cells(size.X, size.Y, strides[0])
	}
	columns := cells(size.X, 1, strides[0])
	return i % columns, i / columns, float32(strides[0])
}
