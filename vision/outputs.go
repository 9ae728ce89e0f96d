// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// array has what a model has made of one picture in one of its outputs.
type array struct {
	data       []float32
	dims       [3]int
	first, end int // the columns that rows have
}

// row returns row i of an array of two dimensions.
func (a array) row(i int) []float32 { return a.data[i*a.dims[1]:][a.first:a.end] }

// Floats returns what output i has for the picture, which is in its last rank dimensions, at
// most three; dims are these, and those before count pictures. Quantized numbers are those
// that they stand for. The numbers stay the same until Head.Decode and Finish return.
func (o Outputs) Floats(i, rank int) (numbers []float32, dims [3]int, err error) {
	a, err := o.array(i, rank)
	return a.data, a.dims, err
}

// array is Floats for the heads of this package.
func (o Outputs) array(i, rank int) (a array, err error) {
	if i < 0 || i >= len(o.Tensors) || o.Tensors[i] == nil {
		return a, fail(common.ErrCount, "the head reads output %d, but the model has %d", i, len(o.Tensors))
	}
	t := o.Tensors[i]
	shape := t.Shape()
	lead := len(shape) - rank
	if lead < 0 || rank < 0 || rank > len(a.dims) || o.N < 0 || o.N >= shape[:lead].Elems() {
		return a, fail(common.ErrShape, "output %d is %v, without %d dimensions of picture %d", i, t.Shape(), rank, o.N)
	}
	all, err := o.floats(i)
	if err != nil {
		return a, err
	}
	copy(a.dims[:], shape[lead:])
	size := shape[lead:].Elems()
	a.data, a.end = all[o.N*size:][:size], a.dims[1]
	return a, nil
}

// rank returns how many dimensions output i has; 0: there is no such output.
func (o Outputs) rank(i int) int {
	if i < 0 || i >= len(o.Tensors) {
		return 0
	}
	return len(o.Tensors[i].Shape())
}

// all returns output i with all dimensions but the first one.
func (o Outputs) all(i int) (array, error) { return o.array(i, max(o.rank(i)-1, 1)) }

// floats returns output i for all pictures. A frame keeps what is converted until its next Run.
func (o Outputs) floats(i int) ([]float32, error) {
	t, all := o.Tensors[i], new([]float32)
	var q *common.Quantization
	if i < len(o.Quants) {
		q = o.Quants[i]
	}
	if f := o.frame; f != nil {
		if k := slices.Index(f.outputs, t); k >= 0 && f.quants[k] == q {
			all = &f.converted[k]
		}
	}
	switch {
	case t.DType() == common.Float32:
		return common.Data[float32](t)
	case len(*all) == t.Len():
		return *all, nil
	case t.DType() == common.Int64: // which Dequantize does not take
		integers, err := common.Data[int64](t)
		for _, v := range integers {
			*all = append(*all, float32(v))
		}
		return *all, err
	}
	numbers := resized(*all, t.Len())
	if err := q.Dequantize(numbers, t); err != nil {
		return nil, err
	}
	*all = numbers
	return numbers, nil
}

// BoxFormat is the order of the four numbers of a box.
type BoxFormat uint8

const (
	CenterSize BoxFormat = iota // x and y of the center, width, height
	Corners                     // x and y of the top left, x and y of the bottom right
	CornersYX                   // Corners with y before x
)

func (f BoxFormat) rect(box [4]float32, scale Point) Rect {
	a, b, c, d := box[0], box[1], box[2], box[3]
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
	return corner(out.Size)
}

// add appends a detection, unless one of its numbers is infinite or not a number, or
// its box is empty.
func add(dst []Detection, r Rect, score float32, class, row int) []Detection {
	if !finite(r, score) || r.Max.X <= r.Min.X || r.Max.Y <= r.Min.Y {
		return dst
	}
	return append(dst, Detection{Rect: r, Score: score, Class: class, Row: row})
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
