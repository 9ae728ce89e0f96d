// SPDX-License-Identifier: Apache-2.0

package overlay

import (
	"image"
	"image/color"
	"image/draw"
	"slices"

	"github.com/anyinfer/anyinfer/vision"
)

// halo is the opacity of the dark edge around lines, without which they would not be
// seen on a background of their colour.
const halo = 0.4

// box draws the edges of r.
func (c *canvas) box(r vision.Rect, col color.RGBA) {
	for _, stroke := range []struct {
		half float32
		col  color.RGBA
	}{{c.line * 0.85, sheer(black, halo)}, {c.line / 2, col}} {
		outer, inner := grown(r, stroke.half), grown(r, -stroke.half)
		shape := [][]vision.Point{rounded(outer, c.line*2+stroke.half)}
		if inner.Dx() > 0 && inner.Dy() > 0 {
			hole := rounded(inner, c.line*2-stroke.half)
			slices.Reverse(hole)
			shape = append(shape, hole)
		}
		all := outer.Image()
		parts := []image.Rectangle{all}
		if in := all.Inset(int(4 * c.line)); !in.Empty() { // leave out the inner part, which takes long
			parts = []image.Rectangle{{all.Min, image.Pt(all.Max.X, in.Min.Y)}, {image.Pt(all.Min.X, in.Max.Y), all.Max},
				{image.Pt(all.Min.X, in.Min.Y), image.Pt(in.Min.X, in.Max.Y)}, {image.Pt(in.Max.X, in.Min.Y), image.Pt(all.Max.X, in.Max.Y)}}
		}
		for _, part := range parts {
			c.fillIn(part, stroke.col, shape...)
		}
	}
}

// These are the lines between the 17 key points of COCO, and between the eyes, the
// nose and the corners of the mouth.
var (
	body = [][2]int{{0, 1}, {0, 2}, {1, 2}, {1, 3}, {2, 4}, {3, 5}, {4, 6}, {5, 6}, {5, 7}, {7, 9}, {6, 8}, {8, 10},
		{5, 11}, {6, 12}, {11, 12}, {11, 13}, {13, 15}, {12, 14}, {14, 16}}
	face = [][2]int{{0, 2}, {1, 2}, {3, 4}}
)

// points draws key points and the lines between them.
func (c *canvas) points(points []vision.KeyPoint, col color.RGBA) {
	lines := c.style.Lines
	switch {
	case lines != nil:
	case len(points) == 17:
		lines = body
	case len(points) == 5:
		lines = face
	}
	w, h := float32(c.size.X), float32(c.size.Y)
	seen := make([]bool, len(points))
	var all []vision.Point
	for i, p := range points {
		if p.Score >= c.style.MinPoint && p.X > -w && p.X < 2*w && p.Y > -h && p.Y < 2*h {
			seen[i], all = true, append(all, p.Point)
		}
	}
	at := extent(all)
	width := min(max(max(at.Dx(), at.Dy())/20, 1), 1.6*c.line) // so that a small face can still be seen
	var edges, strokes, rims, disks [][]vision.Point
	for _, l := range lines {
		if i, j := l[0], l[1]; min(i, j) >= 0 && max(i, j) < len(points) && seen[i] && seen[j] {
			a, b := points[i].Point, points[j].Point
			edges, strokes = append(edges, capsule(a, b, width*1.7)), append(strokes, capsule(a, b, width))
		}
	}
	for _, p := range all {
		edges = append(edges, capsule(p, p, width*3.4))
		rims, disks = append(rims, capsule(p, p, width*2.7)), append(disks, capsule(p, p, width*1.5))
	}
	for _, layer := range []struct {
		shapes [][]vision.Point
		col    color.RGBA
	}{{edges, sheer(black, halo)}, {strokes, col}, {rims, col}, {disks, white}} {
		c.fill(layer.col, layer.shapes...)
	}
}

// complete reports whether a picture has the pixels that it says.
func complete(pix []uint8, stride int, r image.Rectangle) bool {
	return r.Dx() > 0 && r.Dy() > 0 && stride >= r.Dx() && len(pix) >= r.Dx() && (len(pix)-r.Dx())/stride >= r.Dy()-1
}

// mask colours a mask and draws its outline.
func (c *canvas) mask(m *image.Alpha, col color.RGBA) {
	if m == nil || !complete(m.Pix, m.Stride, m.Rect) {
		return
	}
	reach := max(int(c.line+0.5), 2)
	inside := m.Rect.Intersect(image.Rectangle{Max: c.size})
	area := inside.Inset(-2 * reach).Intersect(image.Rectangle{Max: c.size})
	if inside.Empty() {
		return
	}
	paint := func(r image.Rectangle, col color.RGBA, mask *image.Alpha) {
		draw.DrawMask(c.dst, r.Add(c.bounds.Min), image.NewUniform(col), image.Point{}, mask, r.Min, draw.Over)
	}
	paint(inside, sheer(col, 0.45), m)
	// The outline is where a blurred mask is half as strong: how fast it changes there
	// tells the distance from the outline.
	blurred := image.NewAlpha(area)
	for y := inside.Min.Y; y < inside.Max.Y; y++ {
		copy(blurred.Pix[blurred.PixOffset(inside.Min.X, y):], m.Pix[m.PixOffset(inside.Min.X, y):][:inside.Dx()])
	}
	for range 2 {
		blur(blurred.Pix, area.Dy(), area.Dx(), area.Dx(), 1, reach)
		blur(blurred.Pix, area.Dx(), 1, area.Dy(), area.Dx(), reach)
	}
	slope := float32(2*reach+1) / 255
	for i, v := range blurred.Pix {
		distance := max(float32(v)-127.5, 127.5-float32(v)) * slope
		blurred.Pix[i] = uint8(255 * min(max(c.line/2+0.5-distance, 0), 1))
	}
	paint(area, col, blurred)
}

// blur replaces each pixel by the mean of those up to reach away. There are lines of
// n pixels, which are step apart; a line begins next after the one before.
func blur(pix []uint8, lines, next, n, step, reach int) {
	old := make([]uint8, n+2*reach) // with zeros at both ends
	for line := range lines {
		for i := range n {
			old[reach+i] = pix[line*next+i*step]
		}
		sum := 0
		for _, v := range old[:2*reach] {
			sum += int(v)
		}
		for i := range n {
			sum += int(old[i+2*reach])
			pix[line*next+i*step] = uint8(sum / (2*reach + 1))
			sum -= int(old[i])
		}
	}
}
