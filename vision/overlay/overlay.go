// SPDX-License-Identifier: Apache-2.0

// Package overlay draws results of package vision on pictures: boxes with labels,
// masks, key points, segmentation maps and lists of classes, and it cuts things out.
// Lines and text grow with the picture and can be read on any background. Places are in
// the coordinates of the picture, as those of package vision are.
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
	"golang.org/x/image/font/opentype"
)

// Style changes how results are drawn. The zero Style, or nil, suits most pictures.
type Style struct {
	Scale float32        // of lines and text; 0: 1
	Font  *opentype.Font // of text; nil: Go Medium, which has Latin, Greek and Cyrillic letters
}

// palette begins with the colours of Okabe and Ito, which people who are colour-blind
// can tell apart, with a lighter blue; those that skin lacks come first. Black text can
// be read on all.
var palette = []color.RGBA{
	{0x56, 0xb4, 0xe9, 0xff}, {0xe6, 0x9f, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xf0, 0xe4, 0x42, 0xff},
	{0xcc, 0x79, 0xa7, 0xff}, {0x00, 0x80, 0xc8, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x9b, 0xd8, 0x3a, 0xff},
	{0x9a, 0x6b, 0xff, 0xff}, {0x19, 0xd3, 0xc5, 0xff}, {0xff, 0x4b, 0x55, 0xff}, {0xff, 0x7f, 0xc0, 0xff},
}

// colorOf returns the colour of a class, which is the same in each picture.
func colorOf(class int) color.RGBA { return palette[max(class, 0)%len(palette)] }

// Copy returns a copy of img to draw on.
func Copy(img image.Image) *image.RGBA {
	dst := image.NewRGBA(img.Bounds())
	draw.Draw(dst, dst.Rect, img, dst.Rect.Min, draw.Src)
	return dst
}

// Draw draws detections: masks first, then boxes and key points, and at last labels,
// the best ones on top. A label stands where it covers no other one, if there is
// such a place at its box. Key points are joined as landmark.SkeletonOf says; those
// with a score below 0.3 are left out. Four are the corners of a turned box.
func Draw(dst draw.Image, found []vision.Detection, s *Style) {
	c := newCanvas(dst, s)
	found = slices.Clone(found)
	slices.SortStableFunc(found, func(a, b vision.Detection) int { return cmp.Compare(a.Score, b.Score) })
	for _, d := range found {
		if m := d.Mask; m != nil {
			var colors [256]color.RGBA
			for i := 128; i < 256; i++ {
				colors[i] = colorOf(d.Class)
			}
			c.areas(&image.Paletted{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect}, &colors)
		}
	}
	for _, d := range found {
		if r, ok := c.visible(d.Rect); ok {
			if len(d.Points) != 4 { // a turned box is drawn instead
				c.box(r, colorOf(d.Class))
			}
			c.points(d.Points, r, colorOf(d.Class))
		}
	}
	for _, d := range slices.Backward(found) {
		if r, ok := c.visible(d.Rect); ok {
			c.label(r, d)
		}
	}
}

// Segments draws a segmentation map of the picture, whose pixels are classes, with a
// list of the classes that it has. A class that is called background, or has no label,
// is not drawn; if labels is nil, this is class 0.
func Segments(dst draw.Image, m *image.Paletted, labels []string, s *Style) {
	if m == nil {
		return
	}
	c, size := newCanvas(dst, s), m.Rect.Size()
	var counts [256]int
	for y := range size.Y {
		for _, class := range m.Pix[y*m.Stride:][:size.X] {
			counts[class]++
		}
	}
	var colors [256]color.RGBA
	var rows []row
	for class, count := range counts {
		label := ""
		if class < len(labels) {
			label = labels[class]
		} else if labels == nil && class > 0 {
			label = fmt.Sprint("class ", class)
		}
		if count > 0 && label != "" && label != "background" {
			colors[class] = colorOf(class)
			rows = append(rows, row{colors[class], label, float32(count) / float32(size.X*size.Y)})
		}
	}
	c.areas(m, &colors)
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.part, a.part) })
	c.list(rows)
}

// Classes lists what a classifier has found.
func Classes(dst draw.Image, found []vision.Class, s *Style) {
	c := newCanvas(dst, s)
	var rows []row
	for i, class := range found {
		rows = append(rows, row{colorOf(i), cmp.Or(class.Label, fmt.Sprint("class ", class.Index)), class.Score})
	}
	c.list(rows)
}

// Cutout replaces the part of a picture that the matte does not show by that of a
// background: a picture, whose top left corner is that of dst, or an image.Uniform of a
// color. If it is nil, that part becomes transparent.
func Cutout(dst draw.Image, matte *image.Alpha, background image.Image) {
	if dst == nil || matte == nil {
		return
	}
	if background == nil {
		background = image.Transparent
	}
	r, front := dst.Bounds(), Copy(dst)
	draw.Draw(dst, r, background, background.Bounds().Min, draw.Src)
	draw.DrawMask(dst, r, front, r.Min, matte, r.Min, draw.Over)
}
