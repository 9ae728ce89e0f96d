// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"math"
	"os"
	"path/filepath"
	"sync"
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
	if filepath.Ext(name) == "" {
		name += ".png"
	}
	f, err := os.Open(filepath.Join("testdata", "pix", name))
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
		copy(img.Pix, bytes.Repeat([]byte{255}, len(img.Pix)))
		dst := newTensor(t, common.Uint8, 1, 1, c.Input[1], c.Input[0])
		back, err := (&vision.Input{Fit: c.Fit}).Fill(dst, nil, 0, img)
		require.NoError(t, err)
		at, x := image.Rectangle{}, 0
		for y := range c.Input[1] {
			row := dst.Bytes()[y*c.Input[0]:][:c.Input[0]]
			if x = bytes.IndexByte(row, 255); x >= 0 {
				at = at.Union(image.Rect(x, y, bytes.LastIndexByte(row, 255)+1, y+1))
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
			from := img.Bounds().Min
			to := to.Apply(vision.Point{X: float32(-from.X), Y: float32(-from.Y)})
			require.NoError(t, (&vision.Input{}).FillWarped(got, nil, 0, img, vision.Affine{m[0], m[1], to.X, m[3], m[4], to.Y}))
			most, mean := difference(t, got, want)
			t.Logf("%s %s: at most %g, mean %.2g", c.Name, name, most, mean)
			require.LessOrEqual(t, most, 2.0, name)
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
		for _, filter := range []vision.Filter{vision.Linear, vision.Smooth, vision.SmoothCubic, vision.Nearest, vision.Area} {
			for _, size := range []image.Point{{20, 13}, {97, 61}, {120, 40}} {
				got, want := newTensor(t, common.Uint8, 1, size.Y, size.X, 3), newTensor(t, common.Uint8, 1, size.Y, size.X, 3)
				in := vision.Input{Filter: filter}
				_, err := in.Fill(got, nil, 0, img)
				require.NoError(t, err)
				_, err = in.Fill(want, nil, 0, rgba)
				require.NoError(t, err)
				require.Equal(t, want.Bytes(), got.Bytes(), "%s, filter %d, size %v", name, filter, size)
			}
		}
	}
}

// TestDTypes: all types hold what Quantize makes of the float32 that Fill computes, and pictures of a batch stay apart.
func TestDTypes(t *testing.T) {
	scene := picture(t, "scene")
	in := vision.Input{Fit: vision.Letterbox, Pad: 114, Mean: [3]float32{123.675, 116.28, 103.53}, Std: [3]float32{58.395, 57.12, 57.375}}
	one := &common.Quantization{Scale: []float32{0.02}, ZeroPoint: []int64{3}}
	each := &common.Quantization{Scale: []float32{0.02, 0.03, 0.04}, ZeroPoint: []int64{3, -4, 5}, Axis: 1}
	for _, bgr := range []bool{false, true} {
		in.BGR = bgr
		reals := newTensor(t, common.Float32, 2, 3, 20, 30)
		_, err := in.Fill(reals, nil, 1, scene)
		require.NoError(t, err)
		require.Equal(t, make([]float32, 3*20*30), floats(t, reals)[:3*20*30])
		for _, c := range []struct {
			dt    common.DType
			quant *common.Quantization
		}{{common.Float16, nil}, {common.BFloat16, nil}, {common.Int8, nil}, {common.Uint8, nil}, {common.Int8, one}, {common.Uint8, one}, {common.Int8, each}} {
			got, want := newTensor(t, c.dt, 2, 3, 20, 30), newTensor(t, c.dt, 2, 3, 20, 30)
			_, err := in.Fill(got, c.quant, 1, scene)
			require.NoError(t, err)
			require.NoError(t, c.quant.Quantize(want, floats(t, reals)))
			zero := len(want.Bytes()) / 2
			require.Equal(t, want.Bytes()[zero:], got.Bytes()[zero:], "%v %v", c.dt, c.quant)
			require.Equal(t, make([]byte, zero), got.Bytes()[:zero])

			last := newTensor(t, c.dt, 1, 20, 30, 3)
			if c.quant == each {
				c.quant = &common.Quantization{Scale: each.Scale, ZeroPoint: each.ZeroPoint, Axis: 3}
			}
			_, err = in.Fill(last, c.quant, 0, scene)
			require.NoError(t, err)
			planes, pixels := floats(t, got)[3*20*30:], floats(t, last)
			for i := range pixels {
				require.Equal(t, planes[i%3*20*30+i/3], pixels[i])
			}
		}
	}
	require.Equal(t, vision.NHWC, vision.Layout(2))
	for layout, shape := range map[vision.Layout]common.Shape{vision.NCHW: {1, 3, 3, 3}, vision.NHWC: {1, 3, 3, 3}, vision.AutoLayout: {1, 1, 3, 3}} {
		_, err := (&vision.Input{Layout: layout}).Fill(newTensor(t, common.Float32, shape...), nil, 0, scene)
		require.NoError(t, err)
	}
}

func TestFillErrors(t *testing.T) {
	scene := image.NewGray(image.Rect(0, 0, 9, 9))
	good := common.Shape{2, 3, 8, 8}
	for name, c := range map[string]struct {
		in    vision.Input
		dt    common.DType
		shape common.Shape
		quant *common.Quantization
		n     int
		img   image.Image
		kind  error
		text  string
	}{
		"nil":          {shape: good, kind: common.ErrInput, text: "picture is nil"},
		"nil RGBA":     {shape: good, img: (*image.RGBA)(nil), kind: common.ErrInput, text: "picture is nil"},
		"empty":        {shape: good, img: image.NewRGBA(image.Rect(3, 3, 3, 9)), kind: common.ErrInput, text: "no pixels"},
		"endless":      {shape: good, img: image.Black, kind: common.ErrInput, text: "on a side"},
		"short":        {shape: good, img: &image.RGBA{Pix: make([]byte, 99), Stride: 40, Rect: image.Rect(0, 0, 10, 10)}, kind: common.ErrInput, text: "99 bytes"},
		"chroma":       {shape: good, img: &image.YCbCr{Y: make([]byte, 100), YStride: 10, Rect: image.Rect(0, 0, 10, 10)}, kind: common.ErrInput, text: "chroma"},
		"short Gray16": {shape: good, img: &image.Gray16{Pix: make([]byte, 99), Stride: 20, Rect: scene.Rect}, kind: common.ErrInput, text: "*image.Gray16"},
		"short alpha": {shape: good, img: &image.NYCbCrA{YCbCr: *planes(scene, image.YCbCrSubsampleRatio420, image.Point{}), A: make([]byte, 9), AStride: 9},
			kind: common.ErrInput, text: "*image.NYCbCrA"},
		"short palette": {shape: good, img: &image.Paletted{Pix: bytes.Repeat([]byte{3}, 81), Stride: 9, Rect: scene.Rect, Palette: color.Palette{color.Black}},
			kind: common.ErrInput, text: "*image.Paletted"},
		"short CMYK": {shape: good, img: &image.CMYK{Stride: 36, Rect: scene.Rect}, kind: common.ErrInput, text: "*image.CMYK"},
		"no tensor":  {img: scene, kind: common.ErrInput, text: "tensor is nil"},
		"rank":       {shape: common.Shape{3, 8, 8}, img: scene, kind: common.ErrShape, text: "4 dimensions"},
		"channels":   {shape: common.Shape{1, 4, 8, 8}, img: scene, kind: common.ErrShape, text: "4 channels"},
		"layout":     {in: vision.Input{Layout: vision.NHWC}, shape: good, img: scene, kind: common.ErrShape, text: "8 channels"},
		"pixels":     {shape: common.Shape{1, 3, 0, 8}, img: scene, kind: common.ErrShape, text: "without pixels"},
		"size":       {in: vision.Input{Size: image.Pt(8, 9)}, shape: good, img: scene, kind: common.ErrShape, text: "Input.Size is (8,9)"},
		"batch":      {shape: good, img: scene, n: 2, kind: common.ErrShape, text: "no picture 2 in a batch of 2"},
		"before":     {shape: good, img: scene, n: -1, kind: common.ErrShape, text: "no picture -1"},
		"float64":    {dt: common.Float64, shape: good, img: scene, kind: common.ErrDType, text: "float64"},
		"int32":      {dt: common.Int32, shape: good, img: scene, kind: common.ErrDType, text: "int32"},
		"quantized":  {dt: common.Float32, shape: good, img: scene, quant: &common.Quantization{Scale: []float32{1}}, kind: common.ErrDType, text: "float32"},
		"two scales": {dt: common.Int8, shape: good, img: scene, quant: &common.Quantization{Scale: []float32{1, 2}, Axis: 1}, kind: common.ErrShape, text: "2 scales"},
	} {
		t.Run(name, func(t *testing.T) {
			var dst *common.Tensor
			if c.shape != nil {
				dst = newTensor(t, max(c.dt, common.Float32), c.shape...)
				if c.dt != 0 {
					dst = newTensor(t, c.dt, c.shape...)
				}
			}
			_, err := c.in.Fill(dst, c.quant, c.n, c.img)
			for _, filter := range []vision.Filter{vision.Smooth, vision.Nearest, vision.LinearWarp} {
				_, other := (&vision.Input{Size: c.in.Size, Layout: c.in.Layout, Filter: filter}).Fill(dst, c.quant, c.n, c.img)
				require.ErrorIs(t, other, c.kind)
			}
			var e *common.Error
			require.ErrorAs(t, err, &e)
			require.ErrorIs(t, err, c.kind)
			require.ErrorIs(t, err, common.ErrInput)
			require.ErrorContains(t, err, c.text)
			err = c.in.FillWarped(dst, c.quant, c.n, c.img, vision.Affine{1, 0, 0, 0, 1, 0})
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.text)
		})
	}
	err := (&vision.Input{}).FillWarped(newTensor(t, common.Uint8, good...), nil, 0, scene, vision.Affine{})
	require.ErrorIs(t, err, common.ErrInput)
	require.ErrorContains(t, err, "no inverse")
}

// TestFillAllocations: Fill allocates nothing, whatever the size of the picture, once it has memory for it. The pool
// that keeps the memory may drop it, in garbage collections and at random under the race detector.
func TestFillAllocations(t *testing.T) {
	least := func(f func()) float64 {
		n := math.Inf(1)
		for range 16 {
			n = min(n, testing.AllocsPerRun(1, f))
		}
		return n
	}
	for name, img := range types(image.NewRGBA(image.Rect(0, 0, 120, 80)), 0) {
		if name == "plain" {
			continue // At allocates for each pixel
		}
		for _, filter := range []vision.Filter{vision.Linear, vision.Smooth} {
			dst := newTensor(t, common.Float16, 1, 3, 32, 32)
			in := vision.Input{Fit: vision.Letterbox, Filter: filter}
			require.Zero(t, least(func() { in.Fill(dst, nil, 0, img) }), name)
			require.Zero(t, least(func() { in.FillWarped(dst, nil, 0, img, vision.Affine{1, 0, 0, 0, 1, 0}) }), name)
		}
	}
}

// TestFillParallel: goroutines share an Input, a batch and a picture.
func TestFillParallel(t *testing.T) {
	in, scene := vision.Input{Fit: vision.Letterbox, Filter: vision.Smooth}, picture(t, "scene")
	want, batch := newTensor(t, common.Float32, 1, 3, 50, 60), newTensor(t, common.Float32, 8, 3, 50, 60)
	_, err := in.Fill(want, nil, 0, scene)
	require.NoError(t, err)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() { in.Fill(batch, nil, n, scene) })
	}
	all.Wait()
	require.Equal(t, bytes.Repeat(want.Bytes(), 8), batch.Bytes())
}

func FuzzFill(f *testing.F) {
	f.Add(uint8(0), uint8(1), uint16(9), uint16(7), uint8(5), uint8(6), []byte{1, 2, 3})
	f.Add(uint8(8), uint8(6), uint16(30000), uint16(1), uint8(64), uint8(3), []byte{1, 200, 3})
	f.Add(uint8(17), uint8(11), uint16(1), uint16(30000), uint8(1), uint8(1), []byte{1, 200, 3})
	f.Fuzz(func(t *testing.T, kind, way uint8, w, h uint16, outW, outH uint8, data []byte) {
		if int(w)*int(h) > 1<<20 {
			return
		}
		// Package image itself reads beyond chroma planes where bounds begin below 0.
		r := image.Rect(0, 0, int(w), int(h)).Add(image.Pt(int(kind), int(way)))
		var img image.Image
		fill := func(planes ...[]byte) {
			for _, p := range planes {
				for i := range p {
					if len(data) > 0 {
						p[i] = data[i%len(data)]
					}
				}
			}
		}
		switch kind % 16 {
		case 0:
			m := image.NewRGBA(r)
			fill(m.Pix)
			img = m.SubImage(r.Inset(int(kind / 64)))
		case 1:
			m := image.NewNRGBA(r)
			fill(m.Pix)
			img = m
		case 2:
			m := image.NewGray(r)
			fill(m.Pix)
			img = m
		case 3:
			m := image.NewGray16(r)
			fill(m.Pix)
			img = m
		case 4:
			m := image.NewCMYK(r)
			fill(m.Pix)
			img = m
		case 5:
			m := image.NewNRGBA64(r)
			fill(m.Pix)
			img = m
		case 6:
			img = image.NewPaletted(r, color.Palette{color.White})
		case 7:
			m := image.NewNYCbCrA(r, image.YCbCrSubsampleRatio420)
			fill(m.Y, m.Cb, m.Cr, m.A)
			img = m
		case 8: // as it comes
			img = &image.RGBA{Pix: data, Stride: int(w), Rect: r}
		case 9:
			img = &image.YCbCr{Y: data, Cb: data, Cr: data, YStride: int(w), CStride: int(h), SubsampleRatio: image.YCbCrSubsampleRatio(way), Rect: r}
		default:
			m := image.NewYCbCr(r, image.YCbCrSubsampleRatio(kind%16-10))
			fill(m.Y, m.Cb, m.Cr)
			img = m.SubImage(r.Inset(int(kind / 64)))
		}
		in := vision.Input{Fit: vision.Fit(way % 5), Filter: vision.Filter(way / 5 % 6), Pad: way, BGR: way&1 > 0, Short: int(way)}
		dst := newTensor(t, common.Float32, 1, 3, int(outH%80), int(outW%80))
		in.Fill(dst, nil, 0, img)
		v := float32(w) / 7
		in.FillWarped(dst, nil, 0, img, vision.Affine{v, float32(h), float32(way), float32(kind), -v, float32(outW)})
	})
}

// TestLastRow: of the last row of a picture, a part has fewer bytes than a whole row.
func TestLastRow(t *testing.T) {
	r := image.Rect(0, 0, 8, 4)
	for _, m := range []interface {
		image.Image
		SubImage(image.Rectangle) image.Image
	}{image.NewRGBA(r), image.NewNRGBA(r), image.NewGray(r), image.NewYCbCr(r, image.YCbCrSubsampleRatio420), image.NewYCbCr(r, image.YCbCrSubsampleRatio410)} {
		_, err := (&vision.Input{}).Fill(newTensor(t, common.Float32, 1, 3, 2, 2), nil, 0, m.SubImage(image.Rect(5, 3, 7, 4)))
		require.NoError(t, err, "%T", m)
	}
}
