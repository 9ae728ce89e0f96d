// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"image/draw"
	"reflect"
	"sync"

	"github.com/anyinfer/anyinfer/common"
)

// filler is what one Fill needs. A pool keeps them, so that their memory is used again.
type filler struct {
	// The picture. One of pix and y is set for the types that are read directly;
	// both begin at the first pixel.
	img      image.Image
	size     image.Point
	pix      []byte // red, green, blue, alpha
	straight bool   // colors in pix are not multiplied by alpha yet
	y        []byte // luma, with chroma in cb and cr from chroma on
	cb, cr   []byte
	ycc      image.YCbCr // the layout of chroma
	chroma   int
	stride   int // of pix or y
	canvas   image.RGBA
	lines    [2][]byte // rows of other types as RGBA
	numbers  [2]int    // the rows that lines holds, or -1

	// The input.
	dims     common.Shape
	out      image.Point
	channels int
	last     bool // channels are the last dimension
	bgr      bool
	table    *common.Tensor // what the 256 values of each channel become
	entries  common.Shape   // of table
	reals    [3 * 256]float32

	// The way from one to the other: row y of the input comes from next.
	mode     mode
	at       image.Rectangle // the picture in the input
	row, pad []uint32        // a row of the input, 0xAABBGGRR; one of padding
	columns  []tap           // linear
	rows     []tap
	across   kernel // smooth
	down     kernel
	ring     [][]uint32 // the latest rows of the picture, with the width of the input
	window   [][]uint32 // those of them from which a row of the input is computed
	filled   int        // the row after the last one in ring
	back     Affine     // warped: points of the input to points of the picture
}

// mode says how rows of the input are computed.
type mode uint8

const (
	linear mode = iota
	smooth
	warped
)

// maxSide is the largest width and height of a picture, which keeps products of sizes
// far from overflow and the memory for a row small.
const maxSide = 1 << 20

var fillers = sync.Pool{New: func() any { return new(filler) }}

// open returns a filler for the picture and the tensor, or says why there is none.
func (in *Input) open(dst *common.Tensor, quant *common.Quantization, n int, img image.Image) (*filler, error) {
	if v := reflect.ValueOf(img); img == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, unusable(common.ErrInput, "the picture is nil")
	}
	bounds := img.Bounds()
	switch {
	case bounds.Empty():
		return nil, unusable(common.ErrInput, "the picture has no pixels; its bounds are %v", bounds)
	case bounds.Dx() > maxSide || bounds.Dy() > maxSide:
		return nil, unusable(common.ErrInput, "the picture has %d x %d pixels; at most %d are supported on a side", bounds.Dx(), bounds.Dy(), maxSide)
	case dst == nil:
		return nil, unusable(common.ErrInput, "the tensor is nil")
	}
	f := fillers.Get().(*filler)
	err := f.prepare(in, dst, quant, n)
	if err == nil {
		err = f.read(img, bounds)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// close gives f back to the pool, without the picture.
func (f *filler) close() {
	f.img, f.pix, f.y, f.cb, f.cr, f.ycc = nil, nil, nil, nil, nil, image.YCbCr{}
	fillers.Put(f)
}

// prepare checks the tensor and computes f.table.
func (f *filler) prepare(in *Input, dst *common.Tensor, quant *common.Quantization, n int) error {
	if !dst.Is(dst.DType(), f.dims) { // Shape allocates
		f.dims = dst.Shape()
	}
	shape := f.dims
	colors := func(d int) bool { return d == 1 || d == 3 }
	if len(shape) != 4 {
		return unusable(common.ErrShape, "the tensor has the shape %v; a picture needs 4 dimensions", dst.Shape())
	}
	f.last = in.Layout == NHWC || in.Layout == AutoLayout && !colors(shape[1]) && colors(shape[3])
	f.channels, f.out = shape[1], image.Pt(shape[3], shape[2])
	if f.last {
		f.channels, f.out = shape[3], image.Pt(shape[2], shape[1])
	}
	switch {
	case !colors(f.channels):
		return unusable(common.ErrShape, "the tensor has the shape %v with %d channels; a picture has 3 or, if gray, 1; is the layout right?", dst.Shape(), f.channels)
	case f.out.X <= 0 || f.out.Y <= 0:
		return unusable(common.ErrShape, "the tensor has the shape %v without pixels", dst.Shape())
	case in.Size != (image.Point{}) && in.Size != f.out:
		return unusable(common.ErrShape, "the tensor has the shape %v for pictures of %v; Input.Size is %v", dst.Shape(), f.out, in.Size)
	case n < 0 || n >= shape[0]:
		return unusable(common.ErrShape, "there is no picture %d in a batch of %d", n, dst.Shape()[0])
	}
	f.bgr = in.BGR && f.channels == 3

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
		mean, std := float64(in.Mean[f.color(c)]), float64(in.Std[f.color(c)])
		if std == 0 {
			std = 1
		}
		for v := range 256 {
			f.reals[f.entry(c, v)] = float32((float64(v) - mean) / std)
		}
	}
	if err := quant.Quantize(f.table, f.reals[:256*f.channels]); err != nil {
		return err
	}
	f.row, f.pad = resized(f.row, f.out.X), resized(f.pad, f.out.X)
	for x := range f.pad {
		f.pad[x] = uint32(in.Pad) * 0x10101
	}
	copy(f.row, f.pad)
	return nil
}

// color returns the color of channel c: 0 red, 1 green, 2 blue.
func (f *filler) color(c int) int {
	if f.bgr {
		return 2 - c
	}
	return c
}

// entry returns the index in the table of value v of channel c.
func (f *filler) entry(c, v int) int {
	if f.last {
		return v*f.channels + c
	}
	return c*256 + v
}

// read finds the pixels of img.
func (f *filler) read(img image.Image, bounds image.Rectangle) error {
	f.img, f.size, f.numbers = img, bounds.Size(), [2]int{-1, -1}
	size, low := 1, 0 // the bytes of a pixel; the first byte
	pix := []byte(nil)
	switch m := img.(type) {
	case *image.RGBA:
		size, pix, f.stride, f.straight = 4, m.Pix, m.Stride, false
		low = m.PixOffset(bounds.Min.X, bounds.Min.Y)
	case *image.NRGBA:
		size, pix, f.stride, f.straight = 4, m.Pix, m.Stride, true
		low = m.PixOffset(bounds.Min.X, bounds.Min.Y)
	case *image.Gray:
		pix, f.stride = m.Pix, m.Stride
		low = m.PixOffset(bounds.Min.X, bounds.Min.Y)
		f.cb, f.cr, f.chroma = neutral[:], neutral[:], 0
	case *image.YCbCr:
		pix, f.stride = m.Y, m.YStride
		low = m.YOffset(bounds.Min.X, bounds.Min.Y)
		f.cb, f.cr, f.ycc, f.chroma = m.Cb, m.Cr, *m, m.COffset(bounds.Min.X, bounds.Min.Y)
		if high := m.COffset(bounds.Max.X-1, bounds.Max.Y-1); f.chroma < 0 || high >= min(len(m.Cb), len(m.Cr)) {
			return unusable(common.ErrInput, "the picture has %d and %d bytes of chroma, too few for its bounds %v", len(m.Cb), len(m.Cr), bounds)
		}
	default:
		return nil
	}
	rest := len(pix) - low - size*f.size.X // for all rows but one
	if f.stride <= 0 || low < 0 || rest < 0 || rest/f.stride < f.size.Y-1 {
		return unusable(common.ErrInput, "the picture has %d bytes of pixels, too few for its bounds %v", len(pix), bounds)
	}
	if size == 4 {
		f.pix = pix[low:]
	} else {
		f.y = pix[low:]
	}
	return nil
}

// line returns row y of the picture as RGBA.
func (f *filler) line(y int) []byte {
	if f.pix != nil && !f.straight {
		return f.pix[y*f.stride:][:4*f.size.X]
	}
	slot := y & 1
	if f.numbers[slot] == y {
		return f.lines[slot]
	}
	f.numbers[slot] = y
	f.lines[slot] = resized(f.lines[slot], 4*f.size.X)
	f.canvas = image.RGBA{Pix: f.lines[slot], Stride: 4 * f.size.X, Rect: image.Rect(0, 0, f.size.X, 1)}
	draw.Draw(&f.canvas, f.canvas.Rect, f.img, f.img.Bounds().Min.Add(image.Pt(0, y)), draw.Src)
	return f.lines[slot]
}

// next computes row y of the input.
func (f *filler) next(y int) []uint32 {
	if y < f.at.Min.Y || y >= f.at.Max.Y {
		return f.pad
	}
	to := f.row[f.at.Min.X:f.at.Max.X]
	switch f.mode {
	case linear:
		f.linearRow(to, f.rows[y-f.at.Min.Y])
	case smooth:
		f.smoothRow(to, y-f.at.Min.Y)
	case warped:
		f.warpedRow(to, y)
	}
	return f.row
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
	return unusable(common.ErrDType, "a tensor of %v holds no picture; float32, float16, bfloat16, uint8 and int8 do", dst.DType())
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
			colors[f.color(c)][v] = table[f.entry(c, v)]
		}
	}
	red, green, blue := &colors[0], &colors[1], &colors[2]
	w, plane := f.out.X, f.out.X*f.out.Y
	data = data[n*f.channels*plane:][:f.channels*plane]
	first, third := f.color(0), f.color(2)
	for y := range f.out.Y {
		row := f.next(y)
		switch {
		case f.channels == 1:
			to := data[y*w:][:len(row)]
			for x, p := range row {
				to[x] = red[luma(p)]
			}
		case f.last:
			to := data[3*y*w:][:3*len(row)]
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

// luma returns Rec. 601's luma with OpenCV's weights.
func luma(p uint32) uint8 {
	return uint8((p&0xff*9798 + p>>8&0xff*19235 + p>>16&0xff*3735 + 1<<14) >> 15)
}

// resized returns a slice of n elements, in the memory of s if that is large enough.
func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
