// SPDX-License-Identifier: Apache-2.0

// Package turbojpeg decodes JPEG files with libturbojpeg, which is a few times faster
// than package image/jpeg, and can decode a picture at a part of its size, which is
// faster still. It opens the library at the first Decode, without cgo:
// $ANYINFER_TURBOJPEG_LIBRARY, or else what the system's loader finds. It is a package
// of its own because other pixels may be other results: a program that does not
// import it decodes alike on all machines.
package turbojpeg

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"math"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/vision"
)

// Options are the options of Decode.
type Options struct {
	// Size is that of the model's input, for which Fit will resize the picture. If it
	// is not zero, the picture is decoded at 1/2, 1/4 or 1/8 of its size, the smallest
	// of them that need not be enlarged for the input.
	Size image.Point
	Fit  vision.Fit
	// Lenient accepts files that are damaged or truncated, but which libjpeg can go on
	// with, as OpenCV does. What is missing is gray.
	Lenient bool
}

// Decode reads a JPEG file and turns the picture upright, as its EXIF orientation
// says. The picture is 1/scale as large as in the file, rounded up; scale is 1 unless
// o.Size is set, and what is found in the picture is then at other places than in the
// file's.
//
// It returns an *image.RGBA with the pixels that OpenCV and Pillow have, or, of a gray
// file, an *image.Gray. An *image.YCbCr, which image/jpeg returns, would take longer
// to decode and to resize, and would have coarser colours at 1/2 and below. CMYK files
// are decoded by image/jpeg, at full size.
//
// The error wraps common.ErrInput, with libjpeg's words, if the file is not a JPEG
// file, is damaged, or has more than vision.MaxPixels, and common.ErrNotAvailable if there
// is no library; else it is r's.
func Decode(r io.Reader, o *Options) (img image.Image, scale int, err error) {
	lib, err := open()
	if err != nil {
		return nil, 0, err
	}
	file, err := io.ReadAll(r)
	if err != nil {
		return nil, 0, err
	}
	if o == nil {
		o = &Options{}
	}
	d := decoder{lib: lib, handle: lib.Call(initDecompress), file: file, lenient: o.Lenient}
	if d.handle == 0 {
		return nil, 0, &common.Error{Op: "decode", Kind: common.ErrNotAvailable, Message: dylib.GoString(lib.Call(errorString, dylib.Int(0)))}
	}
	defer lib.Call(destroy, dylib.Int(d.handle))
	var head struct{ width, height, subsampling, color int32 }
	if err := d.call(decompressHeader, dylib.Ptr(&head.width), dylib.Ptr(&head.height), dylib.Ptr(&head.subsampling), dylib.Ptr(&head.color)); err != nil {
		return nil, 0, err
	}
	size := image.Pt(int(head.width), int(head.height))
	if size.X <= 0 || size.Y <= 0 {
		return nil, 0, &common.Error{Op: "decode", Kind: common.ErrInput, Message: "the jpeg file has no picture, or ends before it"}
	}
	if size.X > vision.MaxPixels/size.Y {
		return nil, 0, &common.Error{Op: "decode", Kind: common.ErrInput,
			Message: fmt.Sprintf("the jpeg picture has %d x %d pixels, more than %d", size.X, size.Y, vision.MaxPixels),
			Hint:    "make the picture smaller, or set vision.MaxPixels"}
	}
	turn := vision.Orientation(file)
	scale = 1
	if upright := size; o.Size.X > 0 && o.Size.Y > 0 {
		if turn >= 5 {
			upright = image.Pt(size.Y, size.X)
		}
		scale = o.scale(upright)
	}
	rect := image.Rect(0, 0, (size.X+scale-1)/scale, (size.Y+scale-1)/scale)
	switch head.color {
	case colorCMYK, colorYCCK:
		scale = 1
		if img, err = jpeg.Decode(bytes.NewReader(file)); err != nil {
			err = &common.Error{Op: "decode", Kind: common.ErrInput, Message: "the jpeg picture is damaged", Err: err}
		}
	case colorGray:
		m := image.NewGray(rect)
		img, err = m, d.pixels(m.Pix, rect, m.Stride, formatGray)
	default:
		m := image.NewRGBA(rect)
		img, err = m, d.pixels(m.Pix, rect, m.Stride, formatRGBA)
	}
	if err != nil {
		return nil, 0, err
	}
	return vision.Upright(img, turn), scale, nil
}

// scale returns by how much a picture of that size may be made smaller.
func (o *Options) scale(size image.Point) int {
	x, y := float64(o.Size.X)/float64(size.X), float64(o.Size.Y)/float64(size.Y)
	part := max(x, y) // what is left of the size in the input
	if o.Fit == vision.Letterbox || o.Fit == vision.LetterboxCorner {
		part = min(x, y)
	}
	for _, scale := range []int{8, 4, 2} {
		if part*float64(scale) <= 1 {
			return scale
		}
	}
	return 1
}

// decoder decodes one file.
type decoder struct {
	lib     *dylib.Library
	handle  uintptr
	file    []byte
	lenient bool
}

// call calls a function whose first arguments are the handle and the file, and which
// returns 0 or -1.
func (d *decoder) call(function int, args ...dylib.Arg) error {
	if len(d.file) == 0 || uint64(len(d.file)) > math.MaxUint32 { // an unsigned long of Windows
		return &common.Error{Op: "decode", Kind: common.ErrInput, Message: fmt.Sprintf("the jpeg file has %d bytes", len(d.file))}
	}
	args = append([]dylib.Arg{dylib.Int(d.handle), dylib.Slice(d.file), dylib.Int(len(d.file))}, args...)
	if int32(d.lib.Call(function, args...)) == 0 {
		return nil
	}
	if d.lenient && function != decompressHeader && int32(d.lib.Call(errorCode, dylib.Int(d.handle))) == warning {
		return nil
	}
	return &common.Error{Op: "decode", Kind: common.ErrInput, Message: "libjpeg: " + dylib.GoString(d.lib.Call(errorString, dylib.Int(d.handle)))}
}

// pixels decodes the picture at the size of r.
func (d *decoder) pixels(to []uint8, r image.Rectangle, stride, format int) error {
	return d.call(decompress, dylib.Slice(to), dylib.Int(r.Dx()), dylib.Int(stride), dylib.Int(r.Dy()), dylib.Int(format), dylib.Int(limitScans))
}
