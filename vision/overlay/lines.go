// SPDX-License-Identifier: Apache-2.0

package overlay

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/ocr"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/f64"
	"golang.org/x/image/math/fixed"

	xdraw "golang.org/x/image/draw"
)

// Lines returns the picture with the lines that were read in it outlined, and beside it, or
// below it if it is wide, a sheet with their text at the same places. Characters that the font
// lacks are left out: Go Medium, unless Style has another, has no Chinese.
func Lines(img image.Image, lines []ocr.Line, s *Style) *image.RGBA {
	r := img.Bounds()
	beside := image.Pt(r.Dx(), 0)
	if r.Dx() > 2*r.Dy() {
		beside = image.Pt(0, r.Dy())
	}
	dst := image.NewRGBA(r.Union(r.Add(beside)))
	draw.Draw(dst, r, img, r.Min, draw.Src)
	draw.Draw(dst, r.Add(beside), image.White, image.Point{}, draw.Src)
	c, sheet := newCanvas(dst.SubImage(r).(*image.RGBA), s), newCanvas(dst.SubImage(r.Add(beside)).(*image.RGBA), s)
	for i, l := range lines {
		near, ok := c.visible(l.Quad.Bounds())
		if area := l.Quad.Bounds().Area(); !ok || near.Area() < area/4 { // far outside, or with infinite corners
			continue
		}
		moved := l.Quad
		for j, p := range moved {
			moved[j] = vision.Point{X: p.X + float32(beside.X), Y: p.Y + float32(beside.Y)}
		}
		c.outline(l.Quad[:], colorOf(i))
		thin := *sheet
		thin.line /= 2
		thin.outline(moved[:], colorOf(i))
		sheet.writeIn(moved, l.Text)
	}
	return dst
}

// writeIn writes text in the direction of a quad's first side, as large as fits.
func (c *canvas) writeIn(q ocr.Quad, text string) {
	const size = 48 // of the text before it is changed
	face, _ := opentype.NewFace(c.font, &opentype.FaceOptions{Size: size, DPI: 72})
	text = c.readable(text)
	m := face.Metrics()
	w, h := font.MeasureString(face, text).Ceil(), (m.Ascent + m.Descent).Ceil()
	length := func(a, b vision.Point) float64 { return math.Hypot(float64(b.X-a.X), float64(b.Y-a.Y)) }
	wide, high := length(q[0], q[1]), length(q[0], q[3])
	x, y, along := q[0], q[3], q[1]
	if high >= 1.5*wide { // text that goes up, as the Reader turns it
		wide, high, x, y, along = high, wide, q[3], q[2], q[0]
	}
	if w == 0 || !(wide > 0 && high > 0) {
		return
	}
	ink := image.NewRGBA(image.Rect(0, 0, w, h))
	(&font.Drawer{Dst: ink, Src: image.NewUniform(color.Black), Face: face, Dot: fixed.P(0, m.Ascent.Round())}).DrawString(text)
	scale := min(wide/float64(w), high/float64(h))
	ux, uy := float64(along.X-x.X)/wide*scale, float64(along.Y-x.Y)/wide*scale
	vx, vy := float64(y.X-x.X)/high*scale, float64(y.Y-x.Y)/high*scale
	rest := (high/scale - float64(h)) / 2 // so that it is in the middle
	to := f64.Aff3{ux, vx, float64(x.X) + vx*rest, uy, vy, float64(x.Y) + vy*rest}
	xdraw.BiLinear.Transform(c.dst, to, ink, ink.Rect, xdraw.Over, nil)
}
