// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io"

	"github.com/anyinfer/anyinfer/common"
	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// MaxPixels is the number of pixels that Decode accepts. A small file can claim any
// number, and the decoders allocate what it claims. Change it before the first Decode.
var MaxPixels = 100_000_000

// Decode reads a picture and turns it upright, as its EXIF orientation says. It returns
// the name of the format, too: "bmp", "gif", "jpeg", "png", "tiff", "webp", or another
// one that the program has registered with package image. Of an animation it returns the
// first picture. All of r is read first, so limit what strangers send. The error wraps
// common.ErrInput, and r's own.
//
// The pixels of a JPEG file depend on its decoder, also from one release of Go to
// the next; those of Python's packages come from libjpeg-turbo, as those of package
// turbojpeg do.
func Decode(r io.Reader) (image.Image, string, error) {
	file, err := io.ReadAll(r)
	if err != nil {
		return nil, "", &common.Error{Op: "decode", Kind: common.ErrInput, Message: "the picture cannot be read", Err: err}
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(file))
	if err == nil && int64(config.Width)*int64(config.Height) > int64(MaxPixels) {
		return nil, "", &common.Error{Op: "decode", Kind: common.ErrInput,
			Message: fmt.Sprintf("the %s picture has %d x %d pixels, more than %d", format, config.Width, config.Height, MaxPixels),
			Hint:    "make the picture smaller, or set vision.MaxPixels"}
	}
	var img image.Image
	if err == nil {
		img, _, err = image.Decode(bytes.NewReader(file))
	}
	if err != nil {
		message := "the file is empty, is no picture or has an unknown format"
		if format != "" {
			message = "the " + format + " picture is damaged, incomplete or of an unknown kind"
		}
		return nil, "", &common.Error{Op: "decode", Kind: common.ErrInput, Message: message, Err: err,
			Hint: "known formats are JPEG, PNG, GIF, BMP, TIFF and WebP"}
	}
	if all := image.Rect(0, 0, config.Width, config.Height); format == "gif" && img.Bounds() != all { // the first picture is a part
		canvas := image.NewRGBA(all)
		draw.Draw(canvas, img.Bounds(), img, img.Bounds().Min, draw.Src)
		img = canvas
	}
	return Upright(img, Orientation(file)), format, nil
}
