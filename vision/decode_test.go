// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/stretchr/testify/require"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// withOrientation adds EXIF data with an orientation to a JPEG file.
func withOrientation(file []byte, o byte) []byte {
	exif := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x02\x01\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00\x07\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(o) + "\x00\x00\x00\x00\x00\x00"
	segment := append([]byte{0xff, 0xd8, 0xff, 0xe0, 0, 4, 9, 9, 0xff, 0xff, 0xe1, 0, byte(len(exif) + 2)}, exif...)
	return append(segment, file[2:]...)
}

// TestTurnedJPEG: each orientation moves pixels as EXIF says. TestFillGolden has the same for PNG.
func TestTurnedJPEG(t *testing.T) {
	for _, size := range []image.Point{{20, 14}, {21, 15}} {
		var file bytes.Buffer
		require.NoError(t, jpeg.Encode(&file, picture(t, "scene").(*image.RGBA).SubImage(image.Rectangle{Max: size}.Add(image.Pt(20, 20))), nil))
		plain, _, err := vision.Decode(bytes.NewReader(file.Bytes()))
		require.NoError(t, err)
		w, h := size.X-1, size.Y-1
		for o, from := range map[byte]func(x, y int) (int, int){
			0: func(x, y int) (int, int) { return x, y },
			1: func(x, y int) (int, int) { return x, y },
			2: func(x, y int) (int, int) { return w - x, y },
			3: func(x, y int) (int, int) { return w - x, h - y },
			4: func(x, y int) (int, int) { return x, h - y },
			5: func(x, y int) (int, int) { return y, x },
			6: func(x, y int) (int, int) { return y, h - x },
			7: func(x, y int) (int, int) { return w - y, h - x },
			8: func(x, y int) (int, int) { return w - y, x },
			9: func(x, y int) (int, int) { return x, y },
		} {
			img, format, err := vision.Decode(bytes.NewReader(withOrientation(file.Bytes(), o)))
			require.NoError(t, err)
			require.Equal(t, "jpeg", format)
			want := size
			if o >= 5 && o <= 8 {
				want = image.Pt(size.Y, size.X)
			}
			require.Equal(t, image.Rectangle{Max: want}, img.Bounds())
			for y := range want.Y {
				for x := range want.X {
					require.Equal(t, color.RGBAModel.Convert(plain.At(from(x, y))), color.RGBAModel.Convert(img.At(x, y)), "orientation %d at %d,%d", o, x, y)
				}
			}
		}
	}
}

// TestUpright: a part of YCbCr turns as its RGBA does, and stays YCbCr if that is easy.
func TestUpright(t *testing.T) {
	for ratio := image.YCbCrSubsampleRatio444; ratio <= image.YCbCrSubsampleRatio410; ratio++ {
		for _, part := range []image.Rectangle{image.Rect(4, 8, 24, 40), image.Rect(3, 8, 24, 40), image.Rect(4, 7, 25, 40)} {
			m := planes(picture(t, "scene"), ratio, image.Point{}).SubImage(part)
			rgba := image.NewRGBA(part)
			draw.Draw(rgba, part, m, part.Min, draw.Src)
			for o := range 9 {
				got, want := vision.Upright(m, o), vision.Upright(rgba, o)
				if (part.Min.X|part.Min.Y)%2 == 0 && (ratio == image.YCbCrSubsampleRatio444 || ratio == image.YCbCrSubsampleRatio420) {
					require.IsType(t, m, got, "%v %v %d", ratio, part, o)
				}
				b, w := got.Bounds(), want.Bounds()
				require.Equal(t, w.Size(), b.Size())
				for y := range b.Dy() {
					for x := range b.Dx() {
						require.Equal(t, want.At(w.Min.X+x, w.Min.Y+y), color.RGBAModel.Convert(got.At(b.Min.X+x, b.Min.Y+y)), "%v %v %d", ratio, part, o)
					}
				}
			}
		}
	}
}

// files has the scene in all formats.
func files(t testing.TB) map[string][]byte {
	t.Helper()
	scene := picture(t, "scene")
	all := map[string][]byte{}
	for format, encode := range map[string]func(*bytes.Buffer) error{
		"png":  func(b *bytes.Buffer) error { return png.Encode(b, scene) },
		"jpeg": func(b *bytes.Buffer) error { return jpeg.Encode(b, scene, nil) },
		"gif":  func(b *bytes.Buffer) error { return gif.Encode(b, scene, nil) },
		"bmp":  func(b *bytes.Buffer) error { return bmp.Encode(b, scene) },
		"tiff": func(b *bytes.Buffer) error { return tiff.Encode(b, scene, nil) },
	} {
		var b bytes.Buffer
		require.NoError(t, encode(&b))
		all[format] = b.Bytes()
	}
	webp, err := os.ReadFile(filepath.Join("testdata", "pix", "turn.webp"))
	require.NoError(t, err)
	all["webp"] = webp
	return all
}

func TestDecode(t *testing.T) {
	for format, file := range files(t) {
		img, got, err := vision.Decode(iotest.OneByteReader(bytes.NewReader(file)))
		require.NoError(t, err)
		require.Equal(t, format, got)
		require.False(t, img.Bounds().Empty())
		for _, n := range []int{0, 1, 20, len(file) / 2} {
			_, _, err = vision.Decode(bytes.NewReader(file[:n]))
			var e *common.Error
			require.ErrorAs(t, err, &e, "%s of %d bytes", format, n)
			require.ErrorIs(t, err, common.ErrInput)
			require.ErrorContains(t, err, "JPEG, PNG, GIF, BMP, TIFF and WebP")
		}
		broken := errors.New("cable cut")
		for _, n := range []int{0, len(file) / 2} {
			_, _, err = vision.Decode(&cut{file[:n], broken})
			require.ErrorIs(t, err, broken)
			require.ErrorIs(t, err, common.ErrInput)
		}
	}
}

// cut delivers bytes and then an error.
type cut struct {
	rest []byte
	err  error
}

func (c *cut) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, c.err
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// TestDecodeTooLarge: what a header claims is not allocated.
func TestDecodeTooLarge(t *testing.T) {
	file := bytes.Clone(files(t)["bmp"])
	copy(file[18:], []byte{0x20, 0x4e, 0, 0, 0x20, 0x4e, 0, 0})
	_, _, err := vision.Decode(bytes.NewReader(file))
	require.ErrorIs(t, err, common.ErrInput)
	require.ErrorContains(t, err, "20000 x 20000 pixels, more than 100000000")
}

func FuzzDecode(f *testing.F) {
	for _, file := range files(f) {
		f.Add(file)
	}
	f.Add(withOrientation(files(f)["jpeg"], 6))
	f.Fuzz(func(t *testing.T, file []byte) {
		img, _, err := vision.Decode(bytes.NewReader(file))
		if err != nil {
			require.ErrorIs(t, err, common.ErrInput)
			return
		}
		if b := img.Bounds(); b.Dx()*b.Dy() < 1<<20 {
			(&vision.Input{}).Fill(newTensor(t, common.Uint8, 1, 3, 8, 8), nil, 0, img)
		}
	})
}

// TestPartialGIF: the first picture of a GIF can be a part of its canvas; places are those of the canvas.
func TestPartialGIF(t *testing.T) {
	part := image.NewPaletted(image.Rect(5, 4, 10, 9), color.Palette{color.Black, color.White})
	part.SetColorIndex(6, 5, 1)
	var file bytes.Buffer
	require.NoError(t, gif.EncodeAll(&file, &gif.GIF{Image: []*image.Paletted{part}, Delay: []int{0}, Config: image.Config{ColorModel: part.Palette, Width: 20, Height: 10}}))
	img, _, err := vision.Decode(&file)
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 20, 10), img.Bounds())
	require.Equal(t, color.RGBA{255, 255, 255, 255}, color.RGBAModel.Convert(img.At(6, 5)))
}

func TestLongOrientation(t *testing.T) {
	for order, entry := range map[string]string{"II*\x00\x08\x00\x00\x00\x01\x00": "\x12\x01\x04\x00\x01\x00\x00\x00\x06\x00\x00\x00", "MM\x00*\x00\x00\x00\x08\x00\x01": "\x01\x12\x00\x04\x00\x00\x00\x01\x00\x00\x00\x06"} {
		require.Equal(t, 6, vision.Orientation([]byte(order+entry)))
	}
}

// TestDecodeRefuses: what package image's decoders would make a wrong or no picture of says what to do.
func TestDecodeRefuses(t *testing.T) {
	// Pillow writes a fax that begins with black as this, with 1 for BlackIsZero, or 0 for WhiteIsZero.
	fax := func(interpretation string) string {
		return "II*\x00\x10\x00\x00\x00\x36\x1f\xff\xf0\x01\x00\x10\x00\x09\x00" +
			"\x00\x01\x03\x00\x01\x00\x00\x00\x10\x00\x00\x00" + "\x01\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00" +
			"\x02\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00" + "\x03\x01\x03\x00\x01\x00\x00\x00\x04\x00\x00\x00" +
			"\x06\x01\x03\x00\x01\x00\x00\x00" + interpretation + "\x00\x00\x00" + "\x11\x01\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00" +
			"\x16\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00" + "\x17\x01\x04\x00\x01\x00\x00\x00\x07\x00\x00\x00" +
			"\x1c\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00" + "\x00\x00\x00\x00"
	}
	animation := "RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x0f\x00\x00\x0f\x00\x00"
	for file, text := range map[string]string{fax("\x01"): "tiffcp -c zip", animation: "webpmux -get frame 1"} {
		_, _, err := vision.Decode(strings.NewReader(file))
		require.ErrorIs(t, err, common.ErrInput)
		require.ErrorContains(t, err, text)
	}
	_, _, err := vision.Decode(strings.NewReader(fax("\x00")))
	require.NoError(t, err)
	negative, err := tiff.Decode(strings.NewReader(fax("\x01")))
	require.NoError(t, err)
	require.Equal(t, color.Gray{Y: 255}, negative.At(0, 0), "package tiff decodes black as black now, so it need not be refused")
}
