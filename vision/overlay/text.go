// SPDX-License-Identifier: Apache-2.0

package overlay

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/anyinfer/anyinfer/vision"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

var goMedium = sync.OnceValue(func() *opentype.Font {
	f, err := opentype.Parse(gomedium.TTF)
	if err != nil {
		panic(err) // the font is a part of the program
	}
	return f
})

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
	at = at.Add(c.dst.Bounds().Min)
	d := font.Drawer{Dst: c.dst, Src: image.NewUniform(col), Face: c.face, Dot: fixed.P(at.X, at.Y+c.face.Metrics().Ascent.Round())}
	d.DrawString(s)
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
	text = strings.TrimSpace(c.short(text, c.size.X-2*pad-c.width(score)) + score)
	plate := image.Pt(c.width(text)+2*pad, c.height())
	if text == "" || plate.X > c.size.X || plate.Y > c.size.Y {
		return
	}
	edges := r.Image().Inset(-int(c.line / 2))
	var places []image.Rectangle // the best first
	for _, y := range []int{edges.Min.Y - plate.Y, edges.Max.Y, edges.Min.Y, edges.Max.Y - plate.Y} {
		for _, x := range []int{edges.Min.X, edges.Max.X - plate.X} {
			at := image.Pt(max(min(x, c.size.X-plate.X), 0), max(min(y, c.size.Y-plate.Y), 0))
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
	step := height + gap
	rows = rows[:max(min(len(rows), (c.size.Y-3*gap)/step), 0)]
	widest := 0
	for i, r := range rows {
		rows[i].text = c.short(cmp.Or(c.readable(r.text), "?"), c.size.X-6*gap-height-value)
		widest = max(widest, c.width(rows[i].text))
	}
	panel := image.Rect(gap, c.size.Y-2*gap-len(rows)*step, 5*gap+height+widest+value, c.size.Y-gap)
	if widest == 0 || panel.Max.X > c.size.X {
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
			c.rect(image.Rect(left, at.Y+height, left+int(float32(right-left)*r.part), at.Y+height+max(int(c.line), 1)), r.col)
		}
	}
}
