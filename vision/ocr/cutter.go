// SPDX-License-Identifier: Apache-2.0

package ocr

import (
	"image"
	"image/draw"
	"math"

	"github.com/anyinfer/anyinfer/vision"
)

// strip is the part of a picture that has a line.
type strip struct {
	img   image.Image
	quad  Quad
	size  image.Point // of the part; 0,0: it is all of img
	turns int         // to the left, by 90 degrees each, that it needs
}

// newStrip returns the strip of a line. It is as wide and high as the line's sides in whole
// pixels; if it is high, it is turned to the left, as RapidOCR does it.
func newStrip(img image.Image, q Quad) strip {
	w, h := q.sides()
	s := strip{img: img, quad: q, size: image.Pt(max(int(w), 1), max(int(h), 1))}
	if float64(s.size.Y)/float64(s.size.X) >= 1.5 {
		s.turns = 1
	}
	return s
}

// shape returns the width and height after the turns.
func (s strip) shape() image.Point {
	size := s.size
	if size == (image.Point{}) {
		size = s.img.Bounds().Size()
	}
	if s.turns&1 == 1 {
		size.X, size.Y = size.Y, size.X
	}
	return size
}

// ratio returns the width divided by the height.
func (s strip) ratio() float64 { return float64(s.shape().X) / float64(s.shape().Y) }

// cutter cuts strips out of pictures, and has the memory for that.
type cutter struct{ part, out image.RGBA }

// cut returns the picture of a strip, until the next call. It has the pixels that OpenCV's
// 5's warpPerspective has with INTER_CUBIC and BORDER_REPLICATE; OpenCV 4 rounds points.
func (c *cutter) cut(s strip) image.Image {
	bounds := s.img.Bounds()
	if s.size == (image.Point{}) {
		if s.turns == 0 {
			return s.img
		}
		s.size = bounds.Size()
		x, y := float32(bounds.Min.X), float32(bounds.Min.Y)
		w, h := float32(s.size.X), float32(s.size.Y)
		s.quad = Quad{{X: x, Y: y}, {X: x + w, Y: y}, {X: x + w, Y: y + h}, {X: x, Y: y + h}}
	}
	q := s.quad
	if upright := q[0].X == q[3].X && q[1].X == q[2].X && q[0].Y == q[1].Y && q[2].Y == q[3].Y; upright && s.turns == 0 {
		at := image.Pt(int(math.Round(float64(q[0].X))), int(math.Round(float64(q[0].Y))))
		r := image.Rectangle{Min: at, Max: at.Add(s.size)}
		if m, ok := s.img.(interface {
			SubImage(image.Rectangle) image.Image
		}); ok && !r.Empty() && r.In(bounds) {
			return m.SubImage(r)
		}
	}
	c.warp(s, q.Bounds().Image().Inset(-2).Intersect(bounds))
	return &c.out
}

// cubic returns the weights of four pixels for a point that lies x behind the second one.
func cubic(x float32) [4]float32 {
	near := func(x float32) float32 { return (1.25*x-2.25)*x*x + 1 }
	far := func(x float32) float32 { return ((-0.75*x+3.75)*x-6)*x + 3 }
	return [4]float32{far(1 + x), near(x), near(1 - x), far(2 - x)}
}

// warp makes c.out of that part of the picture.
func (c *cutter) warp(s strip, part image.Rectangle) {
	src, ok := s.img.(*image.RGBA)
	if !ok {
		reshape(&c.part, part)
		draw.Draw(&c.part, part, s.img, part.Min, draw.Src)
		src = &c.part
	} else {
		part = src.Rect
	}
	reshape(&c.out, image.Rectangle{Max: s.shape()})
	m := unitSquareTo(s.quad)
	w, h := float64(s.size.X), float64(s.size.Y)
	for y := range c.out.Rect.Dy() {
		row := c.out.Pix[y*c.out.Stride:][:4*c.out.Rect.Dx()]
		for x := range c.out.Rect.Dx() {
			u, v := x, y // before the turns
			switch s.turns & 3 {
			case 1:
				u, v = s.size.X-1-y, x
			case 2:
				u, v = s.size.X-1-x, s.size.Y-1-y
			case 3:
				u, v = y, s.size.Y-1-x
			}
			px, py := m.apply(float64(u)/w, float64(v)/h)
			copy(row[4*x:], sample(src, part, px, py))
		}
	}
}

// sample returns the color of src at a point between the centres of pixels; where part ends,
// its last pixels go on.
func sample(src *image.RGBA, part image.Rectangle, x, y float64) []uint8 {
	fx, fy := math.Floor(x), math.Floor(y)
	left, top := int(fx)-1, int(fy)-1
	across, down := cubic(float32(x-fx)), cubic(float32(y-fy))
	var r, g, b float32
	for j, wy := range down {
		if wy == 0 {
			continue
		}
		line := (min(max(top+j, part.Min.Y), part.Max.Y-1) - src.Rect.Min.Y) * src.Stride
		for i, wx := range across {
			p := src.Pix[line+(min(max(left+i, part.Min.X), part.Max.X-1)-src.Rect.Min.X)*4:][:3]
			wx *= wy
			r, g, b = r+wx*float32(p[0]), g+wx*float32(p[1]), b+wx*float32(p[2])
		}
	}
	value := func(v float32) uint8 { return uint8(min(max(v+0.5, 0), 255)) }
	return []uint8{value(r), value(g), value(b), 255}
}

// reshape gives m these bounds, in its memory if that is large enough.
func reshape(m *image.RGBA, r image.Rectangle) {
	m.Rect, m.Stride = r, 4*r.Dx()
	m.Pix = resized(m.Pix, m.Stride*r.Dy())
}

// perspective is a map of points: x' = (m[0]x + m[1]y + m[2]) / (m[6]x + m[7]y + 1), and so on.
type perspective [8]float64

func (m *perspective) apply(x, y float64) (float64, float64) {
	d := m[6]*x + m[7]*y + 1
	return (m[0]*x + m[1]*y + m[2]) / d, (m[3]*x + m[4]*y + m[5]) / d
}

// unitSquareTo returns the map of the corners of the square from 0,0 to 1,1 to those of q.
func unitSquareTo(q Quad) *perspective {
	at := func(p vision.Point) (float64, float64) { return float64(p.X), float64(p.Y) }
	x0, y0 := at(q[0])
	x1, y1 := at(q[1])
	x2, y2 := at(q[2])
	x3, y3 := at(q[3])
	var g, h float64
	if d := (x1-x2)*(y3-y2) - (x3-x2)*(y1-y2); d != 0 {
		sx, sy := x0-x1+x2-x3, y0-y1+y2-y3
		g, h = (sx*(y3-y2)-(x3-x2)*sy)/d, ((x1-x2)*sy-sx*(y1-y2))/d
	}
	return &perspective{x1 - x0 + g*x1, x3 - x0 + h*x3, x0, y1 - y0 + g*y1, y3 - y0 + h*y3, y0, g, h}
}
