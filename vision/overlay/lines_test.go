// SPDX-License-Identifier: Apache-2.0

package overlay

import (
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/ocr"
	"github.com/stretchr/testify/require"
)

func quad(xy ...float32) (q ocr.Quad) {
	for i := range q {
		q[i] = vision.Point{X: xy[2*i], Y: xy[2*i+1]}
	}
	return q
}

// ink returns the bounds of what is dark in a part of a picture.
func ink(m *image.RGBA, r image.Rectangle) (dark image.Rectangle) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if c := m.RGBAAt(x, y); max(c.R, c.G, c.B) < 100 {
				dark = dark.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return dark
}

// TestLines: text is written beside a picture, or below a wide one, where its line is in the picture.
func TestLines(t *testing.T) {
	for _, c := range []struct {
		bounds, text image.Rectangle
		beside       image.Point
		quad         ocr.Quad
	}{
		{image.Rect(10, 20, 310, 220), image.Rect(40, 60, 240, 100), image.Pt(300, 0), quad(40, 60, 240, 60, 240, 100, 40, 100)},
		{image.Rect(0, 0, 600, 200), image.Rect(40, 60, 240, 100), image.Pt(0, 200), quad(40, 60, 240, 60, 240, 100, 40, 100)},
		{image.Rect(0, 0, 300, 300), image.Rect(100, 40, 140, 240), image.Pt(300, 0), quad(100, 40, 140, 40, 140, 240, 100, 240)}, // upwards
	} {
		img := image.NewGray(c.bounds)
		for i := range img.Pix {
			img.Pix[i] = 200
		}
		m := Lines(img, []ocr.Line{{Quad: c.quad, Text: "HIM", Score: 1}}, nil)
		require.Equal(t, c.bounds.Union(c.bounds.Add(c.beside)), m.Rect)
		edge := m.RGBAAt(c.text.Min.X, c.text.Min.Y+30)
		require.Greater(t, edge.B, edge.R+80, "the outline is blue")
		require.Equal(t, color.RGBA{200, 200, 200, 255}, m.RGBAAt(c.text.Min.X+15, c.text.Min.Y+15), "nothing is written into the picture")
		dark := ink(m, c.bounds.Add(c.beside)).Sub(c.beside)
		require.True(t, dark.In(c.text), "%v is not in %v", dark, c.text)
		long, wide := max(dark.Dx(), dark.Dy()), min(dark.Dx(), dark.Dy())
		require.True(t, long > 60 && wide > 20 && wide < 40, "%v", dark)
		if c.text.Dx() > c.text.Dy() {
			require.Less(t, dark.Min.X, c.text.Min.X+10, "it begins at the left")
		} else {
			require.Greater(t, dark.Max.Y, c.text.Max.Y-10, "it begins at the bottom")
		}
	}

	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	strange := []ocr.Line{{Quad: quad(nan, 0, 1, 1, 2, 2, 3, 3), Text: "a"}, {Quad: quad(-inf, 0, inf, 0, inf, 9, -inf, 9), Text: "a"},
		{Text: "a"}, {Quad: quad(1, 1, 9, 1, 9, 5, 1, 5), Text: "猫\x00"}, {Quad: quad(-1e9, -1e9, 1e9, -1e9, 1e9, 1e9, -1e9, 1e9), Text: "a"}}
	Lines(image.NewRGBA(image.Rect(0, 0, 20, 20)), strange, &Style{Scale: 3})
	Lines(image.NewRGBA(image.Rectangle{}), strange, nil)
}
