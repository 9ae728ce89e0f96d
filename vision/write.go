// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"slices"
	"sync"

	"github.com/anyinfer/anyinfer/common"
)

// filler is what one Fill needs. A pool keeps them, so that their memory is used again.
type filler struct {
	// The picture.
	img    image.Image
	bounds image.Rectangle
	size   image.Point
	chroma []int32 // for each column, the place of its chroma in a row

	// The input.
	dims     common.Shape
	out      image.Point
	channels int
	last     bool           // channels are the last dimension
	colors   [3]int         // of the channels: 0 red, 1 green, 2 blue
	table    *common.Tensor // what the 256 values of each channel become
	entries  common.Shape   // of table
	reals    [3 * 256]float32

	// The way from one to the other.
	row     func(f *filler, to []uint32, y int) // computes a row of at
	at      image.Rectangle                     // the picture in the input
	line    [2][]uint32                         // a row of the input, 0xAABBGGRR, and one of padding
	columns []int32                             // those of the picture that are read
	lines   [2][]uint32                         // rows of those
	numbers [2]int                              // and which they are, or -1
	x, y    []pair                              // linear
	across  kernel                              // smooth
	down    kernel
	ring    []uint32 // for each column of at, the pixels from which its next one is computed
	filled  int      // the row after the last one in ring
	rotated []int32  // weights in the order of ring
	back    Affine   // warped: points of the input to points of the picture
	steps   bool     // warped: points are rounded to 1/32 of a pixel
}

var fillers = sync.Pool{New: func() any { return new(filler) }}

// prepare checks the tensor and computes f.table.
func (f *filler) prepare(in *Input, dst *common.Tensor, quant *common.Quantization, n int) error {
	if dst == nil {
		return fail(common.ErrInput, "the tensor is nil")
	}
	if !dst.Is(dst.DType(), f.dims) { // Shape allocates
		f.dims = dst.Shape()
	}
	shape := f.dims
	if len(shape) != 4 {
		return fail(common.ErrShape, "the tensor has the shape %v; a picture needs 4 dimensions", dst.Shape())
	}
	f.last = in.layout(shape) == NHWC
	f.channels, f.out = shape[1], image.Pt(shape[3], shape[2])
	if f.last {
		f.channels, f.out = shape[3], image.Pt(shape[2], shape[1])
	}
	switch {
	case f.channels != 1 && f.channels != 3:
		return fail(common.ErrShape, "the tensor has the shape %v with %d channels; a picture has 3 or, if gray, 1; is the layout right?", dst.Shape(), f.channels)
	case f.out.X <= 0 || f.out.Y <= 0:
		return fail(common.ErrShape, "the tensor has the shape %v without pixels", dst.Shape())
	case in.Size != (image.Point{}) && in.Size != f.out:
		return fail(common.ErrShape, "the tensor has the shape %v for pictures of %v; Input.Size is %v", dst.Shape(), f.out, in.Size)
	case n < 0 || n >= shape[0]:
		return fail(common.ErrShape, "there is no picture %d in a batch of %d", n, dst.Shape()[0])
	}
	f.colors = [3]int{0, 1, 2}
	if in.BGR && f.channels == 3 {
		f.colors = [3]int{2, 1, 0}
	}

	// Every value is one of 256, so the rules of Quantize are applied to those.
	f.entries = append(f.entries[:0], 1, f.channels, 1, 256)
	if f.last {
		f.entries = append(f.entries[:0], 1, 1, 256, f.channels)
	}
	var err error
	if f.table, err = common.EnsureTensor(f.table, dst.DType(), f.entries); err != nil {
		return err
	}
	for c := range f.channels {
		mean, std := float64(in.Mean[f.colors[c]]), float64(in.Std[f.colors[c]])
		if std == 0 {
			std = 1
		}
		for v := range 256 {
			f.reals[f.element(c, v, 256)] = float32((float64(v) - mean) / std)
		}
	}
	for i := range f.line {
		f.line[i] = resized(f.line[i], f.out.X)
		for x := range f.line[i] {
			f.line[i][x] = uint32(in.Pad) * 0x10101
		}
	}
	return quant.Quantize(f.table, f.reals[:256*f.channels])
}

// element returns where channel c of pixel i is, of n pixels.
func (f *filler) element(c, i, n int) int {
	if f.last {
		return i*f.channels + c
	}
	return c*n + i
}

// write computes all rows and stores them in picture n of dst.
func (f *filler) write(dst *common.Tensor, n int) error {
	switch dst.DType() {
	case common.Float32:
		return store[float32](f, dst, n)
	case common.Float16:
		return store[common.Half](f, dst, n)
	case common.BFloat16:
		return store[common.BHalf](f, dst, n)
	case common.Int8:
		return store[int8](f, dst, n)
	case common.Uint8:
		return store[uint8](f, dst, n)
	}
	return fail(common.ErrDType, "a tensor of %v holds no picture; float32, float16, bfloat16, uint8 and int8 do", dst.DType())
}

func store[T float32 | common.Half | common.BHalf | int8 | uint8](f *filler, dst *common.Tensor, n int) error {
	data, err := common.Data[T](dst)
	if err != nil {
		return err
	}
	table, err := common.Data[T](f.table)
	if err != nil {
		return err
	}
	var colors [3][256]T
	for c := range f.channels {
		for v := range 256 {
			colors[f.colors[c]][v] = table[f.element(c, v, 256)]
		}
	}
	red, green, blue := &colors[0], &colors[1], &colors[2]
	w, plane := f.out.X, f.out.X*f.out.Y
	data = data[n*f.channels*plane:][:f.channels*plane]
	first, third := f.colors[0], f.colors[2] // where red and blue go
	for y := range f.out.Y {
		row := f.line[1]
		if y >= f.at.Min.Y && y < f.at.Max.Y {
			row = f.line[0]
			f.row(f, row[f.at.Min.X:f.at.Max.X], y-f.at.Min.Y)
		}
		switch {
		case f.channels == 1:
			for x, p := range row { // Rec. 601's luma with OpenCV's weights
				data[y*w+x] = red[uint8((p&0xff*9798+p>>8&0xff*19235+p>>16&0xff*3735+1<<14)>>15)]
			}
		case f.last:
			to := data[3*y*w:][:3*w]
			for _, p := range row {
				to[first], to[1], to[third] = red[uint8(p)], green[uint8(p>>8)], blue[uint8(p>>16)]
				to = to[3:]
			}
		default:
			r, g, b := data[first*plane+y*w:][:len(row)], data[plane+y*w:][:len(row)], data[third*plane+y*w:][:len(row)]
			for x, p := range row {
				r[x], g[x], b[x] = red[uint8(p)], green[uint8(p>>8)], blue[uint8(p>>16)]
			}
		}
	}
	return nil
}

// resized returns a slice of n elements, in the memory of s if that is large enough.
func resized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }
