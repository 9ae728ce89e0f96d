// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"bytes"
	"fmt"
	"image"
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
// first picture. The error wraps common.ErrInput, and r's own if the file cannot be
// read to its end.
//
// The pixels of a JPEG file depend on its decoder, also from one release of Go to
// the next; those of Python's packages come from libjpeg-turbo, as those of package
// turbojpeg do.
func Decode(r io.Reader) (image.Image, string, error) {
	in := &reader{r: r}
	var file bytes.Buffer
	config, format, err := image.DecodeConfig(io.TeeReader(in, &file))
	if err != nil {
		return nil, "", in.fail(format, err)
	}
	if int64(config.Width)*int64(config.Height) > int64(MaxPixels) {
		return nil, "", &common.Error{Op: "decode", Kind: common.ErrInput,
			Message: fmt.Sprintf("the %s picture has %d x %d pixels, more than %d", format, config.Width, config.Height, MaxPixels),
			Hint:    "make the picture smaller, or set vision.MaxPixels"}
	}
	if _, err := file.ReadFrom(in); err != nil {
		return nil, "", in.fail(format, err)
	}
	img, format, err := image.Decode(bytes.NewReader(file.Bytes()))
	if err != nil {
		return nil, "", in.fail(format, err)
	}
	return turned(img, orientation(file.Bytes())), format, nil
}

// reader remembers the error of r, to tell a file that is damaged from one that cannot
// be read.
type reader struct {
	r   io.Reader
	err error
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

func (r *reader) fail(format string, err error) error {
	e := &common.Error{Op: "decode", Kind: common.ErrInput, Err: err, Hint: "known formats are JPEG, PNG, GIF, BMP, TIFF and WebP"}
	switch {
	case r.err != nil:
		e.Message, e.Hint, e.Err = "the file cannot be read", "", r.err
	case format == "":
		e.Message = "the file is no picture, is empty or has an unknown format"
	default:
		e.Message = fmt.Sprintf("the %s picture is damaged, incomplete or of an unknown kind", format)
	}
	return e
}
