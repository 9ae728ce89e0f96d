// SPDX-License-Identifier: Apache-2.0

package overlay

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/vision"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/vector"
)

// canvas draws on a picture, with 0,0 at its top left corner.
type canvas struct {
	dst    draw.Image
	bounds image.Rectangle
	size   image.Point
	style  Style
	line   float32 // the width of lines
	text   float32 // the size of text in pixels
	raster vector.Rasterizer

	font   *sfnt.Font
	face   font.Face         // the font in that size
	labels []image.Rectangle // where they are
}

// newCanvas returns nil if there is nothing to draw on.
func newCanvas(dst draw.Image, s *Style) *canvas {
	if dst == nil || dst.Bounds().Empty() {
		return nil
	}
	c := &canvas{dst: dst, bounds: dst.Bounds(), size: dst.Bounds().Size()}
	if s != nil {
		c.style = *s
	}
	if !(c.style.Scale > 0) {
		c.style.Scale = 1
	}
	if c.style.MinPoint == 0 {
		c.style.MinPoint = 0.3
	}
	w, h := float32(c.size.X), float32(c.size.Y)
	c.text = min(c.style.Scale*max(float32(math.Sqrt(float64(w*h)))/50, 11), 200+min(w, h)/20)
	c.line = max(c.text/7, 1)
	c.openFont()
	return c
}

var white, black = color.RGBA{0xff, 0xff, 0xff, 0xff}, color.RGBA{0, 0, 0, 0xff}

// mix returns a colour between a and b, which is b if part is 1.
func mix(a, b color.RGBA, part float32) color.RGBA {
	at := func(a, b uint8) uint8 { return uint8(float32(a)*(1-part) + float32(b)*part + 0.5) }
	return color.RGBA{at(a.R, b.R), at(a.G, b.G), at(a.B, b.B), at(a.A, b.A)}
}

// sheer returns c with that opacity.
func sheer(c color.RGBA, opacity float32) color.RGBA { return mix(color.RGBA{}, c, opacity) }

func (c *canvas) color(class int) color.RGBA {
	if n := len(c.style.Colors); n > 0 {
		return color.RGBAModel.Convert(c.style.Colors[max(class, 0)%n]).(color.RGBA)
	}
	return Color(class)
}

func pt[T int | float32](x, y T) vision.Point { return vision.Point{X: float32(x), Y: float32(y)} }

// grown returns r, larger by n on all sides.
func grown(r vision.Rect, n float32) vision.Rect {
	return vision.Rect{Min: pt(r.Min.X-n, r.Min.Y-n), Max: pt(r.Max.X+n, r.Max.Y+n)}
}

// visible returns the part of r in the picture, and whether there is one. Its edges
// are moved in by half a line so that they can be seen.
func (c *canvas) visible(r vision.Rect) (vision.Rect, bool) {
	seen := r.Clip(c.size)
	if !(r.Min.X <= r.Max.X && r.Min.Y <= r.Max.Y && seen.Dx() > 0 && seen.Dy() > 0) { // or not numbers
		return r, false
	}
	in := c.line / 2
	at := func(p vision.Point) vision.Point {
		return pt(max(min(p.X, float32(c.size.X)-in), in), max(min(p.Y, float32(c.size.Y)-in), in))
	}
	return vision.Rect{Min: at(seen.Min), Max: at(seen.Max)}, true
}

// extent returns the smallest rectangle with all points.
func extent(points []vision.Point) (r vision.Rect) {
	for i, p := range points {
		if i == 0 {
			r = vision.Rect{Min: p, Max: p}
		}
		r.Min, r.Max = pt(min(r.Min.X, p.X), min(r.Min.Y, p.Y)), pt(max(r.Max.X, p.X), max(r.Max.Y, p.Y))
	}
	return r
}

// fill fills polygons, whose points are near the picture.
func (c *canvas) fill(col color.RGBA, polygons ...[]vision.Point) {
	c.fillIn(extent(slices.Concat(polygons...)).Image(), col, polygons...)
}

// fillIn is fill in a part of the picture.
func (c *canvas) fillIn(area image.Rectangle, col color.RGBA, polygons ...[]vision.Point) {
	if area = area.Intersect(image.Rectangle{Max: c.size}); area.Empty() {
		return
	}
	c.raster.Reset(area.Dx(), area.Dy())
	x, y := float32(area.Min.X), float32(area.Min.Y)
	for _, polygon := range polygons {
		c.raster.MoveTo(polygon[0].X-x, polygon[0].Y-y)
		for _, p := range polygon[1:] {
			c.raster.LineTo(p.X-x, p.Y-y)
		}
		c.raster.ClosePath()
	}
	c.raster.Draw(c.dst, area.Add(c.bounds.Min), image.NewUniform(col), image.Point{})
}

// arc appends the points of an arc of angle turns, in quarters of a circle.
func arc(to []vision.Point, center vision.Point, radius float32, from, turns float64) []vision.Point {
	steps := min(int(radius)+4, 32)
	for i := range steps + 1 {
		sin, cos := math.Sincos((from + turns*float64(i)/float64(steps)) * math.Pi / 2)
		to = append(to, pt(center.X+radius*float32(cos), center.Y+radius*float32(sin)))
	}
	return to
}

// capsule returns a line from a to b with round ends; a disk if a is b.
func capsule(a, b vision.Point, width float32) []vision.Point {
	angle := math.Atan2(float64(b.Y-a.Y), float64(b.X-a.X)) / (math.Pi / 2)
	return arc(arc(nil, a, width/2, angle+1, 2), b, width/2, angle-1, 2)
}

// rounded returns r with round corners.
func rounded(r vision.Rect, radius float32) []vision.Point {
	radius = max(min(radius, r.Dx()/2, r.Dy()/2), 0)
	in := grown(r, -radius)
	p := arc(arc(nil, in.Min, radius, 2, 1), pt(in.Max.X, in.Min.Y), radius, 3, 1)
	return arc(arc(p, in.Max, radius, 0, 1), pt(in.Min.X, in.Max.Y), radius, 1, 1)
}
