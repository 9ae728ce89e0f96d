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
	width, height      int       // of a prototype
	plane, row, column int       // the distances of elements
	x, y               []maskTap // for each column and row of the picture
	small, line        []float32 // the sum of the prototypes around a box, and a line of it
}

var maskMakers = sync.Pool{New: func() any { return new(maskMaker) }}

func (m *maskMaker) free() {
	m.protos.free()
	m.protos = array{}
	maskMakers.Put(m)
}

// maskTap is how much three pixels of the prototypes count for one of the picture.
type maskTap struct {
	at     int // the first of them
	weight [3]float32
}

// maskAxis maps a row or column of the picture to prototypes that are scaled to the size
// of the input.
type maskAxis struct {
	from, scale           float64
	length, input, protos int
	first, last           int // those of the input that show the picture are from first to last-1
}

// axisOf returns the axis of a picture that fills the input from from to to.
func axisOf(from, to float32, length, input, protos int) maskAxis {
	round := func(v float32) int { return int(math.Round(float64(min(max(v, 0), float32(input))))) }
	first := min(round(from), input-1)
	return maskAxis{float64(from), float64(to-from) / float64(length), length, input, protos, first, max(round(to), first+1)}
}

// whole reports whether the picture begins and ends where pixels of the prototypes do.
func (a *maskAxis) whole() bool {
	return a.first*a.protos%a.input == 0 && a.last*a.protos%a.input == 0
}

// taps returns the taps of all pixels. Like Ultralytics, it scales prototypes to the size
// of the input, cuts off the border of a letterboxed picture, and scales to that; or it
// cuts the prototypes, if both axes are whole.
func (a maskAxis) taps(taps []maskTap, whole bool) []maskTap {
	shrink := float64(a.protos) / float64(a.input)
	if whole {
		a.from, a.scale, a.first, a.last = a.from*shrink, a.scale*shrink, a.first*a.protos/a.input, a.last*a.protos/a.input
		shrink = 1
	}
	taps = taps[:0]
	for p := range a.length {
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

// between returns the pixel from first to last-1 before v, and how far v is from its
// center to that of the next.
func between(v float64, first, last int) (int, float64) {
	v = min(max(v-0.5, float64(first)), float64(last-1))
	return int(v), v - math.Floor(v)
}

// masks returns a maskMaker for a picture of that size.
func (y *YOLO) masks(out Outputs, back Affine, size image.Point) (*maskMaker, error) {
	a, err := out.array(y.Protos, 3)
	if err != nil {
		return nil, err
	}
	m := maskMakers.Get().(*maskMaker)
	m.protos, m.masks = a, y.Masks
	first, last := a.dims[0] == y.Masks && y.ProtoLayout != NHWC, a.dims[2] == y.Masks && y.ProtoLayout != NCHW
	m.height, m.width = a.dims[1], a.dims[2]
	m.plane, m.row, m.column = m.width*m.height, m.width, 1
	if last {
		m.height, m.width = a.dims[0], a.dims[1]
		m.plane, m.row, m.column = 1, m.width*y.Masks, y.Masks
	}
	used := back.Inverse().ApplyRect(Rect{Max: Point{float32(size.X), float32(size.Y)}})
	if first == last || !finite(used, back[2]+back[5]) || min(m.width, m.height, size.X, size.Y) < 1 || m.width > out.Size.X || m.height > out.Size.Y {
		m.free()
		return nil, fail(common.ErrShape, "output %d with the shape %v does not show which dimension has the %d prototypes of masks, smaller than %v, for a picture of %v; set ProtoLayout",
			y.Protos, a.dims[:3], y.Masks, out.Size, size)
	}
	h, v := axisOf(used.Min.X, used.Max.X, size.X, out.Size.X, m.width), axisOf(used.Min.Y, used.Max.Y, size.Y, out.Size.Y, m.height)
	whole := h.whole() && v.whole()
	m.x, m.y = h.taps(m.x, whole), v.taps(m.y, whole)
	return m, nil
}

// mask returns the mask of a box in the picture, with that weight of each prototype.
func (m *maskMaker) mask(box Rect, weight func(int) float32) *image.Alpha {
	ceil := func(v float32) int { return int(math.Ceil(float64(v))) }
	bounds := image.Rect(ceil(box.Min.X), ceil(box.Min.Y), ceil(box.Max.X), ceil(box.Max.Y)).Intersect(image.Rect(0, 0, len(m.x), len(m.y)))
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

// sum sets small to the weighted sum of the prototypes in a rectangle, with 0 behind
// their end.
func (m *maskMaker) sum(left, top, width, height int, weight func(int) float32) {
	m.small = slices.Grow(m.small[:0], width*height)[:width*height]
	m.line = slices.Grow(m.line[:0], width)[:width]
	clear(m.small)
	for c := range m.masks {
		w := weight(c)
		for y := range min(height, m.height-top) {
			from := m.protos.data[c*m.plane+(top+y)*m.row+left*m.column:]
			line := m.small[y*width:][:min(width, m.width-left)]
			if m.column == 1 {
				for x, v := range from[:len(line)] {
					line[x] += w * v
				}
				continue
			}
			for x := range line {
				line[x] += w * from[x*m.column]
			}
		}
	}
}
