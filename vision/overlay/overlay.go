// SPDX-License-Identifier: Apache-2.0

// Package overlay draws results of package vision on pictures: boxes with labels,
// masks, key points, segmentation maps and lists of classes, and it cuts things out.
// Lines and text grow with the picture and can be read on any background.
//
// Results that do not make sense, such as boxes that are not numbers or lie outside
// of the picture, are left out.
package overlay

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"slices"

	"github.com/anyinfer/anyinfer/vision"
	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font/opentype"
)

// Style changes how results are drawn. The zero Style, or nil, suits most pictures.
type Style struct {
	Scale    float32                       // of lines and text; 0: 1
	Colors   []color.Color                 // by class; after the last one they begin again; nil: Color
	Font     *opentype.Font                // of text; nil: Go Medium, which has Latin, Greek and Cyrillic letters
	Label    func(vision.Detection) string // what stands beside a box; nil: the label and the score
	MinPoint float32                       // key points with a lower score are left out; 0: 0.3
	Lines    [][2]int                      // the key points that are joined; nil: as a body, if there are 17, or a face, if there are 5
}

// palette begins with the colours of Okabe and Ito, which people who are colour-blind
// can tell apart; those that skin lacks come first.
var palette = []color.RGBA{
	{0x56, 0xb4, 0xe9, 0xff}, {0xe6, 0x9f, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xf0, 0xe4, 0x42, 0xff},
	{0xcc, 0x79, 0xa7, 0xff}, {0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x9b, 0xd8, 0x3a, 0xff},
	{0x9a, 0x6b, 0xff, 0xff}, {0x19, 0xd3, 0xc5, 0xff}, {0xff, 0x4b, 0x55, 0xff}, {0xff, 0x7f, 0xc0, 0xff},
}

// Color returns the colour of a class, which is the same in each picture: 12 colours,
// then the same ones lighter, and so on. People who are colour-blind can tell the
// first seven apart.
func Color(class int) color.RGBA {
	class = max(class, 0) % (2 * len(palette))
	c := palette[class%len(palette)]
	if class >= len(palette) {
		c = mix(c, white, 0.45)
	}
	return c
}

// Copy returns a copy of img to draw on.
func Copy(img image.Image) *image.RGBA {
	dst := image.NewRGBA(img.Bounds())
	draw.Draw(dst, dst.Rect, img, dst.Rect.Min, draw.Src)
	return dst
}

// Draw draws detections: masks first, then boxes and key points, and at last labels,
// the best ones on top. A label stands where it covers no other one, if there is
// such a place at its box.
func Draw(dst draw.Image, found []vision.Detection, s *Style) {
	c := newCanvas(dst, s)
	if c == nil {
		return
	}
	found = slices.Clone(found)
	slices.SortStableFunc(found, func(a, b vision.Detection) int { return cmp.Compare(a.Score, b.Score) })
	for _, d := range found {
		c.mask(d.Mask, c.color(d.Class))
	}
	for _, d := range found {
		if r, ok := c.visible(d.Rect); ok {
			c.box(r, c.color(d.Class))
		}
	}
	for _, d := range found {
		c.points(d.Points, c.color(d.Class))
	}
	for _, d := range slices.Backward(found) {
		if r, ok := c.visible(d.Rect); ok {
			c.label(r, d)
		}
	}
}

// Segments draws a segmentation map, whose pixels are classes, with a list of the
// classes that it has. A class that is called background, or has no label, is not
// drawn; if labels is nil, this is class 0. The map may have another size than dst.
func Segments(dst draw.Image, m *image.Paletted, labels []string, s *Style) {
	c := newCanvas(dst, s)
	if c == nil || m == nil || !complete(m.Pix, m.Stride, m.Rect) {
		return
	}
	var areas [256]image.Rectangle
	var counts [256]int
	size := m.Rect.Size()
	for y := range size.Y {
		for x, class := range m.Pix[y*m.Stride:][:size.X] {
			counts[class]++
			areas[class] = areas[class].Union(image.Rect(x, y, x+1, y+1))
		}
	}
	var rows []row
	for class, count := range counts {
		label := ""
		if class < len(labels) {
			label = labels[class]
		} else if labels == nil && class > 0 {
			label = fmt.Sprintf("class %d", class)
		}
		if count == 0 || label == "" || label == "background" {
			continue
		}
		area := areas[class]
		mask := image.NewAlpha(area)
		for y := range area.Dy() {
			for x, p := range m.Pix[(area.Min.Y+y)*m.Stride+area.Min.X:][:area.Dx()] {
				if int(p) == class {
					mask.Pix[y*mask.Stride+x] = 255
				}
			}
		}
		if size != c.size {
			at := func(p image.Point) image.Point { return image.Pt(p.X*c.size.X/size.X, p.Y*c.size.Y/size.Y) }
			scaled := image.NewAlpha(image.Rectangle{at(area.Min), at(area.Max)})
			xdraw.ApproxBiLinear.Scale(scaled, scaled.Rect, mask, area, draw.Src, nil)
			mask = scaled
		}
		c.mask(mask, c.color(class))
		rows = append(rows, row{c.color(class), label, float32(count) / float32(size.X*size.Y)})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.part, a.part) })
	c.list(rows)
}

// Classes lists what a classifier has found. There is a score for each label.
func Classes(dst draw.Image, labels []string, scores []float32, s *Style) {
	c := newCanvas(dst, s)
	if c == nil {
		return
	}
	var rows []row
	for i, label := range labels[:min(len(labels), len(scores))] {
		rows = append(rows, row{c.color(i), label, scores[i]})
	}
	c.list(rows)
}

// Cutout draws the part of img that the matte shows on a background: a picture, an
// image.Uniform of a colour, or, if it is nil, a checkerboard. dst may be img. The matte
// may have another size.
func Cutout(dst draw.Image, img image.Image, matte *image.Alpha, background image.Image) {
	c := newCanvas(dst, nil)
	if c == nil || matte == nil || !complete(matte.Pix, matte.Stride, matte.Rect) {
		return
	}
	if background == nil {
		background = checkerboard(c.text)
	}
	cut := image.NewRGBA(c.bounds)
	draw.Draw(cut, c.bounds, background, background.Bounds().Min, draw.Src)
	if matte.Rect.Size() != c.size {
		scaled := image.NewAlpha(image.Rectangle{Max: c.size})
		xdraw.ApproxBiLinear.Scale(scaled, scaled.Rect, matte, matte.Rect, draw.Src, nil)
		matte = scaled
	}
	draw.DrawMask(cut, c.bounds, img, img.Bounds().Min, matte, matte.Rect.Min, draw.Over)
	draw.Draw(dst, c.bounds, cut, c.bounds.Min, draw.Src)
}

// checkerboard is an endless picture with squares of that size.
type checkerboard int

func (checkerboard) ColorModel() color.Model { return color.GrayModel }
func (checkerboard) Bounds() image.Rectangle { return image.Rect(0, 0, 1<<30, 1<<30) }
func (n checkerboard) At(x, y int) color.Color {
	if (x/int(n)+y/int(n))%2 == 0 {
		return color.Gray{0xff}
	}
	return color.Gray{0xd8}
}

// percent returns a score as text.
func percent(score float32) string {
	if !(score >= 0 && score <= 1) { // or not a number
		return ""
	}
	return fmt.Sprintf("%.0f%%", 100*score)
}
