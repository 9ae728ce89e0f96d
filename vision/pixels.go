// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"encoding/binary"
	"image"
	"image/color"
	"reflect"

	"github.com/anyinfer/anyinfer/common"
)

// maxSide is the largest width and height of a picture, which keeps products of sizes
// far from overflow and the memory for a row small.
const maxSide = 1 << 20

// open takes the picture, or says why it cannot.
func (f *filler) open(img image.Image) error {
	if isNil(img) {
		return fail(common.ErrInput, "the picture is nil")
	}
	f.img, f.bounds = img, img.Bounds()
	f.size = f.bounds.Size()
	if f.bounds.Empty() {
		return fail(common.ErrInput, "the picture has no pixels; its bounds are %v", f.bounds)
	}
	if f.size.X > maxSide || f.size.Y > maxSide {
		return fail(common.ErrInput, "the picture has %d x %d pixels; at most %d are supported on a side", f.size.X, f.size.Y, maxSide)
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
		if m.CStride < 0 || m.CStride > chroma || m.COffset(f.bounds.Max.X-1, f.bounds.Max.Y-1) >= chroma {
			return fail(common.ErrInput, "the picture has %d and %d bytes of chroma, too few for its bounds %v", len(m.Cb), len(m.Cr), f.bounds)
		}
		f.chroma = resized(f.chroma, f.size.X)
		for x := range f.chroma {
			f.chroma[x] = int32(m.COffset(f.bounds.Min.X+x, f.bounds.Min.Y))
		}
		return f.check(m.Y, m.YStride, 1)
	}
	return nil
}

// isNil reports whether there is no picture, also where its type is known.
func isNil(img image.Image) bool {
	v := reflect.ValueOf(img)
	return img == nil || v.Kind() == reflect.Pointer && v.IsNil()
}

// check returns an error if a plane is too small for the picture.
func (f *filler) check(plane []byte, stride, bytes int) error {
	if n := len(plane); stride < 0 || stride > n || int64(stride)*int64(f.size.Y-1)+int64(bytes*f.size.X) > int64(n) {
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
		fast, ok := f.img.(image.RGBA64Image)
		for i, x := range columns {
			x, y := f.bounds.Min.X+int(x), f.bounds.Min.Y+y
			var c color.RGBA64
			if ok {
				c = fast.RGBA64At(x, y)
			} else {
				c = color.RGBA64Model.Convert(f.img.At(x, y)).(color.RGBA64)
			}
			to[i] = uint32(c.R>>8) | uint32(c.G&0xff00) | uint32(c.B&0xff00)<<8
		}
	}
}

// limited returns the value of 0 to 255 that is closest to v.
func limited(v int32) uint32 { return uint32(min(max(v, 0), 255)) }
