// SPDX-License-Identifier: Apache-2.0

package vision

import (
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

// array returns the last rank dimensions of output i for the picture; those before
// count pictures. The elements are the tensor's if it has float32, else they are
// converted. The caller frees the array.
func (o Outputs) array(i, rank int) (array, error) {
	if i < 0 || i >= len(o.Tensors) || o.Tensors[i] == nil {
		return array{}, fail(common.ErrCount, "the head reads output %d, but the model has %d", i, len(o.Tensors))
	}
	t := o.Tensors[i]
	shape := t.Shape()
	lead := len(shape) - rank
	var a array
	batch, size := 1, 1
	for j, d := range shape {
		if j < lead {
			batch *= d
		} else if lead >= 0 {
			a.dims[j-lead] = d
			size *= d
		}
	}
	if lead < 0 || o.N < 0 || o.N >= batch {
		return array{}, fail(common.ErrShape, "output %d has the shape %v, without %d dimensions of picture %d", i, t.Shape(), rank, o.N)
	}
	from, to := o.N*size, (o.N+1)*size
	if t.DType() == common.Float32 {
		data, err := common.Data[float32](t)
		if err == nil {
			a.data = data[from:to]
		}
		return a, err
	}
	a.scratch = scratches.Get().(*[]float32)
	*a.scratch = slices.Grow((*a.scratch)[:0], size)[:size]
	a.data = *a.scratch
	var q *common.Quantization
	if i < len(o.Quants) {
		q = o.Quants[i]
	}
	if err := convert(a.data, t, q, from); err != nil {
		a.free()
		return array{}, err
	}
	return a, nil
}

// free gives back memory of the array. It must not be used any more.
func (a array) free() {
	if a.scratch != nil {
		scratches.Put(a.scratch)
	}
}

// convert sets dst to the real numbers of t's elements from that index on.
func convert(dst []float32, t *common.Tensor, q *common.Quantization, from int) error {
	scale, zero := float32(1), float32(0)
	if q != nil {
		if len(q.Scale) != 1 || len(q.ZeroPoint) > 1 {
			return fail(common.ErrDType, "an output has a scale for each of %d channels; one for all is needed", len(q.Scale))
		}
		scale = q.Scale[0]
		if len(q.ZeroPoint) == 1 {
			zero = float32(q.ZeroPoint[0])
		}
	}
	switch t.DType() {
	case common.Float16:
		return halves[common.Half](dst, t, from)
	case common.BFloat16:
		return halves[common.BHalf](dst, t, from)
	case common.Float64:
		return numbers[float64](dst, t, from, scale, zero)
	case common.Int8:
		return numbers[int8](dst, t, from, scale, zero)
	case common.Uint8:
		return numbers[uint8](dst, t, from, scale, zero)
	case common.Int16:
		return numbers[int16](dst, t, from, scale, zero)
	case common.Int32:
		return numbers[int32](dst, t, from, scale, zero)
	case common.Int64:
		return numbers[int64](dst, t, from, scale, zero)
	}
	return fail(common.ErrDType, "an output has elements of %v, which no head reads", t.DType())
}

func halves[T common.Half | common.BHalf](dst []float32, t *common.Tensor, from int) error {
	data, err := common.Data[T](t)
	if err == nil {
		common.ToFloat32(dst, data[from:])
	}
	return err
}

func numbers[T int8 | uint8 | int16 | int32 | int64 | float64](dst []float32, t *common.Tensor, from int, scale, zero float32) error {
	data, err := common.Data[T](t)
	if err != nil {
		return err
	}
	for i, v := range data[from : from+len(dst)] {
		dst[i] = scale * (float32(v) - zero)
	}
	return nil
}

// BoxFormat is the order of the four numbers of a box.
type BoxFormat uint8

const (
	CenterSize BoxFormat = iota // x and y of the center, width, height
	Corners                     // x and y of the top left, x and y of the bottom right
	CornersYX                   // Corners with y before x
)

// rect returns the box of four numbers, which are multiplied with scale.
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

// scale returns the factors from units to pixels of the input. Coordinates are at
// rows and columns of data with these distances.
func (u Units) scale(out Outputs, data []float32, rows, rowStep, columnStep int) Point {
	if u == AutoUnits {
		u = Normalized
	search:
		for c := range 4 {
			for r := range rows {
				if v := data[r*rowStep+c*columnStep]; v > 2 && v <= math.MaxFloat32 {
					u = Pixels
					break search
				}
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
	if sum := r.Min.X + r.Min.Y + r.Max.X + r.Max.Y + score; sum-sum != 0 || r.Max.X <= r.Min.X || r.Max.Y <= r.Min.Y {
		return dst
	}
	return append(dst, Detection{Rect: r, Score: score, Class: class, candidate: candidate})
}

// best returns the largest of scores and its index; the first of equal ones, and -1
// if there is none that is a number.
func best(scores []float32) (score float32, class int) {
	score, class = float32(math.Inf(-1)), -1
	for i, s := range scores {
		if s > score {
			score, class = s, i
		}
	}
	return score, class
}

func sigmoid(v float32) float32 { return float32(1 / (1 + math.Exp(-float64(v)))) }

// cells returns the number of cells that grids of these strides have together.
func cells(width, height int, strides ...int) int {
	n := 0
	for _, s := range strides {
		n += ((width + s - 1) / s) * ((height + s - 1) / s)
	}
	return n
}
