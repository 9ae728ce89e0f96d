// SPDX-License-Identifier: Apache-2.0

package ocr

import (
	"encoding/json"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/stretchr/testify/require"
)

// Expected results are made by ../testdata/gen_ocr.py.

const goldens = "../testdata/ocr/"

func expected[T any](t testing.TB, file, key string) (v T) {
	data, err := os.ReadFile(goldens + file)
	require.NoError(t, err)
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &all))
	require.NoError(t, json.Unmarshal(all[key], &v), key)
	return v
}

func picture(t testing.TB, path string) image.Image {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	require.NoError(t, err)
	return img
}

// apart returns the largest distance between corners, where both begin at any.
func apart(want [8]float64, got [4]point) float64 {
	best := math.Inf(1)
	for _, back := range []bool{false, true} {
		if back {
			slices.Reverse(got[:])
		}
		for shift := range 4 {
			most := 0.0
			for i := range 4 {
				p := got[(i+shift)%4]
				most = max(most, math.Hypot(p.x-want[2*i], p.y-want[2*i+1]))
			}
			best = min(best, most)
		}
	}
	return best
}

// OpenCV's findContours and minAreaRect, and the scores of RapidOCR.
func TestBorders(t *testing.T) {
	m := picture(t, goldens+"map.png").(*image.Gray)
	numbers := make([]float32, len(m.Pix))
	for i, v := range m.Pix {
		numbers[i] = float32(v) / 255
	}
	type rectangle struct {
		Quad        [8]float64
		Area, Score float64
	}
	for _, name := range []string{"borders", "dilated"} {
		want := expected[[]rectangle](t, "steps.json", name)
		require.Greater(t, len(want), 10)
		var b borders
		b.load(numbers, m.Rect.Dx(), m.Rect.Dy(), 0.3, name == "dilated")
		found, other, off := 0, 0, 0.0
		b.each(math.MaxInt, func(hull []point) {
			r := minRect(hull)
			if min(r.w, r.h) < 2.9999 {
				return
			}
			found++
			i := slices.IndexFunc(want, func(w rectangle) bool { return apart(w.Quad, r.corners()) < 0.01 })
			if i < 0 { // two rectangles may be equally small
				i = slices.IndexFunc(want, func(w rectangle) bool { return math.Abs(w.Area-r.w*r.h) < 0.01 })
				other++
			}
			require.GreaterOrEqual(t, i, 0, "%s: %v", name, r)
			off = max(off, math.Abs(want[i].Score-float64(b.score(numbers, r))))
			want = slices.Delete(want, i, i+1)
		})
		require.Empty(t, want, "%s: after %d", name, found)
		require.LessOrEqual(t, other, 1)
		require.LessOrEqual(t, off, 0.025, name)
		t.Logf("%s: %d, scores up to %.5f apart", name, found, off)
	}
}

// Clipper, whose result has whole numbers, and then OpenCV's minAreaRect.
func TestUnclip(t *testing.T) {
	type box struct {
		Rect [5]float64
		Quad [8]float64
	}
	sum, all := 0.0, expected[[]box](t, "steps.json", "unclip")
	for _, c := range all {
		sin, cos := math.Sincos(c.Rect[4] * math.Pi / 180)
		got := new(borders).unclip(rect{c.Rect[0], c.Rect[1], cos, sin, c.Rect[2], c.Rect[3]}, 1.6)
		d := apart(c.Quad, got.corners())
		require.Less(t, d, 3.0, "%v", c.Rect)
		sum += d
	}
	t.Logf("mean distance of the farthest corner: %.2f", sum/float64(len(all)))
	require.Less(t, sum/float64(len(all)), 1.0)
}

// OpenCV's warpPerspective.
func TestCut(t *testing.T) {
	img := picture(t, goldens+"crops.png")
	for i, q := range expected[[][8]float32](t, "steps.json", "crops") {
		var c cutter
		quad := Quad{{X: q[0], Y: q[1]}, {X: q[2], Y: q[3]}, {X: q[4], Y: q[5]}, {X: q[6], Y: q[7]}}
		got, want := c.cut(newStrip(img, quad)), picture(t, fmt.Sprintf("%scrop_%d.png", goldens, i))
		require.Equal(t, want.Bounds().Size(), got.Bounds().Size())
		sum, most := 0, 0
		for y := range want.Bounds().Dy() {
			for x := range want.Bounds().Dx() {
				r, g, b, _ := want.At(x, y).RGBA()
				p, q, s, _ := got.At(got.Bounds().Min.X+x, got.Bounds().Min.Y+y).RGBA()
				for _, d := range []int{int(r>>8) - int(p>>8), int(g>>8) - int(q>>8), int(b>>8) - int(s>>8)} {
					sum, most = sum+max(d, -d), max(most, d, -d)
				}
			}
		}
		mean := float64(sum) / float64(3*want.Bounds().Dx()*want.Bounds().Dy())
		t.Logf("crop %d: largest difference %d, mean %.3f", i, most, mean)
		require.LessOrEqual(t, most, 1)
	}
}

// A strip that is upside down, or lies on its side, is the same picture after its turns.
func TestTurns(t *testing.T) {
	img := image.NewRGBA(image.Rect(5, 7, 45, 27))
	for i := range img.Pix {
		img.Pix[i] = uint8(i*i>>3 | i&3/3*255)
	}
	other := image.NewRGBA(img.Rect)
	draw.Draw(other, img.Rect, img, img.Rect.Min, draw.Src)
	for turns := range 4 {
		s, o := whole(img), whole(struct{ image.Image }{other})
		s.turns, o.turns = turns, turns
		var a, b cutter
		p, q := a.cut(s), b.cut(o)
		require.Equal(t, s.shape(), p.Bounds().Size())
		require.Equal(t, p.Bounds().Size(), q.Bounds().Size())
		at := func(m image.Image, x, y int) any { return m.At(m.Bounds().Min.X+x, m.Bounds().Min.Y+y) }
		last := p.Bounds().Size().Sub(image.Pt(1, 1))
		corner := []image.Point{{}, {0, last.Y}, last, {last.X, 0}}[turns] // where the first pixel is
		require.Equal(t, img.At(5, 7), at(p, corner.X, corner.Y))
		for y := range p.Bounds().Dy() {
			for x := range p.Bounds().Dx() {
				require.Equal(t, at(p, x, y), at(q, x, y))
			}
		}
	}
}

// RapidOCR's CTCLabelDecode.
func TestDecode(t *testing.T) {
	f, err := os.Open(goldens + "ctc.npy")
	require.NoError(t, err)
	defer f.Close()
	logits, err := npy.Read(f)
	require.NoError(t, err)
	numbers, err := common.Data[float32](logits)
	require.NoError(t, err)
	r := &Recognizer{Characters: characters("a\nb\r\nc\nd\ne\nf\ng\n")}
	for i, want := range expected[[]Line](t, "steps.json", "ctc") {
		text, score := r.decode(numbers[i*25*9:], 25, 9, 9)
		require.Equal(t, want.Text, text)
		require.InDelta(t, want.Score, score, 1e-6)
		require.Contains(t, want.Text, " ")
	}
}

// The sizes that RapidOCR computes.
func TestView(t *testing.T) {
	for _, c := range []struct {
		d    *Detector
		size image.Point
		want view
	}{
		{&Detector{}, image.Pt(900, 1000), view{image.Pt(900, 1000), 0, image.Pt(896, 992)}},
		{&Detector{}, image.Pt(640, 480), view{image.Pt(640, 480), 0, image.Pt(992, 736)}},
		{&Detector{}, image.Pt(4000, 3000), view{image.Pt(1984, 1504), 0, image.Pt(1984, 1504)}}, // half of 62.5 is even
		{&Detector{}, image.Pt(620, 44), view{image.Pt(620, 44), 55, image.Pt(2976, 736)}},
		{&Detector{}, image.Pt(150, 27), view{image.Pt(160, 32), 0, image.Pt(3680, 736)}},
		{&Detector{MinSide: -1, MaxSide: 960}, image.Pt(640, 480), view{image.Pt(640, 480), 0, image.Pt(640, 480)}},
		{&Detector{}, image.Pt(31, 100000), view{image.Pt(32, 1984), 0, image.Pt(96, 6016)}},
	} {
		require.Equal(t, c.want, c.d.view(c.size), "%v", c.size)
	}
}

// Any map gives rectangles with finite numbers in the picture.
func FuzzMap(f *testing.F) {
	f.Add([]byte{0, 200, 255, 255, 30, 255, 255, 0, 255, 255}, uint8(3), uint16(20), uint16(33))
	f.Fuzz(func(t *testing.T, data []byte, width uint8, w, h uint16) {
		mw := int(width%64) + 1
		mh := len(data) / mw
		if mh == 0 || w == 0 || h == 0 {
			t.Skip()
		}
		numbers := make([]float32, len(data))
		for i, v := range data {
			if numbers[i] = float32(v) / 255; v == 7 {
				numbers[i] = float32(math.NaN())
			}
		}
		d := &Detector{MinScore: 0.01, Unclip: 2, NoDilation: width > 128}
		v := d.view(image.Pt(int(w), int(h)))
		for _, l := range d.lines(new(borders), numbers[:mw*mh], mw, mh, v) {
			r := l.Quad.Bounds()
			full := v.full()
			if !(r.Min.X >= 0 && r.Min.Y >= 0 && r.Max.X < float32(full.X) && r.Max.Y < float32(full.Y)) {
				t.Fatalf("%v is not in %v", l.Quad, full)
			}
		}
	})
}

// Any strip of any picture can be cut out.
func FuzzCut(f *testing.F) {
	f.Add(int16(1), int16(2), int16(30), int16(4), int16(29), int16(18), int16(0), int16(15), uint8(0))
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g, h, i int16, turns uint8) {
		img := image.NewGray(image.Rect(-3, 4, 37, 29))
		in := func(x, y int16) vision.Point {
			return vision.Point{X: float32(uint16(x)%160)/4 - 3, Y: float32(uint16(y)%100)/4 + 4}
		}
		s := newStrip(img, Quad{in(a, b), in(c, d), in(e, g), in(h, i)})
		s.turns += int(turns % 4)
		if got := new(cutter).cut(s).Bounds().Size(); got != s.shape() {
			t.Fatalf("%v, want %v", got, s.shape())
		}
	})
}
