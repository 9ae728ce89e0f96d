// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// maskMaker makes masks from prototypes: small pictures that each box adds up with
// weights of its own.
type maskMaker struct {
	array
	masks              int
	plane, row, column int // the distances of elements in data
	x, y               axis
	memory             *[]float32
}

// axis maps pixels of a picture to those of prototypes from first to last-1.
type axis struct {
	from, scale float64
	first, last int
}

// at returns the pixel of the prototypes before the center of pixel p, the one behind
// it, and how far it is on the way between their centers.
func (a axis) at(p int) (i, j int, part float32) {
	v := min(max(a.from+(float64(p)+0.5)*a.scale-0.5, float64(a.first)), float64(a.last-1))
	i = int(v)
	return i, min(i+1, a.last-1), float32(v - float64(i))
}

// masks returns a maskMaker for a picture of that size. It cuts off the border of a
// letterboxed picture at whole pixels of the prototypes, as Ultralytics does, because
// half a pixel of them is easily four of the picture.
func (y *YOLO) masks(out Outputs, back Affine, size image.Point) (*maskMaker, error) {
	a, err := out.array(y.Protos, 3)
	if err != nil {
		return nil, err
	}
	m := &maskMaker{array: a, masks: y.Masks, memory: scratches.Get().(*[]float32)}
	first, last := a.dims[0] == y.Masks && y.ProtoLayout != NHWC, a.dims[2] == y.Masks && y.ProtoLayout != NCHW
	if first == last {
		m.free()
		return nil, fail(common.ErrShape, "output %d has prototypes of the shape %v, where the dimension of %d masks is not clear; set ProtoLayout", y.Protos, a.dims, y.Masks)
	}
	height, width := a.dims[1], a.dims[2]
	m.plane, m.row, m.column = width*height, width, 1
	if last {
		height, width = a.dims[0], a.dims[1]
		m.plane, m.row, m.column = 1, width*y.Masks, y.Masks
	}
	if width < 1 || height < 1 || out.Size.X < 1 || out.Size.Y < 1 || size.X < 1 || size.Y < 1 {
		m.free()
		return nil, fail(common.ErrShape, "masks of %dx%d pixels cannot be made for a picture of %v in an input of %v", width, height, size, out.Size)
	}
	used := back.Inverse().ApplyRect(Rect{Max: Point{float32(size.X), float32(size.Y)}})
	toX, toY := float64(width)/float64(out.Size.X), float64(height)/float64(out.Size.Y)
	gain := min(float64(width)/float64(size.X), float64(height)/float64(size.Y))
	m.x = axisOf(float64(used.Min.X)*toX, float64(used.Max.X)*toX, gain, width, size.X)
	m.y = axisOf(float64(used.Min.Y)*toY, float64(used.Max.Y)*toY, gain, height, size.Y)
	return m, nil
}

// axisOf returns the axis of a picture with length pixels, which fills the prototypes
// from from to to. If it was letterboxed, gain is its scale.
func axisOf(from, to, gain float64, protos, length int) axis {
	border := float64(protos) - gain*float64(length)
	if math.Abs(float64(protos)-(to-from)-border) < 0.5 && border > 0 { // letterboxed
		begin := 0.0
		if from > border/4 { // in the middle
			border /= 2
			begin = math.RoundToEven(border - 0.1)
		}
		from, to = begin, float64(protos)-math.RoundToEven(border+0.1)
	}
	if !(to-from >= 1) { // nothing of a very long picture is left
		from = min(max(from, 0), float64(protos-1))
		to = from + 1
	}
	first := min(max(int(from), 0), protos-1)
	return axis{from, (to - from) / float64(length), first, min(max(int(math.Ceil(to)), first+1), protos)}
}

func (m *maskMaker) free() {
	m.array.free()
	scratches.Put(m.memory)
}

// mask returns the mask of a box in the picture, with that weight of each prototype.
func (m *maskMaker) mask(box Rect, weight func(int) float32) *image.Alpha {
	ceil := func(v float32) int { return int(math.Ceil(float64(v))) }
	bounds := image.Rect(ceil(box.Min.X), ceil(box.Min.Y), ceil(box.Max.X), ceil(box.Max.Y))
	mask := image.NewAlpha(bounds)
	if bounds.Empty() {
		return mask
	}
	left, _, _ := m.x.at(bounds.Min.X)
	top, _, _ := m.y.at(bounds.Min.Y)
	_, right, _ := m.x.at(bounds.Max.X - 1)
	_, bottom, _ := m.y.at(bounds.Max.Y - 1)
	width, height := right-left+1, bottom-top+1
	need := width*height + width + 2*bounds.Dx()
	*m.memory = slices.Grow((*m.memory)[:0], need)[:need]
	small, row := (*m.memory)[:width*height], (*m.memory)[width*height:][:width]
	parts := (*m.memory)[width*height+width:] // for each column of the mask: a column of row, and the part of the next
	for x := range bounds.Dx() {
		i, _, part := m.x.at(bounds.Min.X + x)
		parts[2*x], parts[2*x+1] = float32(i-left), part
	}
	m.sum(small, left, top, width, weight)
	for y := range bounds.Dy() {
		i, j, part := m.y.at(bounds.Min.Y + y)
		a, b := small[(i-top)*width:][:width], small[(j-top)*width:][:width]
		for x := range row {
			row[x] = a[x] + (b[x]-a[x])*part
		}
		line := mask.Pix[y*mask.Stride:][:bounds.Dx()]
		for x := range line {
			i := int(parts[2*x])
			v := row[i]
			if part := parts[2*x+1]; part > 0 {
				v += (row[i+1] - v) * part
			}
			if v > 0 {
				line[x] = 255
			}
		}
	}
	return mask
}

// sum sets small to the weighted sum of the prototypes from left and top on.
func (m *maskMaker) sum(small []float32, left, top, width int, weight func(int) float32) {
	clear(small)
	for c := range m.masks {
		w := weight(c)
		for y := range len(small) / width {
			from := c*m.plane + (top+y)*m.row + left*m.column
			line := small[y*width:][:width]
			if m.column == 1 {
				for x, v := range m.data[from:][:width] {
					line[x] += w * v
				}
				continue
			}
			for x := range line {
				line[x] += w * m.data[from+x*m.column]
			}
		}
	}
}
