// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/draw"
)

// Orientation returns the EXIF orientation, 1 to 8, of a JPEG, PNG, WebP or TIFF file;
// 1 if it has none. Decode heeds it; this is for programs with another decoder.
func Orientation(file []byte) int {
	u16, u32 := binary.BigEndian.Uint16, binary.BigEndian.Uint32
	switch {
	case bytes.HasPrefix(file, []byte{0xff, 0xd8}): // JPEG: segments of 0xff, kind, length
		for b := file[2:]; len(b) > 4 && b[0] == 0xff && b[1] != 0xda; {
			length := int(u16(b[2:]))
			if b[1] == 0xff { // a byte that fills up
				b = b[1:]
				continue
			}
			if length+2 > len(b) {
				break
			}
			if exif, found := bytes.CutPrefix(b[4:max(length+2, 4)], []byte("Exif\x00\x00")); found && b[1] == 0xe1 {
				return tiffOrientation(exif)
			}
			b = b[length+2:]
		}
	case bytes.HasPrefix(file, []byte("\x89PNG")): // chunks of length, name, data, checksum
		for b := file[min(8, len(file)):]; len(b) >= 12 && int64(u32(b)) <= int64(len(b)-12); b = b[12+u32(b):] {
			if string(b[4:8]) == "eXIf" {
				return tiffOrientation(b[8 : 8+u32(b)])
			}
		}
	case bytes.HasPrefix(file, []byte("RIFF")): // WebP: chunks of name, length, data of an even size
		for b := file[min(12, len(file)):]; len(b) >= 8; {
			length := int64(binary.LittleEndian.Uint32(b[4:]))
			if length > int64(len(b)-8) {
				break
			}
			if string(b[:4]) == "EXIF" {
				return tiffOrientation(bytes.TrimPrefix(b[8:8+length], []byte("Exif\x00\x00")))
			}
			b = b[min(8+length+length&1, int64(len(b))):]
		}
	case bytes.HasPrefix(file, []byte("II")), bytes.HasPrefix(file, []byte("MM")):
		return tiffOrientation(file)
	}
	return 1
}

// tiffOrientation returns the orientation in the first directory of a TIFF file, which EXIF data is, too.
func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(b[4:]))
	if at > int64(len(b)-2) {
		return 1
	}
	const tag, short, size = 0x112, 3, 12
	count := int(order.Uint16(b[at:]))
	for b = b[at+2:]; count > 0 && len(b) >= size; b, count = b[size:], count-1 {
		if order.Uint16(b) == tag && order.Uint16(b[2:]) == short {
			if o := int(order.Uint16(b[8:])); o >= 1 && o <= 8 {
				return o
			}
		}
	}
	return 1
}

// Upright returns img as an EXIF orientation wants it: 2 mirrors, 3 turns by 180
// degrees, 4 exchanges top and bottom; 5 exchanges rows and columns, and 6 to 8 do so
// after 4, 3 and 2. YCbCr stays that if all of its chroma samples meet the same pixels
// as before; all else becomes RGBA.
func Upright(img image.Image, orientation int) image.Image {
	if orientation < 2 || orientation > 8 {
		return img
	}
	b := img.Bounds()
	t := turns[orientation]
	t.size = b.Size()
	r := image.Rectangle{Max: b.Size()}
	if t.swap {
		r.Max = image.Pt(r.Max.Y, r.Max.X)
	}
	if m, ok := img.(*image.YCbCr); ok {
		x, y, ratio := 1, 1, m.SubsampleRatio // the pixels that a chroma sample has
		switch ratio {
		case image.YCbCrSubsampleRatio420:
			x, y = 2, 2
		case image.YCbCrSubsampleRatio422:
			x = 2
			if t.swap {
				ratio = image.YCbCrSubsampleRatio440
			}
		case image.YCbCrSubsampleRatio440:
			y = 2
			if t.swap {
				ratio = image.YCbCrSubsampleRatio422
			}
		}
		if ratio < image.YCbCrSubsampleRatio411 && (b.Min.X|b.Max.X)%x|(b.Min.Y|b.Max.Y)%y == 0 {
			out, from := image.NewYCbCr(r, ratio), m.COffset(b.Min.X, b.Min.Y)
			t.plane(out.Y, m.Y[m.YOffset(b.Min.X, b.Min.Y):], m.YStride, 1, 1, 1)
			t.plane(out.Cb, m.Cb[from:], m.CStride, 1, x, y)
			t.plane(out.Cr, m.Cr[from:], m.CStride, 1, x, y)
			return out
		}
	}
	m, ok := img.(*image.RGBA)
	if !ok {
		m = image.NewRGBA(image.Rectangle{Max: b.Size()})
		draw.Draw(m, m.Rect, img, b.Min, draw.Src)
	}
	out := image.NewRGBA(r)
	t.plane(out.Pix, m.Pix[m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y):], m.Stride, 4, 1, 1)
	return out
}

// turn flips the columns and rows of a picture of size, and then exchanges them.
type turn struct {
	flipX, flipY, swap bool
	size               image.Point
}

var turns = [9]turn{
	2: {flipX: true}, 3: {flipX: true, flipY: true}, 4: {flipY: true},
	5: {swap: true}, 6: {swap: true, flipY: true}, 7: {swap: true, flipX: true, flipY: true}, 8: {swap: true, flipX: true},
}

// plane fills to with a plane of the picture whose samples have that many bytes, and
// x by y pixels each.
func (t turn) plane(to, from []byte, stride, bytes, x, y int) {
	w, h := t.size.X/x, t.size.Y/y
	at, right, down := 0, bytes, stride // steps in from
	if t.flipX {
		at, right = (w-1)*bytes, -bytes
	}
	if t.flipY {
		at, down = at+(h-1)*stride, -stride
	}
	if t.swap {
		w, h, right, down = h, w, down, right
	}
	for ; h > 0; h, at = h-1, at+down {
		i := at
		for end := w * bytes; end > 0; end, i = end-bytes, i+right {
			if to[0] = from[i]; bytes == 4 {
				copy(to[:4], from[i:i+4])
			}
			to = to[bytes:]
		}
	}
}
