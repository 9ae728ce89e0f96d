// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/draw"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// MaxPixels is the number of pixels that Decode accepts. A small file can claim any
// number, and the decoders allocate what it claims: 3 to 8 bytes a pixel for most JPEG
// files, 20 for PNG and progressive JPEG files that are turned upright, and at most about
// 35, which are 3.5 GB for 100 million pixels. A server that has less memory, or decodes
// several at a time, sets a lower number, before the first Decode.
var MaxPixels = 100_000_000

// Decode reads a picture and turns it upright, as its EXIF orientation says. It returns
// the name of the format, too: "bmp", "gif", "jpeg", "png", "tiff", "webp", or another
// one that the program has registered with package image. Of an animation it returns the
// first picture; animations in WebP files are refused. All of r is read first, so limit
// what strangers send. The error wraps common.ErrInput, and r's own.
//
// The pixels of a JPEG file depend on its decoder, also from one release of Go to
// the next; those of Python's packages come from libjpeg-turbo, as those of package
// turbojpeg do.
func Decode(r io.Reader) (image.Image, string, error) {
	file, err := io.ReadAll(r)
	if err != nil {
		return refuse("", "the picture cannot be read", err)
	}
	var img image.Image
	config, format, err := image.DecodeConfig(bytes.NewReader(file))
	switch {
	case err != nil:
	case int64(config.Width)*int64(config.Height) > int64(MaxPixels):
		return refuse("make the picture smaller, or set vision.MaxPixels",
			fmt.Sprintf("the %s picture has %d x %d pixels, more than %d", format, config.Width, config.Height, MaxPixels), nil)
	case format == "webp" && string(file[12:16]) == "VP8X" && file[20]&2 != 0:
		return refuse("save a picture of it, as with `webpmux -get frame 1 in.webp -o out.webp`, or all as a GIF file",
			"the webp picture is an animation, which cannot be decoded", nil)
	case format == "tiff" && tiffTag(file, photometric) == blackIsZero && slices.Contains(fax, tiffTag(file, compression)):
		// Package tiff returns the negative.
		return refuse("save it with another compression, such as with `tiffcp -c zip in.tiff out.tiff`",
			"the tiff picture is a fax (CCITT) with 0 for black, which cannot be decoded", nil)
	default:
		img, _, err = image.Decode(bytes.NewReader(file))
	}
	if err != nil {
		message := "the file is empty, is no picture or has an unknown format"
		if format != "" {
			message = "the " + format + " picture is damaged, incomplete or of an unknown kind"
		}
		return refuse("known formats are JPEG, PNG, GIF, BMP, TIFF and WebP", message, err)
	}
	all := image.Rect(0, 0, config.Width, config.Height)
	if format == "gif" && img.Bounds() != all { // the first picture is a part
		canvas := image.NewRGBA(all)
		draw.Draw(canvas, img.Bounds(), img, img.Bounds().Min, draw.Src)
		img = canvas
	}
	return Upright(img, Orientation(file)), format, nil
}

// refuse returns the error of Decode.
func refuse(hint, message string, err error) (image.Image, string, error) {
	return nil, "", &common.Error{Op: "decode", Kind: common.ErrInput, Message: message, Hint: hint, Err: err}
}

// Orientation returns the EXIF orientation, 1 to 8, of a JPEG, PNG, WebP or TIFF file;
// 1 if it has none. Decode heeds it; this is for programs with another decoder.
func Orientation(file []byte) int {
	if o := tiffTag(exif(file), orientation); o >= 1 && o <= 8 {
		return o
	}
	return 1
}

// exif returns the EXIF data of a file, which are a TIFF file in the others; nil if it has none.
func exif(file []byte) []byte {
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
			} else if data, found := bytes.CutPrefix(b[4:end], begin); found && b[1] == 0xe1 {
				return data
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
				return bytes.TrimPrefix(b[8:8+length], begin)
			}
			b = b[min(8+length+after, int64(len(b))):]
		}
	case bytes.HasPrefix(file, []byte("II")), bytes.HasPrefix(file, []byte("MM")):
		return file
	}
	return nil
}

// Tags of TIFF files, and values of the second and the first.
const (
	compression, photometric, orientation = 0x103, 0x106, 0x112

	blackIsZero = 1
)

var fax = []int{3, 4}

// tiffTag returns the integer that a tag has in the first directory of a TIFF file; 0 if it is not there.
func tiffTag(b []byte, tag uint16) int {
	if len(b) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(b[4:]))
	if at > int64(len(b)-2) {
		return 0
	}
	const short, long, size = 3, 4, 12
	count := int(order.Uint16(b[at:]))
	for b = b[at+2:]; count > 0 && len(b) >= size; b, count = b[size:], count-1 {
		switch kind := order.Uint16(b[2:]); {
		case order.Uint16(b) != tag:
		case kind == short:
			return int(order.Uint16(b[8:]))
		case kind == long:
			return int(order.Uint32(b[8:]))
		}
	}
	return 0
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
		sides := map[image.YCbCrSubsampleRatio]int{image.YCbCrSubsampleRatio444: 1, image.YCbCrSubsampleRatio420: 2}
		if side, known := sides[m.SubsampleRatio]; known && (b.Min.X|b.Min.Y|w|h)%side == 0 {
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
