// SPDX-License-Identifier: Apache-2.0

package overlay

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/landmark"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// canvas draws on a picture.
type canvas struct {
	dst    draw.Image
	bounds image.Rectangle // of dst
	line   float32         // the width of lines
	text   float32         // the size of text in pixels
	raster vector.Rasterizer
	font   *opentype.Font
	face   font.Face         // the font in that size
	labels []image.Rectangle // where they are
}

// newCanvas returns a canvas on which nothing can be seen if dst is nil.
func newCanvas(dst draw.Image, s *Style) *canvas {
	if dst == nil {
		dst = new(image.RGBA)
	}
	c := &canvas{dst: dst, bounds: dst.Bounds()}
	w, h := float32(c.bounds.Dx()), float32(c.bounds.Dy())
	c.text = max(float32(math.Sqrt(float64(w*h)))/50, 11)
	if s != nil && s.Scale > 0 {
		c.text = min(s.Scale*c.text, 200+min(w, h)/20)
	}
	c.font, _ = goMedium() // which is a part of the program
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
	draw.Draw(c.dst, r, image.NewUniform(col), image.Point{}, draw.Over)
}

// fill fills polygons, whose points are near the picture.
func (c *canvas) fill(col color.Color, polygons ...[]vision.Point) {
	var all image.Rectangle
	for _, p := range slices.Concat(polygons...) {
		all = all.Union(vision.Rect{Min: p, Max: vision.Point{X: p.X + 1, Y: p.Y + 1}}.Image())
	}
	if all = all.Intersect(c.bounds); all.Empty() {
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
	c.raster.Draw(c.dst, all, image.NewUniform(col), image.Point{})
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

// inside returns the picture's rectangle without a margin.
func (c *canvas) inside(margin float32) vision.Rect {
	at := func(p image.Point, by float32) vision.Point {
		return vision.Point{X: float32(p.X) + by, Y: float32(p.Y) + by}
	}
	return vision.Rect{Min: at(c.bounds.Min, margin), Max: at(c.bounds.Max, -margin)}
}

// visible returns the part of r in the picture, and whether there is one. Its edges
// are moved in by half a line so that they can be seen.
func (c *canvas) visible(r vision.Rect) (vision.Rect, bool) {
	return r.Intersect(c.inside(c.line / 2)), r.Intersect(c.inside(0)).Area() > 0 // not if r has NaN
}

// box draws the edges of r.
func (c *canvas) box(r vision.Rect, col color.RGBA) {
	c.outline([]vision.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}}, col)
}

// outline draws four edges, each alone, because filling takes as long as the area is large.
func (c *canvas) outline(corners []vision.Point, col color.RGBA) {
	for i, col := range []color.RGBA{shade, col} {
		for j, p := range corners {
			c.fill(col, capsule(p, corners[(j+1)%4], c.line*[]float32{1.7, 1}[i]))
		}
	}
}

// points draws the key points of a body or a face in r that can be seen, and lines between them.
func (c *canvas) points(points []vision.KeyPoint, r vision.Rect, col color.RGBA) {
	near := c.inside(-float32(max(c.bounds.Dx(), c.bounds.Dy())))
	width := min(max(max(r.Dx(), r.Dy())/40, 1), 1.6*c.line) // so that a small face can still be seen
	visible := func(p vision.KeyPoint) bool {
		return p.Score >= 0.3 && p.X > near.Min.X && p.X < near.Max.X && p.Y > near.Min.Y && p.Y < near.Max.Y
	}
	lines := landmark.SkeletonOf(len(points)).Lines
	if len(points) == 468 { // a face's contours lie close together, and many points would hide it
		width /= 2
	}
	for i := range points {
		if len(points) != 468 && len(points) != 4 {
			lines = append(lines, [2]int{i, i})
		}
	}
	var edges, strokes, disks [][]vision.Point
	for _, l := range lines {
		a, b, wide := points[l[0]], points[l[1]], width
		if !visible(a) || !visible(b) {
			continue
		}
		if l[0] == l[1] {
			wide = 2.7 * width
			disks = append(disks, capsule(a.Point, a.Point, width*1.5))
		}
		edges = append(edges, capsule(a.Point, b.Point, wide+0.7*width))
		strokes = append(strokes, capsule(a.Point, b.Point, wide))
	}
	c.fill(shade, edges...)
	c.fill(col, strokes...)
	c.fill(color.White, disks...)
}

// areas colours pixels, whose values have colours, and those at the edges of areas more.
func (c *canvas) areas(m *image.Paletted, colors *[256]color.RGBA) {
	at := func(x, y int) color.RGBA {
		if !(image.Point{x, y}).In(m.Rect) {
			return color.RGBA{}
		}
		return colors[m.Pix[m.PixOffset(x, y)]]
	}
	layer, n := image.NewRGBA(m.Rect.Intersect(c.bounds)), int(c.line+0.5)
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
	draw.Draw(c.dst, layer.Rect, layer, layer.Rect.Min, draw.Over)
}

var goMedium = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(gomedium.TTF) })

// readable returns s without the characters that the font lacks, in one line. Nobody
// reads more than the start of a long one.
func (c *canvas) readable(s string) string {
	var buf sfnt.Buffer
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if i, err := c.font.GlyphIndex(&buf, r); i == 0 || err != nil || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s[:min(len(s), 500)]))
}

func (c *canvas) width(s string) int { return font.MeasureString(c.face, s).Ceil() }

// short returns as much of s as is no wider than width.
func (c *canvas) short(s string, width int) string {
	cut := s
	for runes := []rune(s); c.width(cut) > width; cut = strings.TrimSpace(string(runes)) + "…" {
		if len(runes) <= 1 {
			return ""
		}
		runes = runes[:len(runes)-1]
	}
	return cut
}

// write writes text; at is its top left corner.
func (c *canvas) write(s string, at image.Point, col color.Color) {
	dot := fixed.P(at.X, at.Y+c.face.Metrics().Ascent.Round())
	(&font.Drawer{Dst: c.dst, Src: image.NewUniform(col), Face: c.face, Dot: dot}).DrawString(s)
}

// height returns the height of a line of text.
func (c *canvas) height() int { return (c.face.Metrics().Ascent + c.face.Metrics().Descent).Ceil() }

// percent returns a score as text.
func percent(score float32) string {
	if !(score >= 0 && score <= 1) { // or not a number
		return ""
	}
	return fmt.Sprintf("%.0f%%", 100*score)
}

// label writes the label of a box on a plate.
func (c *canvas) label(r vision.Rect, d vision.Detection) {
	score, pad := " "+percent(d.Score), max(int(c.text/4), 2)
	text := cmp.Or(c.readable(d.Label), fmt.Sprint("class ", d.Class))
	text = strings.TrimSpace(c.short(text, c.bounds.Dx()-2*pad-c.width(score)) + score)
	plate := image.Pt(c.width(text)+2*pad, c.height())
	if text == "" || plate.X > c.bounds.Dx() || plate.Y > c.bounds.Dy() {
		return
	}
	edges := r.Image().Inset(-int(c.line / 2))
	var places []image.Rectangle // the best first
	for _, y := range []int{edges.Min.Y - plate.Y, edges.Max.Y, edges.Min.Y, edges.Max.Y - plate.Y} {
		for _, x := range []int{edges.Min.X, edges.Max.X - plate.X} {
			last := c.bounds.Max.Sub(plate)
			at := image.Pt(max(min(x, last.X), c.bounds.Min.X), max(min(y, last.Y), c.bounds.Min.Y))
			places = append(places, image.Rectangle{at, at.Add(plate)})
		}
	}
	free := func(r image.Rectangle) bool { return !slices.ContainsFunc(c.labels, r.Overlaps) }
	place := places[max(slices.IndexFunc(places, free), 0)]
	c.labels = append(c.labels, place)
	c.rect(place, colorOf(d.Class))
	c.write(text, place.Min.Add(image.Pt(pad, 0)), color.Black)
}

// row is a line of a list.
type row struct {
	col  color.RGBA
	text string
	part float32 // 0..1
}

// list lists rows at the bottom left, as many as fit.
func (c *canvas) list(rows []row) {
	height, gap, value := c.height(), max(int(c.text/2), 4), c.width("100%")
	step, size := height+gap, c.bounds.Size()
	rows = rows[:max(min(len(rows), (size.Y-3*gap)/step), 0)]
	widest := 0
	for i, r := range rows {
		rows[i].text = c.short(cmp.Or(c.readable(r.text), "?"), size.X-6*gap-height-value)
		widest = max(widest, c.width(rows[i].text))
	}
	panel := image.Rect(gap, size.Y-2*gap-len(rows)*step, 5*gap+height+widest+value, size.Y-gap).Add(c.bounds.Min)
	if widest == 0 || panel.Max.X > c.bounds.Max.X {
		return
	}
	c.rect(panel, color.RGBA{A: 0xa6})
	for i, r := range rows {
		at := panel.Min.Add(image.Pt(gap, gap+i*step))
		c.rect(image.Rectangle{at, at.Add(image.Pt(height, height))}.Inset(int(c.line)), r.col)
		left, right, text := at.X+height+gap, panel.Max.X-gap, percent(r.part)
		c.write(r.text, image.Pt(left, at.Y), color.White)
		c.write(text, image.Pt(right-c.width(text), at.Y), color.White)
		if text != "" {
			bar := image.Rect(0, 0, int(float32(right-left)*r.part), max(int(c.line), 1))
			c.rect(bar.Add(image.Pt(left, at.Y+height)), r.col)
		}
	}
}
