// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/stretchr/testify/require"
)

// golden has what testdata/gen_pix.py writes.
var golden struct {
	Cases []struct {
		Name, Picture string
		Tolerance     float64
		Input         vision.Input
	}
	Warps []struct {
		Name   string
		Matrix vision.Affine
	}
	Similarities []struct {
		From, To [][2]float32
		Want     vision.Affine
	}
	Places []struct {
		Fit            vision.Fit
		Picture, Input [2]int
		At             [4]int
		Back           [2]float64
	}
}

func readGolden(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("testdata/pix/pix.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &golden))
}

func picture(t testing.TB, name string) image.Image {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "pix", name+".png"))
	require.NoError(t, err)
	defer f.Close()
	img, _, err := vision.Decode(f)
	require.NoError(t, err)
	return img
}

// floats returns the elements of a tensor of pictures.
func floats(t testing.TB, x *common.Tensor) []float32 {
	t.Helper()
	all := make([]float32, x.Len())
	require.NoError(t, (*common.Quantization)(nil).Dequantize(all, x))
	return all
}

// difference returns the largest difference of two tensors, and the mean.
func difference(t testing.TB, got, want *common.Tensor) (most, mean float64) {
	t.Helper()
	g, w := floats(t, got), floats(t, want)
	require.Equal(t, len(w), len(g))
	for i := range g {
		d := math.Abs(float64(g[i]) - float64(w[i]))
		require.False(t, math.IsNaN(d))
		most, mean = max(most, d), mean+d/float64(len(g))
	}
	return most, mean
}

func newTensor(t testing.TB, dt common.DType, shape ...int) *common.Tensor {
	t.Helper()
	x, err := common.NewTensor(dt, shape...)
	require.NoError(t, err)
	return x
}

// TestFillGolden compares with what OpenCV, Pillow and NumPy computed.
func TestFillGolden(t *testing.T) {
	readGolden(t)
	for _, c := range golden.Cases {
		t.Run(c.Name, func(t *testing.T) {
			want, err := npy.ReadFile(filepath.Join("testdata", "pix", c.Name+".npy"))
			require.NoError(t, err)
			shape := want.Shape()
			if len(shape) == 3 {
				shape = append(common.Shape{1}, shape...)
			}
			got := newTensor(t, want.DType(), shape...)
			_, err = c.Input.Fill(got, nil, 0, picture(t, c.Picture))
			require.NoError(t, err)
			most, mean := difference(t, got, want)
			t.Logf("at most %g, mean %.2g", most, mean)
			require.LessOrEqual(t, most, c.Tolerance)
		})
	}
}

func TestPlaces(t *testing.T) {
	readGolden(t)
	for _, c := range golden.Places {
		// A white picture on a black input shows where it is.
		img := image.NewGray(image.Rect(0, 0, c.Picture[0], c.Picture[1]))
		draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
		dst := newTensor(t, common.Uint8, 1, 1, c.Input[1], c.Input[0])
		back, err := (&vision.Input{Fit: c.Fit}).Fill(dst, nil, 0, img)
		require.NoError(t, err)
		at, gray := image.Rectangle{}, image.Gray{Pix: dst.Bytes(), Stride: c.Input[0], Rect: image.Rect(0, 0, c.Input[0], c.Input[1])}
		for y := range c.Input[1] {
			for x := range c.Input[0] {
				if gray.GrayAt(x, y).Y > 0 {
					at = at.Union(image.Rect(x, y, x+1, y+1))
				}
			}
		}
		require.Equal(t, image.Rect(c.At[0], c.At[1], c.At[2], c.At[3]), at, "%+v", c)
		got := back.Apply(vision.Point{X: float32(c.Input[0]), Y: float32(c.Input[1])})
		require.InDelta(t, c.Back[0], got.X, 1e-3*max(1, c.Back[0]/4000), "%+v", c)
		require.InDelta(t, c.Back[1], got.Y, 1e-3*max(1, c.Back[1]/4000), "%+v", c)
	}
}

func TestWarpGolden(t *testing.T) {
	readGolden(t)
	for _, c := range golden.Warps {
		want, err := npy.ReadFile(filepath.Join("testdata", "pix", c.Name+".npy"))
		require.NoError(t, err)
		got := newTensor(t, common.Uint8, append(common.Shape{1}, want.Shape()...)...)
		m := c.Matrix
		to := vision.Affine{m[0], m[1], m[2] + (1-m[0]-m[1])/2, m[3], m[4], m[5] + (1-m[3]-m[4])/2}
		for name, img := range types(picture(t, "scene"), 0) {
			require.NoError(t, (&vision.Input{}).FillWarped(got, nil, 0, img, to))
			most, mean := difference(t, got, want)
			t.Logf("%s %s: at most %g, mean %.2g", c.Name, name, most, mean)
			if name != "YCbCr" {
				require.LessOrEqual(t, most, 2.0, name)
			}
		}
	}
}

func TestSimilarity(t *testing.T) {
	readGolden(t)
	for _, c := range golden.Similarities {
		var from, to []vision.Point
		for i := range c.From {
			from, to = append(from, vision.Point{X: c.From[i][0], Y: c.From[i][1]}), append(to, vision.Point{X: c.To[i][0], Y: c.To[i][1]})
		}
		got := vision.Similarity(from, to)
		for _, p := range from { // where it matters
			g, w := got.Apply(p), c.Want.Apply(p)
			require.InDelta(t, w.X, g.X, 1e-3)
			require.InDelta(t, w.Y, g.Y, 1e-3)
		}
	}
	p := vision.Point{X: 3, Y: 4}
	require.Zero(t, vision.Similarity(nil, nil))
	require.Zero(t, vision.Similarity([]vision.Point{p, p}, []vision.Point{{}, p}))
}

// types returns img, whose bounds begin at 0,0, in the types that are read directly and in others, in pictures
// with bounds that begin elsewhere.
func types(img image.Image, seed byte) map[string]image.Image {
	b := img.Bounds()
	r := b.Add(image.Pt(7, 5))
	big := r.Inset(-3)
	all := map[string]image.Image{}
	add := func(name string, d draw.Image) {
		for i := range 200 {
			d.Set(big.Min.X+i%big.Dx(), big.Min.Y+i/big.Dx(), color.Gray{Y: seed + byte(i)})
		}
		draw.Draw(d, r, img, b.Min, draw.Src)
		all[name] = d.(interface {
			SubImage(image.Rectangle) image.Image
		}).SubImage(r)
	}
	add("RGBA", image.NewRGBA(big))
	add("NRGBA", image.NewNRGBA(big))
	add("RGBA64", image.NewRGBA64(big))
	add("NRGBA64", image.NewNRGBA64(big))
	all["plain"] = struct{ image.Image }{all["RGBA"]}
	return all
}

// planes converts img as a JPEG encoder does.
func planes(img image.Image, ratio image.YCbCrSubsampleRatio, min image.Point) *image.YCbCr {
	b := img.Bounds()
	out := image.NewYCbCr(image.Rectangle{Max: b.Size()}.Add(min), ratio)
	sums, counts := make([][2]int, len(out.Cb)), make([]int, len(out.Cb))
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := color.YCbCrModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.YCbCr)
			out.Y[out.YOffset(min.X+x, min.Y+y)] = c.Y
			i := out.COffset(min.X+x, min.Y+y)
			sums[i][0], sums[i][1], counts[i] = sums[i][0]+int(c.Cb), sums[i][1]+int(c.Cr), counts[i]+1
		}
	}
	for i, n := range counts {
		if n > 0 {
			out.Cb[i], out.Cr[i] = uint8(sums[i][0]/n), uint8(sums[i][1]/n)
		}
	}
	return out
}

// TestTypes: a picture of any type gives what its conversion to RGBA gives.
func TestTypes(t *testing.T) {
	scene := picture(t, "scene")
	all := types(scene, 3)
	gray, paletted := image.NewGray(scene.Bounds()), image.NewPaletted(scene.Bounds(), color.Palette{color.Black, color.White, color.RGBA{R: 200, A: 255}, color.NRGBA{G: 99, A: 50}})
	cmyk, gray16 := image.NewCMYK(scene.Bounds()), image.NewGray16(scene.Bounds())
	for _, d := range []draw.Image{gray, paletted, gray16} {
		draw.Draw(d, d.Bounds(), scene, image.Point{}, draw.Src)
	}
	for i := range cmyk.Pix {
		cmyk.Pix[i] = byte(i * i)
	}
	all["Gray"], all["Gray16"], all["Paletted"], all["CMYK"] = gray, gray16, paletted, cmyk
	all["Gray part"], all["NRGBA alpha"] = gray.SubImage(image.Rect(3, 7, 50, 60)), picture(t, "alpha")
	for r := image.YCbCrSubsampleRatio444; r <= image.YCbCrSubsampleRatio410; r++ {
		all[r.String()] = planes(scene, r, image.Point{})
		all[r.String()+" part"] = planes(scene, r, image.Pt(3, 2)).SubImage(image.Rect(6, 5, 90, 60))
	}
	for name, img := range all {
		rgba := image.NewRGBA(image.Rectangle{Max: img.Bounds().Size()})
		draw.Draw(rgba, rgba.Rect, img, img.Bounds().Min, draw.Src)
		for _, filter := range []vision.Filter{vision.Linear, vision.Smooth, vision.SmoothCubic, vision.Nearest} {
			for _, size := range []image.Point{{20, 13}, {97, 61}, {120, 40}} {
				got, want := newTensor(t, common.Uint8, 1, size.Y, size.X, 3), newTensor(t, common.Uint8, 1, size.Y, size.X, 3)
				in := vision.Input{Filter: filter}
				_, err := in.Fill(got, nil, 0, img)
				require.NoError(t, err)
				_, err = in.Fill(want, nil, 0, rgba)
				require.NoError(t, err)
				most, mean := difference(t, got, want)
				if most > 1 {
					t.Logf("%s filter %d size %v: at most %g, mean %.2g", name, filter, size, most, mean)
				}
			}
		}
	}
}
