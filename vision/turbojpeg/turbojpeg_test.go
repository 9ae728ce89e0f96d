// SPDX-License-Identifier: Apache-2.0

package turbojpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/testing/headercheck"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/stretchr/testify/require"
)

// TestMain chooses the library that the tests of this module have unpacked.
func TestMain(m *testing.M) {
	if cache, err := os.UserCacheDir(); err == nil && os.Getenv(spec.Env()) == "" {
		if found, _ := filepath.Glob(filepath.Join(cache, "anyinfer", "turbojpeg", "usr", "lib", "*", "libturbojpeg.so.0")); found != nil {
			os.Setenv(spec.Env(), found[0])
		}
	}
	os.Exit(m.Run())
}

// need returns the library's path.
func need(t testing.TB) string {
	t.Helper()
	lib, err := open()
	if err != nil {
		enginetest.Missing(t, err.Error()+"\nor run 'go run ./internal/ci turbojpeg'")
	}
	return lib.Path
}

func TestHeaders(t *testing.T) {
	path, err := filepath.EvalSymlinks(need(t))
	require.NoError(t, err)
	include := filepath.Join(filepath.Dir(path), "..", "..", "include")
	if _, err := os.Stat(filepath.Join(include, "turbojpeg.h")); err != nil {
		enginetest.Missing(t, err.Error())
	}
	headercheck.Run(t, headercheck.Check{
		Dir: include, Headers: []string{"turbojpeg.h"}, Table: table,
		Values: map[string]int64{
			"TJCS_CMYK": colorCMYK, "TJCS_YCCK": colorYCCK,
			"TJPF_RGBA": formatRGBA, "TJFLAG_LIMITSCANS": limitScans,
		},
	})
}

// photo is a picture with smooth parts, edges and noise.
func photo(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(1, 2))
	for y := range h {
		for x := range w {
			a, b := math.Sin(float64(x)/37), math.Cos(float64(y)/23)
			c := color.RGBA{uint8(128 + 100*a*b), uint8(128 + 90*a), uint8(128 + 90*b), 255}
			if (x/50+y/70)%5 == 0 {
				c.R, c.B = 255-c.R, uint8(r.IntN(60))
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

func encode(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, m, &jpeg.Options{Quality: 92}))
	return b.Bytes()
}

// oriented is a JPEG file with that EXIF orientation.
func oriented(file []byte, orientation byte) []byte {
	exif := "\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string([]byte{orientation}) + "\x00\x00\x00\x00\x00\x00"
	return append(append(append([]byte{}, file[:2]...), exif...), file[2:]...)
}

// difference returns how much two pictures differ in red, green and blue.
func difference(t testing.TB, a, b image.Image) (most int, mean float64) {
	t.Helper()
	require.Equal(t, a.Bounds(), b.Bounds())
	x, y := rgba(a), rgba(b)
	sum := 0
	for i, v := range x.Pix {
		d := max(int(v), int(y.Pix[i])) - min(int(v), int(y.Pix[i]))
		most, sum = max(most, d), sum+d
	}
	return most, float64(sum) / float64(len(x.Pix)) * 4 / 3
}

func rgba(m image.Image) *image.RGBA {
	out := image.NewRGBA(m.Bounds())
	draw.Draw(out, out.Rect, m, out.Rect.Min, draw.Src)
	return out
}

func TestDecode(t *testing.T) {
	need(t)
	gray := image.NewGray(image.Rect(0, 0, 61, 43))
	draw.Draw(gray, gray.Rect, photo(61, 43), image.Point{}, draw.Src)
	for name, m := range map[string]image.Image{"even": photo(640, 480), "odd": photo(333, 217), "tiny": photo(1, 1), "narrow": photo(3, 500), "gray": gray} {
		t.Run(name, func(t *testing.T) {
			file := encode(t, m)
			for orientation := range byte(9) {
				file := oriented(file, orientation)
				want, _, err := vision.Decode(bytes.NewReader(file))
				require.NoError(t, err)
				got, scale, err := Decode(bytes.NewReader(file), nil)
				require.NoError(t, err)
				require.Equal(t, 1, scale)
				most, mean := difference(t, want, got)
				require.IsType(t, &image.RGBA{}, got)
				if name == "gray" {
					require.LessOrEqual(t, most, 2)
				}
				require.Less(t, mean, 4.5) // because image/jpeg does not interpolate colours
			}
		})
	}
}

// TestPython checks that the pixels are exactly those of Pillow and OpenCV.
func TestPython(t *testing.T) {
	need(t)
	for _, name := range []string{"420", "422progressive", "444"} {
		file, err := os.ReadFile(filepath.Join("..", "testdata", "turbojpeg", name+".jpg"))
		require.NoError(t, err)
		got, _, err := Decode(bytes.NewReader(file), nil)
		require.NoError(t, err)
		r, err := os.Open(filepath.Join("..", "testdata", "turbojpeg", name+".png"))
		require.NoError(t, err)
		defer r.Close()
		want, err := png.Decode(r)
		require.NoError(t, err)
		most, _ := difference(t, want, got)
		require.Zero(t, most, name)
	}
}

// TestScaled compares with the mean of the pixels that one pixel stands for.
func TestScaled(t *testing.T) {
	need(t)
	for _, size := range []image.Point{{640, 480}, {333, 217}, {17, 9}} {
		full := photo(size.X, size.Y)
		file := encode(t, full)
		for _, want := range []int{2, 4, 8} {
			got, scale, err := Decode(bytes.NewReader(file), &Options{Size: image.Pt(size.X/want, size.Y/want)})
			require.NoError(t, err)
			require.Equal(t, want, scale)
			require.Equal(t, image.Rect(0, 0, (size.X+want-1)/want, (size.Y+want-1)/want), got.Bounds())
			means := image.NewRGBA(image.Rect(0, 0, size.X/want, size.Y/want))
			for i := range means.Pix {
				x, y, sum := i%means.Stride/4*want, i/means.Stride*want, 0
				for j := range want * want {
					sum += int(full.Pix[full.PixOffset(x+j%want, y+j/want)+i%4])
				}
				means.Pix[i] = uint8(sum / (want * want))
			}
			_, mean := difference(t, means, got.(*image.RGBA).SubImage(means.Rect))
			require.Less(t, mean, 4.0, "%v 1/%d", size, want)
		}
	}
	for _, test := range []struct {
		size, input image.Point
		fit         vision.Fit
		want        int
	}{
		{image.Pt(1920, 1080), image.Pt(640, 640), vision.Letterbox, 2}, // 640x360 are needed, and 1/4 has 480x270
		{image.Pt(1920, 1080), image.Pt(640, 640), vision.LetterboxCorner, 2},
		{image.Pt(1920, 1080), image.Pt(640, 640), vision.Stretch, 1},
		{image.Pt(1920, 1080), image.Pt(540, 540), vision.Crop, 2},
		{image.Pt(1920, 1080), image.Pt(480, 480), vision.Letterbox, 4},
		{image.Pt(1920, 1080), image.Pt(1, 1), vision.Stretch, 8},
		{image.Pt(1920, 1080), image.Pt(4000, 4000), vision.Letterbox, 1},
	} {
		require.Equal(t, test.want, (&Options{Size: test.input, Fit: test.fit}).scale(test.size), "%v", test)
	}
	// The size is that of the upright picture.
	got, scale, err := Decode(bytes.NewReader(oriented(encode(t, photo(400, 200)), 6)), &Options{Size: image.Pt(100, 200)})
	require.NoError(t, err)
	require.Equal(t, 2, scale)
	require.Equal(t, image.Rect(0, 0, 100, 200), got.Bounds())
}

func TestErrors(t *testing.T) {
	need(t)
	file := encode(t, photo(300, 200))
	for name, test := range map[string]struct {
		file []byte
		text string
	}{
		"empty":      {nil, "has 0 bytes"},
		"text":       {[]byte("not a picture"), "libjpeg: "},
		"header cut": {file[:100], "jpeg"}, // the words depend on the release
		"truncated":  {file[:len(file)/2], "libjpeg: Premature end of JPEG file"},
	} {
		_, _, err := Decode(bytes.NewReader(test.file), nil)
		require.ErrorIs(t, err, common.ErrInput, name)
		require.ErrorContains(t, err, test.text, name)
	}
	failed := errors.New("cable pulled")
	_, _, err := Decode(iotest.ErrReader(failed), nil)
	require.ErrorIs(t, err, failed)

	old := vision.MaxPixels
	t.Cleanup(func() { vision.MaxPixels = old })
	vision.MaxPixels = 300*200 - 1
	_, _, err = Decode(bytes.NewReader(file), nil)
	require.ErrorContains(t, err, "the jpeg picture has 300 x 200 pixels, more than 59999")
}

// TestDamage decodes files with random damage: nothing crashes.
func TestDamage(t *testing.T) {
	need(t)
	r := rand.New(rand.NewPCG(3, 4))
	file := encode(t, photo(97, 61))
	for i := range 2000 {
		bad := bytes.Clone(file)
		for range 1 + r.IntN(5) {
			bad[r.IntN(len(bad))] = byte(r.IntN(256))
		}
		bad = bad[:r.IntN(len(bad))+1]
		_, _, err := Decode(bytes.NewReader(bad), &Options{Size: image.Pt(i%50, i%40)})
		if err != nil {
			require.ErrorIs(t, err, common.ErrInput)
		}
	}
}

func TestGoroutines(t *testing.T) {
	need(t)
	file := encode(t, photo(200, 150))
	want, _, err := Decode(bytes.NewReader(file), nil)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				got, _, err := Decode(bytes.NewReader(file), nil)
				if err != nil || fmt.Sprint(got.Bounds()) != fmt.Sprint(want.Bounds()) || !bytes.Equal(got.(*image.RGBA).Pix, want.(*image.RGBA).Pix) {
					t.Error("another picture", err)
				}
			}
		})
	}
	wg.Wait()
}

func TestMissing(t *testing.T) {
	old := open
	t.Cleanup(func() { open = old })
	open = func() (*dylib.Library, error) { return dylib.Open(spec, table, "") }
	t.Setenv("ANYINFER_TURBOJPEG_LIBRARY", filepath.Join(t.TempDir(), "none"))
	_, _, err := Decode(strings.NewReader(""), nil)
	require.ErrorIs(t, err, common.ErrNotAvailable)
	require.ErrorContains(t, err, "none (ANYINFER_TURBOJPEG_LIBRARY): no such file")
}

func BenchmarkDecode(b *testing.B) {
	need(b)
	file := encode(b, photo(1920, 1080))
	if name := os.Getenv("ANYINFER_BENCH_JPEG"); name != "" {
		var err error
		file, err = os.ReadFile(name)
		require.NoError(b, err)
	}
	b.Run("image/jpeg", func(b *testing.B) {
		for b.Loop() {
			_, err := jpeg.Decode(bytes.NewReader(file))
			require.NoError(b, err)
		}
	})
	config, err := jpeg.DecodeConfig(bytes.NewReader(file))
	require.NoError(b, err)
	std, err := jpeg.Decode(bytes.NewReader(file))
	require.NoError(b, err)
	for _, scale := range []int{1, 2, 4, 8} {
		o := &Options{Size: image.Pt(config.Width/scale, config.Height/scale)}
		b.Run(fmt.Sprintf("1_%d", scale), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, got, err := Decode(bytes.NewReader(file), o)
				require.NoError(b, err)
				require.Equal(b, scale, got)
			}
		})
	}
	m, _, err := Decode(bytes.NewReader(file), nil)
	require.NoError(b, err)
	most, mean := difference(b, std, m)
	b.Logf("differs from image/jpeg by at most %d, in the mean by %.3f", most, mean)
}
