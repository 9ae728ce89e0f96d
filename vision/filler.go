// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"encoding/binary"
	"image"
	"reflect"
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
	err    error   // of reading it

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
	outside bool     // warped: points outside of the picture have the color of the nearest pixel
}

var fillers = sync.Pool{New: func() any { return new(filler) }}

// maxSide is the largest width and height of a picture, which keeps products of sizes
// far from overflow and the memory for a row small.
const maxSide = 1 << 20

// open takes the picture, or says why it cannot.
func (f *filler) open(img image.Image) error {
	f.img, f.bounds, f.err = img, boundsOf(img), nil
	f.size = f.bounds.Size()
	if f.bounds.Empty() {
		return fail(common.ErrInput, "the picture is nil or has no pixels; its bounds are %v", f.bounds)
	}
	if f.size.X > maxSide || f.size.Y > maxSide {
		return fail(common.ErrInput, "the picture has %d x %d pixels; at most %d are supported on a side",
			f.size.X, f.size.Y, maxSide)
	}
	switch m := img.(type) {
	case *image.RGBA:
		return f.check(m.Pix, m.Stride, 4)
	case *image.NRGBA:
		return f.check(m.Pix, m.Stride, 4)
	case *image.Gray:
		return f.check(m.Pix, m.Stride, 1)
	case *image.YCbCr:
		chroma := min(len(m.Cb), len(m.Cr))
		if m.CStride < 0 || m.CStride > max(chroma, maxSide) || m.COffset(f.bounds.Max.X-1, f.bounds.Max.Y-1) >= chroma {
			return fail(common.ErrInput, "the picture has %d and %d bytes of chroma, too few for its bounds %v",
				len(m.Cb), len(m.Cr), f.bounds)
		}
		f.chroma = resized(f.chroma, f.size.X)
		for x := range f.chroma {
			f.chroma[x] = int32(m.COffset(f.bounds.Min.X+x, f.bounds.Min.Y))
		}
		return f.check(m.Y, m.YStride, 1)
	}
	return nil
}

// boundsOf returns the bounds of a picture; empty ones if it is nil.
func boundsOf(img image.Image) image.Rectangle {
	if v := reflect.ValueOf(img); img == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return image.Rectangle{}
	}
	return img.Bounds()
}

// check returns an error if a plane is too small for the picture.
func (f *filler) check(plane []byte, stride, bytes int) error {
	if n := len(plane); stride < 0 || stride > max(n, 4*maxSide) || int64(stride)*int64(f.size.Y-1)+int64(bytes*f.size.X) > int64(n) {
		return fail(common.ErrInput, "the picture has %d bytes of pixels, too few for its bounds %v", n, f.bounds)
	}
	return nil
}

// read reads the pixels in those columns of row y as 0xAABBGGRR, multiplied by alpha.
func (f *filler) read(to []uint32, columns []int32, y int) {
	to = to[:len(columns)]
	switch m := f.img.(type) {
	case *image.RGBA:
		row := m.Pix[y*m.Stride:]
		for i, x := range columns {
			to[i] = binary.LittleEndian.Uint32(row[4*x:])
		}
	case *image.NRGBA:
		row := m.Pix[y*m.Stride:]
		for i, x := range columns {
			p := binary.LittleEndian.Uint32(row[4*x:])
			if a := p >> 24 * 0x101; a < 0xffff { // as package image does it
				p = p&0xff*a/0xff>>8 | p>>8&0xff*a/0xff>>8<<8 | p>>16&0xff*a/0xff>>8<<16
			}
			to[i] = p
		}
	case *image.Gray:
		row := m.Pix[y*m.Stride:]
		for i, x := range columns {
			to[i] = uint32(row[x]) * 0x10101
		}
	case *image.YCbCr:
		at := m.COffset(f.bounds.Min.X, f.bounds.Min.Y+y)
		luma, cb, cr, chroma := m.Y[y*m.YStride:], m.Cb[at:], m.Cr[at:], f.chroma
		for i, x := range columns {
			if i > 0 && x == columns[i-1] {
				to[i] = to[i-1]
				continue
			}
			c := chroma[x]
			y, blue, red := int32(luma[x])*0x10101, int32(cb[c])-128, int32(cr[c])-128 // as package color does it
			r, g, b := y+91881*red, y-22554*blue-46802*red, y+116130*blue
			if to[i] = uint32(r>>16 | g>>8&0xff00 | b&0xff0000); uint32(r|g|b) >= 1<<24 {
				to[i] = limited(r>>16) | limited(g>>16)<<8 | limited(b>>16)<<16
			}
		}
	default:
		f.readAny(to, columns, f.bounds.Min.Y+y)
	}
}

// readAny reads a row of another type of pictures, whose methods may panic: those of package
// image do if there are fewer pixels than the bounds say.
func (f *filler) readAny(to []uint32, columns []int32, y int) {
	defer func() {
		if p := recover(); p != nil {
			f.err = fail(common.ErrInput, "a picture of the type %T has no pixels in row %d: %v", f.img, y, p)
		}
	}()
	fast, ok := f.img.(image.RGBA64Image)
	for i, x := range columns {
		var r, g, b uint32
		if x := f.bounds.Min.X + int(x); ok {
			c := fast.RGBA64At(x, y)
			r, g, b = uint32(c.R), uint32(c.G), uint32(c.B)
		} else {
			r, g, b, _ = f.img.At(x, y).RGBA()
		}
		to[i] = r>>8 | g>>8<<8 | b>>8<<16
	}
}

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
	c, y := in.layout(shape).axes()
	f.channels, f.out = shape[c], image.Pt(shape[y+1], shape[y])
	switch {
	case f.channels != 1 && f.channels != 3:
		return advise("is the layout right?", common.ErrShape,
			"the tensor has the shape %v with %d channels; a picture has 3 or, if gray, 1", dst.Shape(), f.channels)
	case f.out.X <= 0 || f.out.Y <= 0:
		return fail(common.ErrShape, "the tensor has the shape %v without pixels", dst.Shape())
	case in.Size != (image.Point{}) && in.Size != f.out:
		return fail(common.ErrShape, "the tensor has the shape %v for pictures of %v; Input.Size is %v",
			dst.Shape(), f.out, in.Size)
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
	return fail(common.ErrDType, "a tensor of %v holds no picture; float32, float16, bfloat16, uint8 and int8 do",
		dst.DType())
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
	for y := 0; y < f.out.Y && f.err == nil; y++ {
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
		default: // slices of one length, whose indexes the compiler need not check
			r, g, b := data[first*plane+y*w:][:len(row)], data[plane+y*w:][:len(row)], data[third*plane+y*w:][:len(row)]
			for x, p := range row {
				r[x], g[x], b[x] = red[uint8(p)], green[uint8(p>>8)], blue[uint8(p>>16)]
			}
		}
	}
	return f.err
}

// clearRight makes everything 0 that is right of picture n.
func (f *filler) clearRight(dst *common.Tensor, n int) {
	pixel, rows := dst.DType().Size(), f.out.Y*f.channels
	if f.last {
		pixel, rows = pixel*f.channels, f.out.Y
	}
	width, used := pixel*f.out.X, pixel*f.at.Max.X
	for row := range slices.Chunk(dst.Bytes()[n*rows*width:][:rows*width], width) {
		clear(row[used:])
	}
}

// resized returns a slice of n elements, in the memory of s if that is large enough.
func resized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// limited returns the value of 0 to 255 that is closest to v.
func limited(v int32) uint32 { return uint32(min(max(v, 0), 255)) }
