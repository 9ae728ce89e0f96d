// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"math"
	"sync"

	"github.com/anyinfer/anyinfer/common"
)

// maskMaker makes masks from prototypes: small pictures that each box adds up with
// weights of its own.
type maskMaker struct {
	protos             array
	masks              int
	width, height      int       // of a prototype
	plane, row, column int       // the distances of elements
	x, y               []maskTap // for each column and row of the picture
	small, line        []float32 // the sum of the prototypes around a box, and a line of it
}

var maskMakers = sync.Pool{New: func() any { return new(maskMaker) }}

// maskTap is how much three pixels of the prototypes count for one of the picture.
type maskTap struct {
	at     int // the first of them
	weight [3]float32
}

// maskTaps returns the taps for pixels of a picture, which fills the input from from to
// to. Prototypes are scaled to the length of the input, cut to the picture, and scaled to
// its length.
func maskTaps(taps []maskTap, length, input, protos int, from, to float32) []maskTap {
	first := min(nearest(from, input), input-1)
	last := max(nearest(to, input), first+1)
	scale, shrink := float64(to-from)/float64(length), float64(protos)/float64(input)
	taps = taps[:0]
	for p := range length {
		i, part := between(float64(from)+(float64(p)+0.5)*scale, first, last)
		at, one := between((float64(i)+0.5)*shrink, 0, protos)
		next, two := between((float64(i)+1.5)*shrink, 0, protos)
		t := maskTap{at, [3]float32{float32((1 - part) * (1 - one)), float32((1 - part) * one)}}
		t.weight[min(next-at, 1)] += float32(part * (1 - two))
		t.weight[min(next-at, 1)+1] += float32(part * two)
		taps = append(taps, t)
	}
	return taps
}

// nearest returns the border of pixels, from 0 to length, that is nearest to v.
func nearest(v float32, length int) int {
	return int(math.Round(float64(min(max(v, 0), float32(length)))))
}

// between returns the pixel from first to last-1 before v, and how far v is from its
// center to that of the next.
func between(v float64, first, last int) (int, float64) {
	v = min(max(v-0.5, float64(first)), float64(last-1))
	return int(v), v - math.Floor(v)
}

// masks returns a maskMaker for a picture of that size. Like Ultralytics, it scales
// prototypes to the input before it cuts off the border of a letterboxed picture, unless
// that begins and ends between pixels of the prototypes.
func (y *YOLO) masks(out Outputs, back Affine, size image.Point) (*maskMaker, error) {
	a, err := out.array(y.Protos, 3)
	if err != nil {
		return nil, err
	}
	m := maskMakers.Get().(*maskMaker)
	m.protos, m.masks, m.height, m.width = a, y.Masks, a.dims[1], a.dims[2]
	m.plane, m.row, m.column = m.width*m.height, m.width, 1
	if a.dims[0] != y.Masks {
		m.height, m.width = a.dims[0], a.dims[1]
		m.plane, m.row, m.column = 1, m.width*y.Masks, y.Masks
	}
	used, input := back.Inverse().ApplyRect(Rect{Max: corner(size)}), out.Size
	if a.dims[0] != y.Masks && a.dims[2] != y.Masks || !finite(used, back[2]+back[5]) ||
		min(m.width, m.height, size.X, size.Y) < 1 || m.width > input.X || m.height > input.Y {
		maskMakers.Put(m)
		return nil, fail(common.ErrShape, "output %d is %v, not %d masks smaller than %v", y.Protos, a.dims, y.Masks, input)
	}
	whole := func(v float32, input, protos int) bool { return nearest(v, input)*protos%input == 0 }
	if whole(used.Min.X, input.X, m.width) && whole(used.Max.X, input.X, m.width) &&
		whole(used.Min.Y, input.Y, m.height) && whole(used.Max.Y, input.Y, m.height) {
		x, y := float32(m.width)/float32(input.X), float32(m.height)/float32(input.Y)
		used = Rect{Point{used.Min.X * x, used.Min.Y * y}, Point{used.Max.X * x, used.Max.Y * y}}
		input = image.Pt(m.width, m.height)
	}
	m.x = maskTaps(m.x, size.X, input.X, m.width, used.Min.X, used.Max.X)
	m.y = maskTaps(m.y, size.Y, input.Y, m.height, used.Min.Y, used.Max.Y)
	return m, nil
}

// mask returns the mask of a box in the picture, with that weight of each prototype.
func (m *maskMaker) mask(box Rect, weight func(int) float32) *image.Alpha {
	picture := image.Rect(0, 0, len(m.x), len(m.y))
	bounds := image.Rect(ceil(box.Min.X), ceil(box.Min.Y), ceil(box.Max.X), ceil(box.Max.Y)).Intersect(picture)
	mask := image.NewAlpha(bounds)
	if bounds.Empty() {
		return mask
	}
	xs, ys := m.x[bounds.Min.X:bounds.Max.X], m.y[bounds.Min.Y:bounds.Max.Y]
	left, top := xs[0].at, ys[0].at
	width, height := xs[len(xs)-1].at-left+3, ys[len(ys)-1].at-top+3
	m.sum(left, top, width, height, weight)
	for y, t := range ys {
		at := (t.at - top) * width
		a, b, c := m.small[at:][:width], m.small[at+width:][:width], m.small[at+2*width:][:width]
		for x := range m.line {
			m.line[x] = a[x]*t.weight[0] + b[x]*t.weight[1] + c[x]*t.weight[2]
		}
		pixels := mask.Pix[y*mask.Stride:][:len(xs)]
		for x := range pixels {
			t := &xs[x]
			if l := m.line[t.at-left:][:3]; l[0]*t.weight[0]+l[1]*t.weight[1]+l[2]*t.weight[2] > 0 {
				pixels[x] = 255
			}
		}
	}
	return mask
}

// sum sets small to the weighted sum of the prototypes in a rectangle, and 0 behind their end.
func (m *maskMaker) sum(left, top, width, height int, weight func(int) float32) {
	m.small, m.line = resized(m.small, width*height), resized(m.line, width)
	clear(m.small)
	for c := range m.masks {
		w := weight(c)
		for y := range min(height, m.height-top) {
			protos, i := m.protos.data[c*m.plane+(top+y)*m.row+left*m.column:], 0
			line := m.small[y*width:][:min(width, m.width-left)]
			for x := range line {
				line[x] += w * protos[i]
				i += m.column
			}
		}
	}
}
