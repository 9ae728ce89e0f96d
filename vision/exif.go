// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/draw"
	"strings"
)

// Orientation returns the EXIF orientation, 1 to 8, of a JPEG, PNG, WebP or TIFF file;
// 1 if it has none. Decode heeds it; this is for programs with another decoder.
func Orientation(file []byte) int {
	begin := []byte("Exif\x00\x00")
	png := bytes.HasPrefix(file, []byte("\x89PNG\r\n\x1a\n"))
	switch {
	case bytes.HasPrefix(file, []byte{0xff, 0xd8}): // JPEG: segments of 0xff, kind, length, data
		for b := file[2:]; len(b) > 4 && b[0] == 0xff && b[1] != 0xda; {
			end := 2 + int(binary.BigEndian.Uint16(b[2:]))
			if b[1] == 0xff { // a byte that fills up
				end = 1
			} else if end < 4 || end > len(b) {
				break
			} else if exif, found := bytes.CutPrefix(b[4:end], begin); found && b[1] == 0xe1 {
				return tiffOrientation(exif)
			}
			b = b[end:]
		}
	case png, bytes.HasPrefix(file, []byte("RIFF")):
		b := file[min(12, len(file)):] // WebP: chunks of name, length, data of an even size
		if png {
			b = file[8:] // chunks of length, name, data, checksum
		}
		for len(b) >= 8 {
			name, length, after := string(b[:4]), int64(binary.LittleEndian.Uint32(b[4:])), int64(b[4]&1)
			if png {
				name, length, after = string(b[4:8]), int64(binary.BigEndian.Uint32(b)), 4
			}
			if length > int64(len(b)-8) {
				break
			}
			if strings.EqualFold(name, "EXIF") {
				return tiffOrientation(bytes.TrimPrefix(b[8:8+length], begin))
			}
			b = b[min(8+length+after, int64(len(b))):]
		}
	case bytes.HasPrefix(file, []byte("II")), bytes.HasPrefix(file, []byte("MM")):
		return tiffOrientation(file)
	}
	return 1
}

// tiffOrientation returns the orientation in the first directory of a TIFF file, which
// EXIF data is, too.
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
	const tag, short, long, size = 0x112, 3, 4, 12
	count := int(order.Uint16(b[at:]))
	for b = b[at+2:]; count > 0 && len(b) >= size; b, count = b[size:], count-1 {
		o := uint32(order.Uint16(b[8:]))
		if order.Uint16(b[2:]) == long {
			o = order.Uint32(b[8:])
		} else if order.Uint16(b[2:]) != short {
			continue
		}
		if order.Uint16(b) == tag && o >= 1 && o <= 8 {
			return int(o)
		}
	}
	return 1
}

// Upright returns img as an EXIF orientation wants it: 2 mirrors, 3 turns by 180
// degrees, 4 exchanges top and bottom; 5 exchanges rows and columns, and 6 to 8 do so
// after 4, 3 and 2. YCbCr 4:2:0 and 4:4:4 stay that if all of their chroma samples meet
// the same pixels as before; all else becomes RGBA.
func Upright(img image.Image, orientation int) image.Image {
	if orientation < 2 || orientation > 8 {
		return img
	}
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	r := image.Rect(0, 0, w, h)
	if orientation >= 5 {
		r = image.Rect(0, 0, h, w)
	}
	if m, ok := img.(*image.YCbCr); ok {
		side, known := map[image.YCbCrSubsampleRatio]int{image.YCbCrSubsampleRatio444: 1, image.YCbCrSubsampleRatio420: 2}[m.SubsampleRatio]
		if known && (b.Min.X|b.Min.Y|w|h)%side == 0 {
			out := image.NewYCbCr(r, m.SubsampleRatio)
			turn(out.Y, m.Y, m.YStride, w, h, 1, orientation)
			turn(out.Cb, m.Cb, m.CStride, w/side, h/side, 1, orientation)
			turn(out.Cr, m.Cr, m.CStride, w/side, h/side, 1, orientation)
			return out
		}
	}
	m, ok := img.(*image.RGBA)
	if !ok {
		m = image.NewRGBA(image.Rect(0, 0, w, h))
		draw.Draw(m, m.Rect, img, b.Min, draw.Src)
	}
	out := image.NewRGBA(r)
	turn(out.Pix, m.Pix, m.Stride, w, h, 4, orientation)
	return out
}

// turn fills to with a plane of w by h samples of that many bytes.
func turn(to, from []byte, stride, w, h, bytes, orientation int) {
	at, right, down := 0, bytes, stride // the first sample, and steps from it
	switch orientation {
	case 2, 3, 7, 8:
		at, right = (w-1)*bytes, -bytes
	}
	switch orientation {
	case 3, 4, 6, 7:
		at, down = at+(h-1)*stride, -stride
	}
	if orientation >= 5 {
		w, h, right, down = h, w, down, right
	}
	for y := range h {
		i := at + y*down
		for range w {
			if to[0] = from[i]; bytes == 4 {
				copy(to[:4], from[i:i+4])
			}
			to, i = to[bytes:], i+right
		}
	}
}
