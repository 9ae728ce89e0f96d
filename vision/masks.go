// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"math"
	"slices"
	"sync"

	"github.com/anyinfer/anyinfer/common"
)

// maskMaker makes masks from prototypes: small pictures that each box adds up with
// weights of its own.
type maskMaker struct {
	protos             array
	masks              int
	plane, row, column int // the distances of elements
	x, y               maskAxis
	small, line        []float32 // the sum of the prototypes around a box, and a line of it
	tapsX, tapsY       []maskTap
}

var maskMakers = sync.Pool{New: func() any { return new(maskMaker) }}

func (m *maskMaker) free() {
	m.protos.free()
	m.protos = array{}
	maskMakers.Put(m)
}

// maskAxis maps pixels of a picture to those of prototypes that are scaled to the size
// of the input.
type maskAxis struct {
	from, scale    float64
	first, last    int // those that show the picture are from first to last-1
	scaled, protos int // the lengths
}

// maskTap is how much three pixels of the prototypes count for one of the picture.
type maskTap struct {
	at     int
	weight [3]float32
}

// axisOf returns the axis of a picture of that length that fills the input from from
// to to.
func axisOf(from, to float32, length, input, protos int) maskAxis {
	a := maskAxis{from: float64(from), scale: float64(to-from) / float64(length), scaled: input, protos: protos}
	round := func(v float32) int { return int(math.Round(float64(min(max(v, 0), float32(input))))) }
	a.first = min(round(from), input-1)
	a.last = max(round(to), a.first+1)
	return a
}

// unscale leaves out scaling prototypes to the size of the input.
func (a *maskAxis) unscale() {
	shrink := float64(a.protos) / float64(a.scaled)
	a.from, a.scale = a.from*shrink, a.scale*shrink
	a.first, a.last, a.scaled = a.first*a.protos/a.scaled, a.last*a.protos/a.scaled, a.protos
}

// whole reports whether the picture begins and ends where pixels of the prototypes do.
func (a *maskAxis) whole() bool {
	return a.first*a.protos%a.scaled == 0 && a.last*a.protos%a.scaled == 0
}

// between returns the pixel from first to last-1 before v, and how far v is from its
// center to that of the next.
func between(v float64, first, last int) (int, float64) {
	v = min(max(v-0.5, float64(first)), float64(last-1))
	return int(v), v - math.Floor(v)
}

// taps returns the taps of pixels of the picture.
func (a *maskAxis) taps(taps []maskTap, from, to int) []maskTap {
	taps = taps[:0]
	shrink := float64(a.protos) / float64(a.scaled)
	for p := from; p < to; p++ {
		i, part := between(a.from+(float64(p)+0.5)*a.scale, a.first, a.last)
		at, one := between((float64(i)+0.5)*shrink, 0, a.protos)
		next, two := between((float64(i)+1.5)*shrink, 0, a.protos)
		t := maskTap{at, [3]float32{float32((1 - part) * (1 - one)), float32((1 - part) * one)}}
		t.weight[min(next-at, 1)] += float32(part * (1 - two))
		t.weight[min(next-at, 1)+1] += float32(part * two)
		taps = append(taps, t)
	}
	return taps
}

// masks returns a maskMaker for a picture of that size. Like Ultralytics, it scales
// prototypes to the size of the input, cuts off the border of a letterboxed picture, and
// scales to that; or it cuts the prototypes where that is possible.
func (y *YOLO) masks(out Outputs, back Affine, size image.Point) (*maskMaker, error) {
	a, err := out.array(y.Protos, 3)
	if err != nil {
		return nil, err
	}
	m := maskMakers.Get().(*maskMaker)
	m.protos, m.masks = a, y.Masks
	first, last := a.dims[0] == y.Masks && y.ProtoLayout != NHWC, a.dims[2] == y.Masks && y.ProtoLayout != NCHW
	height, width := a.dims[1], a.dims[2]
	m.plane, m.row, m.column = width*height, width, 1
	if last {
		height, width = a.dims[0], a.dims[1]
		m.plane, m.row, m.column = 1, width*y.Masks, y.Masks
	}
	used := back.Inverse().ApplyRect(Rect{Max: Point{float32(size.X), float32(size.Y)}})
	finite := used.Min.X + used.Min.Y + used.Max.X + used.Max.Y + back[2] + back[5]
	if first == last || finite-finite != 0 || width < 1 || height < 1 || width > out.Size.X || height > out.Size.Y || size.X < 1 || size.Y < 1 {
		m.free()
		return nil, fail(common.ErrShape, "output %d with the shape %v does not show which dimension has the %d prototypes of masks, smaller than %v, for a picture of %v; set ProtoLayout",
			y.Protos, a.dims, y.Masks, out.Size, size)
	}
	m.x = axisOf(used.Min.X, used.Max.X, size.X, out.Size.X, width)
	m.y = axisOf(used.Min.Y, used.Max.Y, size.Y, out.Size.Y, height)
	if m.x.whole() && m.y.whole() {
		m.x.unscale()
		m.y.unscale()
	}
	return m, nil
}

// mask returns the mask of a box in the picture, with that weight of each prototype.
func (m *maskMaker) mask(box Rect, weight func(int) float32) *image.Alpha {
	ceil := func(v float32) int { return int(math.Ceil(float64(v))) }
	bounds := image.Rect(ceil(box.Min.X), ceil(box.Min.Y), ceil(box.Max.X), ceil(box.Max.Y))
	mask := image.NewAlpha(bounds)
	if bounds.Empty() {
		return mask
	}
	m.tapsX = m.x.taps(m.tapsX, bounds.Min.X, bounds.Max.X)
	m.tapsY = m.y.taps(m.tapsY, bounds.Min.Y, bounds.Max.Y)
	left, top := m.tapsX[0].at, m.tapsY[0].at
	width, height := m.tapsX[len(m.tapsX)-1].at-left+3, m.tapsY[len(m.tapsY)-1].at-top+3
	m.small = slices.Grow(m.small[:0], width*height)[:width*height]
	m.line = slices.Grow(m.line[:0], width)[:width]
	m.sum(left, top, width, weight)
	for y, ty := range m.tapsY {
		at := (ty.at - top) * width
		a, b, c := m.small[at:][:width], m.small[at+width:][:width], m.small[at+2*width:][:width]
		for x := range m.line {
			m.line[x] = a[x]*ty.weight[0] + b[x]*ty.weight[1] + c[x]*ty.weight[2]
		}
		pixels := mask.Pix[y*mask.Stride:][:len(m.tapsX)]
		for x := range pixels {
			t := &m.tapsX[x]
			if l := m.line[t.at-left:][:3]; l[0]*t.weight[0]+l[1]*t.weight[1]+l[2]*t.weight[2] > 0 {
				pixels[x] = 255
			}
		}
	}
	return mask
}

// sum sets small to the weighted sum of the prototypes from left and top on; what lies
// behind their end is 0.
func (m *maskMaker) sum(left, top, width int, weight func(int) float32) {
	clear(m.small)
	columns := min(width, m.x.protos-left)
	for c := range m.masks {
		w := weight(c)
		for y := range min(len(m.small)/width, m.y.protos-top) {
			from := c*m.plane + (top+y)*m.row + left*m.column
			line := m.small[y*width:][:columns]
			if m.column == 1 {
				for x, v := range m.protos.data[from:][:columns] {
					line[x] += w * v
				}
				continue
			}
			for x := range line {
				line[x] += w * m.protos.data[from+x*m.column]
			}
		}
	}
}
