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
	size  image.Point // of the part
	turns int         // to the left, by 90 degrees each, that it needs
}

// whole returns the strip that is all of a picture.
func whole(img image.Image) strip {
	r := img.Bounds()
	at := func(x, y int) vision.Point { return vision.Point{X: float32(x), Y: float32(y)} }
	return strip{img, Quad{at(r.Min.X, r.Min.Y), at(r.Max.X, r.Min.Y), at(r.Max.X, r.Max.Y), at(r.Min.X, r.Max.Y)}, r.Size(), 0}
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
	if s.turns&1 == 1 {
		return image.Pt(s.size.Y, s.size.X)
	}
	return s.size
}

// ratio returns the width divided by the height.
func (s strip) ratio() float64 { return float64(s.shape().X) / float64(s.shape().Y) }

// cutter cuts strips out of pictures, and has the memory for that.
type cutter struct{ part, out image.RGBA }

// cut returns the picture of a strip, until the next call. It has the pixels that OpenCV's
// 5's warpPerspective has with INTER_CUBIC and BORDER_REPLICATE; OpenCV 4 rounds points.
func (c *cutter) cut(s strip) image.Image {
	bounds := s.img.Bounds()
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

// warp makes c.out of that part of the picture.
func (c *cutter) warp(s strip, part image.Rectangle) {
	src, ok := s.img.(*image.RGBA)
	if !ok {
		reshape(&c.part, part)
		draw.Draw(&c.part, part, s.img, part.Min, draw.Src)
		src = &c.part
	}
	reshape(&c.out, image.Rectangle{Max: s.shape()})
	m, w, h := unitSquareTo(s.quad), float64(s.size.X), float64(s.size.Y)
	at := func(x, y float64) [3]float64 { // of a pixel: the dividends and the divisor of its point in the picture
		u, v := x, y // before the turns
		switch s.turns & 3 {
		case 1:
			u, v = w-1-y, x
		case 2:
			u, v = w-1-x, h-1-y
		case 3:
			u, v = y, h-1-x
		}
		u, v = u/w, v/h
		return [3]float64{m[0]*u + m[1]*v + m[2], m[3]*u + m[4]*v + m[5], m[6]*u + m[7]*v + 1}
	}
	for y := range c.out.Rect.Dy() {
		row := c.out.Pix[y*c.out.Stride:][:4*c.out.Rect.Dx()]
		first, next := at(0, float64(y)), at(1, float64(y))
		for x := range c.out.Rect.Dx() {
			n := float64(x)
			d := first[2] + n*(next[2]-first[2])
			sample(row[4*x:][:4], src, (first[0]+n*(next[0]-first[0]))/d, (first[1]+n*(next[1]-first[1]))/d)
		}
	}
}

// cubic returns the weights of four pixels for a point that lies x behind the second one, in
// parts of 1<<15.
func cubic(x float64) [4]int64 {
	near := func(x float64) int64 { return int64(math.RoundToEven(((1.25*x-2.25)*x*x + 1) * (1 << 15))) }
	far := func(x float64) int64 { return int64(math.RoundToEven((((-0.75*x+3.75)*x-6)*x + 3) * (1 << 15))) }
	return [4]int64{far(1 + x), near(x), near(1 - x), far(2 - x)}
}

// sample stores the color of src at a point between the centres of pixels; where src ends, its
// last pixels go on.
func sample(to []uint8, src *image.RGBA, x, y float64) {
	fx, fy := math.Floor(x), math.Floor(y)
	left, top := int(fx)-1-src.Rect.Min.X, int(fy)-1-src.Rect.Min.Y
	across, down := cubic(x-fx), cubic(y-fy)
	w, h := src.Rect.Dx(), src.Rect.Dy()
	inside := left >= 0 && left <= w-4
	var r, g, b int64
	for j, wy := range down {
		line := src.Pix[min(max(top+j, 0), h-1)*src.Stride:]
		var p [16]uint8
		if inside {
			p = [16]uint8(line[4*left:])
		} else {
			for i := range 4 {
				copy(p[4*i:], line[4*min(max(left+i, 0), w-1):][:3])
			}
		}
		a0, a1, a2, a3 := across[0], across[1], across[2], across[3]
		r += wy * (a0*int64(p[0]) + a1*int64(p[4]) + a2*int64(p[8]) + a3*int64(p[12]))
		g += wy * (a0*int64(p[1]) + a1*int64(p[5]) + a2*int64(p[9]) + a3*int64(p[13]))
		b += wy * (a0*int64(p[2]) + a1*int64(p[6]) + a2*int64(p[10]) + a3*int64(p[14]))
	}
	value := func(v int64) uint8 { return uint8(min(max((v+1<<29)>>30, 0), 255)) }
	to[0], to[1], to[2], to[3] = value(r), value(g), value(b), 255
}

// reshape gives m these bounds, in its memory if that is large enough.
func reshape(m *image.RGBA, r image.Rectangle) {
	m.Rect, m.Stride = r, 4*r.Dx()
	m.Pix = resized(m.Pix, m.Stride*r.Dy())
}

// unitSquareTo returns the map of the corners of the square from 0,0 to 1,1 to those of q:
// x' = (m[0]x + m[1]y + m[2]) / (m[6]x + m[7]y + 1), and so on.
func unitSquareTo(q Quad) [8]float64 {
	x0, x1, x2, x3 := float64(q[0].X), float64(q[1].X), float64(q[2].X), float64(q[3].X)
	y0, y1, y2, y3 := float64(q[0].Y), float64(q[1].Y), float64(q[2].Y), float64(q[3].Y)
	var g, h float64
	if d := (x1-x2)*(y3-y2) - (x3-x2)*(y1-y2); d != 0 {
		sx, sy := x0-x1+x2-x3, y0-y1+y2-y3
		g, h = (sx*(y3-y2)-(x3-x2)*sy)/d, ((x1-x2)*sy-sx*(y1-y2))/d
	}
	return [8]float64{x1 - x0 + g*x1, x3 - x0 + h*x3, x0, y1 - y0 + g*y1, y3 - y0 + h*y3, y0, g, h}
}
