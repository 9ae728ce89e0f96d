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
}

// Decode reads a JPEG file and turns the picture upright, as its EXIF orientation
// says. The picture is 1/scale as large as in the file, rounded up; scale is 1 unless
// o.Size is set, and what is found in the picture is then at other places than in the
// file's.
//
// It returns an *image.RGBA with the pixels that OpenCV and Pillow have. An
// *image.YCbCr, which image/jpeg returns, would take longer to decode and to resize, and
// would have coarser colours at 1/2 and below. CMYK files are decoded by image/jpeg, at
// full size.
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
	if len(file) == 0 || uint64(len(file)) > math.MaxUint32 { // an unsigned long of Windows
		return nil, 0, fail("the jpeg file has %d bytes", len(file))
	}
	handle := dylib.Int(lib.Call(initDecompress))
	defer lib.Call(destroy, handle)
	call := func(function int, args ...dylib.Arg) error {
		args = append([]dylib.Arg{handle, dylib.Slice(file), dylib.Int(len(file))}, args...)
		if int32(lib.Call(function, args...)) != 0 {
			return fail("libjpeg: %s", dylib.GoString(lib.Call(errorString, handle)))
		}
		return nil
	}
	var head struct{ width, height, subsampling, color int32 }
	err = call(decompressHeader, dylib.Ptr(&head.width), dylib.Ptr(&head.height), dylib.Ptr(&head.subsampling),
		dylib.Ptr(&head.color))
	if err != nil {
		return nil, 0, err
	}
	size := image.Pt(int(head.width), int(head.height))
	if size.X <= 0 || size.Y <= 0 {
		return nil, 0, fail("the jpeg file has no picture, or ends before it")
	}
	if size.X > vision.MaxPixels/size.Y || head.color == colorCMYK || head.color == colorYCCK {
		img, _, err = vision.Decode(bytes.NewReader(file)) // which refuses large ones
		return img, 1, err
	}
	turn := vision.Orientation(file)
	scale = 1
	if upright := size; o != nil && o.Size.X > 0 && o.Size.Y > 0 {
		if turn >= 5 {
			upright = image.Pt(size.Y, size.X)
		}
		scale = o.scale(upright)
	}
	m := image.NewRGBA(image.Rect(0, 0, (size.X+scale-1)/scale, (size.Y+scale-1)/scale))
	err = call(decompress, dylib.Slice(m.Pix), dylib.Int(m.Rect.Dx()), dylib.Int(m.Stride), dylib.Int(m.Rect.Dy()),
		dylib.Int(formatRGBA), dylib.Int(limitScans))
	if err != nil {
		return nil, 0, err
	}
	return vision.Upright(m, turn), scale, nil
}

// scale returns by how much a picture of that size may be made smaller.
func (o *Options) scale(size image.Point) int {
	x, y := float64(o.Size.X)/float64(size.X), float64(o.Size.Y)/float64(size.Y)
	part := max(x, y) // what is left of the size in the input
	if o.Fit == vision.Letterbox || o.Fit == vision.LetterboxCorner || o.Fit == vision.LetterboxByHeight {
		part = min(x, y)
	}
	scale := 8
	for scale > 1 && part*float64(scale) > 1 {
		scale /= 2
	}
	return scale
}

func fail(format string, args ...any) error {
	return &common.Error{Op: "decode", Kind: common.ErrInput, Message: fmt.Sprintf(format, args...)}
}
