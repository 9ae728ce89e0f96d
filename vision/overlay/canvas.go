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
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/vector"
)

// canvas draws on a picture, with 0,0 at its top left corner.
type canvas struct {
	dst    draw.Image
	size   image.Point
	line   float32 // the width of lines
	text   float32 // the size of text in pixels
	raster vector.Rasterizer
	font   *opentype.Font
	face   font.Face         // the font in that size
	labels []image.Rectangle // where they are
}

// newCanvas returns nil if there is nothing to draw on.
func newCanvas(dst draw.Image, s *Style) *canvas {
	if dst == nil || dst.Bounds().Empty() {
		return nil
	}
	c := &canvas{dst: dst, size: dst.Bounds().Size(), font: goMedium()}
	w, h := float32(c.size.X), float32(c.size.Y)
	c.text = max(float32(math.Sqrt(float64(w*h)))/50, 11)
	if s != nil && s.Scale > 0 {
		c.text = min(s.Scale*c.text, 200+min(w, h)/20)
	}
	if s != nil && s.Font != nil && s.Font.UnitsPerEm() > 0 {
		c.font = s.Font
	}
	c.line = max(c.text/7, 1)
	// NewFace returns no error yet, and the options are valid.
	c.face, _ = opentype.NewFace(c.font, &opentype.FaceOptions{Size: float64(c.text), DPI: 72})
	return c
}

// shade is behind lines, which would not be seen on a background of their colour.
var shade = color.RGBA{A: 0x66}

// rect fills a rectangle.
func (c *canvas) rect(r image.Rectangle, col color.Color) {
	draw.Draw(c.dst, r.Add(c.dst.Bounds().Min), image.NewUniform(col), image.Point{}, draw.Over)
}

// fill fills polygons, whose points are near the picture.
func (c *canvas) fill(col color.Color, polygons ...[]vision.Point) {
	var all image.Rectangle
	for _, p := range slices.Concat(polygons...) {
		all = all.Union(vision.Rect{Min: p, Max: vision.Point{X: p.X + 1, Y: p.Y + 1}}.Image())
	}
	if all = all.Intersect(image.Rectangle{Max: c.size}); all.Empty() {
		return
	}
	c.raster.Reset(all.Dx(), all.Dy())
	x, y := float32(all.Min.X), float32(all.Min.Y)
	for _, polygon := range polygons {
		c.raster.MoveTo(polygon[0].X-x, polygon[0].Y-y)
		for _, p := range polygon[1:] {
			c.raster.LineTo(p.X-x, p.Y-y)
		}
		c.raster.ClosePath()
	}
	c.raster.Draw(c.dst, all.Add(c.dst.Bounds().Min), image.NewUniform(col), image.Point{})
}

// capsule returns a line from a to b with round ends; a disk if a is b.
func capsule(a, b vision.Point, width float32) (p []vision.Point) {
	angle := math.Atan2(float64(b.Y-a.Y), float64(b.X-a.X)) + math.Pi/2
	steps := min(int(width)+8, 32)
	for i, center := range []vision.Point{a, b} {
		for j := range steps + 1 {
			sin, cos := math.Sincos(angle + math.Pi*(float64(i)+float64(j)/float64(steps)))
			p = append(p, vision.Point{X: center.X + width/2*float32(cos), Y: center.Y + width/2*float32(sin)})
		}
	}
	return p
}

// visible returns the part of r in the picture, and whether there is one. Its edges
// are moved in by half a line so that they can be seen.
func (c *canvas) visible(r vision.Rect) (vision.Rect, bool) {
	w, h, in := float32(c.size.X), float32(c.size.Y), c.line/2
	ok := r.Intersect(vision.Rect{Max: vision.Point{X: w, Y: h}}).Area() > 0 // not if r has NaN
	return r.Intersect(vision.Rect{Min: vision.Point{X: in, Y: in}, Max: vision.Point{X: w - in, Y: h - in}}), ok
}

// box draws the edges of r, each alone, because filling takes as long as the area is large.
func (c *canvas) box(r vision.Rect, col color.RGBA) {
	corners := []vision.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}}
	for i, col := range []color.RGBA{shade, col} {
		for j, p := range corners {
			c.fill(col, capsule(p, corners[(j+1)%4], c.line*[]float32{1.7, 1}[i]))
		}
	}
}

// These are the lines between the 17 key points of COCO, and between the eyes, the
// nose and the corners of the mouth.
var skeletons = map[int][][2]int{
	17: {{0, 1}, {0, 2}, {1, 2}, {1, 3}, {2, 4}, {3, 5}, {4, 6}, {5, 6}, {5, 7}, {7, 9}, {6, 8}, {8, 10},
		{5, 11}, {6, 12}, {11, 12}, {11, 13}, {13, 15}, {12, 14}, {14, 16}},
	5: {{0, 2}, {1, 2}, {3, 4}},
}

// points draws the key points of a body or a face in r that can be seen, and lines between them.
func (c *canvas) points(points []vision.KeyPoint, r vision.Rect, col color.RGBA) {
	w, h := float32(c.size.X), float32(c.size.Y)
	width := min(max(max(r.Dx(), r.Dy())/40, 1), 1.6*c.line) // so that a small face can still be seen
	seen := func(p vision.KeyPoint) bool {
		return p.Score >= 0.3 && p.X > -w && p.X < 2*w && p.Y > -h && p.Y < 2*h
	}
	lines := skeletons[len(points)]
	for i := range points {
		lines = append(lines[:len(lines):len(lines)], [2]int{i, i})
	}
	var edges, strokes, disks [][]vision.Point
	for _, l := range lines {
		a, b, wide := points[l[0]], points[l[1]], width
		if !seen(a) || !seen(b) {
			continue
		}
		if l[0] == l[1] {
			wide = 2.7 * width
			disks = append(disks, capsule(a.Point, a.Point, width*1.5))
		}
		edges, strokes = append(edges, capsule(a.Point, b.Point, wide+0.7*width)), append(strokes, capsule(a.Point, b.Point, wide))
	}
	c.fill(shade, edges...)
	c.fill(col, strokes...)
	c.fill(color.White, disks...)
}

// areas colours pixels, whose values have colours, and those at the edges of areas more.
func (c *canvas) areas(pix []uint8, stride int, r image.Rectangle, colors *[256]color.RGBA) {
	at := func(x, y int) (col color.RGBA) {
		if x >= r.Min.X && x < r.Max.X && y >= r.Min.Y && y < r.Max.Y {
			col = colors[pix[(y-r.Min.Y)*stride+x-r.Min.X]]
		}
		return col
	}
	layer, n := image.NewRGBA(r.Intersect(image.Rectangle{Max: c.size})), int(c.line+0.5)
	sheer := func(v uint8) uint8 { return uint8(int(v) * 115 / 255) }
	for y := layer.Rect.Min.Y; y < layer.Rect.Max.Y; y++ {
		for x := layer.Rect.Min.X; x < layer.Rect.Max.X; x++ {
			col := at(x, y)
			if col.A == 0 {
				continue
			}
			if col == at(x-n, y) && col == at(x+n, y) && col == at(x, y-n) && col == at(x, y+n) {
				col = color.RGBA{sheer(col.R), sheer(col.G), sheer(col.B), sheer(col.A)}
			}
			layer.SetRGBA(x, y, col)
		}
	}
	draw.Draw(c.dst, layer.Rect.Add(c.dst.Bounds().Min), layer, layer.Rect.Min, draw.Over)
}
