// SPDX-License-Identifier: Apache-2.0

package overlay

import (
	"fmt"
	"image"
	"image/color"
	"math"
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

func (c *canvas) openFont() {
	if c.font = c.style.Font; c.font == nil || c.font.UnitsPerEm() == 0 {
		c.font = goMedium()
	}
	// NewFace returns no error yet, and the options are valid.
	c.face, _ = opentype.NewFace(c.font, &opentype.FaceOptions{Size: float64(c.text), DPI: 72})
}

// readable returns s without the characters that the font lacks, in one line. Nobody
// reads more than the start of a long one.
func (c *canvas) readable(s string) string {
	var buf sfnt.Buffer
	s = s[:min(len(s), 500)]
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if i, err := c.font.GlyphIndex(&buf, r); i == 0 || err != nil || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s))
}

func (c *canvas) width(s string) int { return font.MeasureString(c.face, s).Ceil() }

// short returns as much of s as is no wider than width.
func (c *canvas) short(s string, width int) string {
	if c.width(s) <= width {
		return s
	}
	for runes := []rune(s); len(runes) > 1; {
		runes = runes[:len(runes)-1]
		if cut := strings.TrimSpace(string(runes)) + "…"; c.width(cut) <= width {
			return cut
		}
	}
	return ""
}

// height returns the height of a line of text, and where in it the letters stand.
func (c *canvas) height() (height, base int) {
	m := c.face.Metrics()
	return (m.Ascent + m.Descent).Ceil(), m.Ascent.Round()
}

// write writes text; x is at its left and y at the base of its letters.
func (c *canvas) write(s string, x, y int, col color.RGBA) {
	at := c.bounds.Min.Add(image.Pt(x, y))
	d := font.Drawer{Dst: c.dst, Src: image.NewUniform(col), Face: c.face, Dot: fixed.P(at.X, at.Y)}
	d.DrawString(s)
}

// ink returns black or white, whichever is easier to read on c.
func ink(c color.RGBA) color.RGBA {
	linear := func(v uint8) float64 { return math.Pow(float64(v)/255, 2.2) }
	if 0.2126*linear(c.R)+0.7152*linear(c.G)+0.0722*linear(c.B) > 0.18 {
		return black
	}
	return white
}

// label writes the label of a box on a plate.
func (c *canvas) label(r vision.Rect, d vision.Detection) {
	text, score := d.Label, " "+percent(d.Score)
	if c.style.Label != nil {
		if text, score = c.style.Label(d), ""; text == "" {
			return
		}
	}
	if text = c.readable(text); text == "" {
		text = fmt.Sprintf("class %d", d.Class)
	}
	height, base := c.height()
	pad := max(int(c.text/4), 2)
	text = c.short(text, c.size.X-2*pad-c.width(score)) + score
	plate := image.Pt(c.width(strings.TrimSpace(text))+2*pad, height)
	if strings.TrimSpace(text) == "" || plate.X > c.size.X || plate.Y > c.size.Y {
		return
	}
	half := c.line / 2
	left, right := int(r.Min.X-half+0.5), int(r.Max.X+half+0.5)-plate.X
	top, bottom := int(r.Min.Y-half+0.5), int(r.Max.Y+half+0.5)
	within := image.Rectangle{Max: c.size}
	var place image.Rectangle
	for i, p := range []image.Point{{left, top - plate.Y}, {right, top - plate.Y}, {left, bottom}, {right, bottom},
		{left, top}, {right, top}, {left, bottom - plate.Y}, {right, bottom - plate.Y}} {
		at := image.Rectangle{Max: plate}.Add(image.Pt(max(min(p.X, c.size.X-plate.X), 0), p.Y))
		free := at.In(within) && !slices.ContainsFunc(c.labels, at.Overlaps)
		if i == 0 || free {
			place = at
		}
		if free {
			break
		}
	}
	place = place.Add(image.Pt(0, max(min(place.Min.Y, c.size.Y-plate.Y), 0)-place.Min.Y))
	c.labels = append(c.labels, place)
	col := c.color(d.Class)
	c.fill(col, rounded(rect(place), c.line*1.5))
	c.write(strings.TrimSpace(text), place.Min.X+pad, place.Min.Y+base, ink(col))
}

func rect(r image.Rectangle) vision.Rect {
	return vision.Rect{Min: pt(r.Min.X, r.Min.Y), Max: pt(r.Max.X, r.Max.Y)}
}

// row is a line of a list.
type row struct {
	col  color.RGBA
	text string
	part float32 // 0..1
}

// list lists rows at the bottom left, as many as fit.
func (c *canvas) list(rows []row) {
	height, base := c.height()
	gap := max(int(c.text/2), 4)
	step := height + gap
	rows = rows[:max(min(len(rows), (c.size.Y-3*gap)/step), 0)]
	widest, value := 0, c.width("100%")
	for i := range rows {
		if rows[i].text = c.readable(rows[i].text); rows[i].text == "" {
			rows[i].text = "?"
		}
		rows[i].text = c.short(rows[i].text, c.size.X-6*gap-height-value)
		widest = max(widest, c.width(rows[i].text))
	}
	panel := image.Rect(0, 0, gap+height+gap+widest+gap+value+gap, gap+len(rows)*step).Add(image.Pt(gap, c.size.Y-2*gap-len(rows)*step))
	if len(rows) == 0 || widest == 0 || panel.Max.X > c.size.X {
		return
	}
	c.fill(sheer(black, 0.65), rounded(rect(panel), c.line*3))
	for i, r := range rows {
		at := panel.Min.Add(image.Pt(gap, gap+i*step))
		end := panel.Max.X - gap
		c.fill(r.col, rounded(grown(rect(image.Rect(0, 0, height, height).Add(at)), -c.line), c.line))
		c.write(r.text, at.X+height+gap, at.Y+base, white)
		text := percent(r.part)
		c.write(text, end-c.width(text), at.Y+base, white)
		if r.part > 0 && r.part <= 1 {
			a, b := pt(at.X+height+gap, at.Y+height+gap/4), pt(end, at.Y+height+gap/4)
			c.fill(sheer(white, 0.25), capsule(a, b, c.line))
			b.X = a.X + (b.X-a.X)*r.part
			c.fill(r.col, capsule(a, b, c.line))
		}
	}
}
