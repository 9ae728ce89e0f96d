// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"image"
	"image/color"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// Segmenter says for each pixel of a picture what it belongs to. NewSegmenter fills the
// fields with what the model says of itself; they may be changed before the first
// Segment, or be filled without it. Many goroutines may call Segment.
type Segmenter struct {
	Model   Model
	Input   Input
	Output  int           // the output that has a number for each class and place, or the class of each place
	Labels  []string      // by class
	Palette color.Palette // by class; nil: VOCPalette
	// Nearest takes the best class at each place of the output, and enlarges that. It is
	// faster, but edges are steps. Otherwise the numbers are enlarged, and then the best
	// class of each pixel is taken.
	Nearest bool

	runner runner
}

// NewSegmenter returns a Segmenter for a model whose output has a number for each class
// at each place. Otherwise the error wraps common.ErrModel and says what the model has.
func NewSegmenter(m Model) (*Segmenter, error) { return newTask[*Segmenter](m, false) }

func (s *Segmenter) parts() (*Model, *Input) { return &s.Model, &s.Input }

// Segment returns a picture with the same bounds, whose pixels are indexes of classes.
func (s *Segmenter) Segment(ctx context.Context, img image.Image) (*image.Paletted, error) {
	read := func(f *frame, a array) (*image.Paletted, error) {
		p, err := f.planeOf(a, s.Output, len(s.Labels))
		if err != nil {
			return nil, err
		}
		p.spread(f, img.Bounds().Size(), s.Nearest || p.classes == 1)
		dst := image.NewPaletted(img.Bounds(), s.Palette)
		if s.Palette == nil {
			dst.Palette = vocPalette
		}
		return dst, p.segment(dst)
	}
	return picture(ctx, &s.runner, s.Model, &s.Input, img, nil, s.Output, read)
}

// plane is an output that has numbers of classes at places, and the map from pixels of
// the picture to these places. A frame keeps it for its memory.
type plane struct {
	grid
	data []float32
	x, y []span
	best []uint8   // the best class at each place
	line []float32 // one row of places
}

// span is between which places a pixel is, and how much of the second counts.
type span struct {
	at, next int32
	part     float32
}

// grid is the order of an output of classes at places.
type grid struct {
	w, h, classes      int
	column, row, class int // the steps from one to the next
}

// fits reports whether a grid has the proportions of an input of that size, as far as they
// are known, with less than a place too much.
func (g grid) fits(input image.Point) bool {
	off := g.h*input.X - g.w*input.Y
	return g.classes > 0 && (min(g.w, g.h, input.X, input.Y) < 1 || max(off, -off) <= max(input.X, input.Y))
}

// gridOf returns the order of an output with a number for each class and place, or with the
// class of each place. The classes are where the input has its colors, unless then only the
// other order has the proportions of the input, or both have, but only the other has as many
// classes as are known, which are 0 if they are not.
func gridOf(s common.Shape, input image.Point, layout Layout, classes int) (g grid, ok bool) {
	switch len(s) {
	case 3:
		g = grid{w: s[2], h: s[1], classes: 1, column: 1, row: s[2]}
	case 4:
		g = grid{w: s[3], h: s[2], classes: s[1], column: 1, row: s[3], class: s[2] * s[3]}
		other := grid{w: s[2], h: s[1], classes: s[3], column: s[3], row: s[2] * s[3], class: 1}
		if layout == NHWC {
			g, other = other, g
		}
		if other.fits(input) && (!g.fits(input) || g.classes != classes && other.classes == classes) {
			g = other
		}
	}
	return g, g.fits(input)
}

// planeOf returns the plane of an output with these numbers, of so many classes if that is known.
func (f *frame) planeOf(a array, output, classes int) (*plane, error) {
	p, ok := &f.plane, false
	if p.grid, ok = gridOf(f.outputs[output].Shape(), f.size, f.layout, classes); !ok || len(a.data) == 0 {
		return nil, fail(common.ErrShape, "output %d has the shape %v, not numbers of classes at places of an input of %v",
			output, f.outputs[output].Shape(), f.size)
	}
	p.data = a.data
	return p, nil
}

// spread computes the spans for a picture of that size.
func (p *plane) spread(f *frame, size image.Point, nearest bool) {
	to := f.backs[0].Inverse() // from the picture to the input; it does not turn
	w, h := float64(f.size.X), float64(f.size.Y)
	p.x = spans(p.x, size.X, p.w, float64(to[2])/w, float64(to[0])/w, nearest)
	p.y = spans(p.y, size.Y, p.h, float64(to[5])/h, float64(to[4])/h, nearest)
}

// spans returns the spans of a row or column of pixels, whose edges map to shift and
// to shift + scale*pixels of the length of all places.
func spans(all []span, pixels, places int, shift, scale float64, nearest bool) []span {
	all = resized(all, pixels)
	for i := range all {
		at, part := between((shift+(float64(i)+0.5)*scale)*float64(places), 0, places)
		next := min(at+1, places-1)
		if nearest {
			if part >= 0.5 {
				at = next
			}
			next, part = at, 0
		}
		all[i] = span{int32(at), int32(next), float32(part)}
	}
	return all
}

// segment sets the classes of dst's pixels.
func (p *plane) segment(dst *image.Paletted) error {
	if p.classes > min(len(dst.Palette), 256) && p.classes > 1 {
		return fail(common.ErrOption, "the output has %d classes, but the palette %d colors, of 256 that are possible",
			p.classes, len(dst.Palette))
	}
	p.best = resized(p.best, p.w*p.h)
	for i := range p.best {
		at := i/p.w*p.row + i%p.w*p.column
		if v := p.data[at]; p.classes > 1 {
			p.best[i] = p.between(at, at, at, at, 0, 0)
		} else if v >= 0 && v < float32(min(len(dst.Palette), 256)) {
			p.best[i] = uint8(v)
		} else {
			return fail(common.ErrRun, "the output has class %v, but the palette %d colors", v, len(dst.Palette))
		}
	}
	for y, v := range p.y {
		top, bottom := p.best[int(v.at)*p.w:][:p.w], p.best[int(v.next)*p.w:][:p.w]
		row := dst.Pix[y*dst.Stride:][:len(p.x)]
		for x, h := range p.x {
			row[x] = top[h.at]
			// If a class is the best at all places around, it is so between them too.
			if c := row[x]; c != top[h.next] || c != bottom[h.at] || c != bottom[h.next] {
				a, b := int(v.at)*p.row, int(v.next)*p.row
				i, j := int(h.at)*p.column, int(h.next)*p.column
				row[x] = p.between(a+i, a+j, b+i, b+j, h.part, v.part)
			}
		}
	}
	return nil
}

// between returns the first best class between the places at a and b, and c and d below.
func (p *plane) between(a, b, c, d int, x, y float32) (class uint8) {
	most := float32(math.Inf(-1))
	for k := range p.classes {
		top, bottom := p.data[a]+(p.data[b]-p.data[a])*x, p.data[c]+(p.data[d]-p.data[c])*x
		if v := top + (bottom-top)*y; v > most {
			most, class = v, uint8(k)
		}
		a, b, c, d = a+p.class, b+p.class, c+p.class, d+p.class
	}
	return class
}

// VOCPalette returns the 256 colors of Pascal VOC, which tools show classes in.
func VOCPalette() color.Palette {
	all := make(color.Palette, 256)
	for i := range all {
		var c [3]uint8
		for bit, rest := 7, i; rest > 0; bit, rest = bit-1, rest>>3 {
			for j := range c {
				c[j] |= uint8(rest>>j&1) << bit
			}
		}
		all[i] = color.RGBA{c[0], c[1], c[2], 255}
	}
	return all
}

var vocPalette = VOCPalette()

// recognizeSegmenter is certain if it knows that the numbers are of classes, and not, say, of
// colors or of where the parts of a body are.
func recognizeSegmenter(m *modelInfo) (_ Task, certain bool) {
	if !m.color || len(m.Outputs) != 1 || m.metadata["task"] != "" {
		return nil, false
	}
	info := m.Outputs[0]
	g, ok := gridOf(info.Shape, m.size, m.layout, len(info.Labels))
	integers := info.Quant == nil && slices.Contains([]common.DType{common.Int64, common.Int32, common.Uint8}, info.DType)
	fine := func(d, n int) bool { return d < 0 || d >= 8 && n/d <= 32 }
	if !ok || g.classes > 256 || g.classes == 1 && !integers || !fine(g.h, m.size.Y) || !fine(g.w, m.size.X) {
		return nil, false
	}
	s := &Segmenter{Labels: info.Labels, Input: rawInput(m.image)}
	if m.layout == NCHW && m.image.Quant == nil {
		s.Input = Input{Mean: imageNetMean, Std: imageNetStd}
	}
	s.Input.Size = sizeOr(m.size, 512)
	if voc := VOC(); s.Labels == nil && g.classes == len(voc) {
		s.Labels = voc
	}
	const cityscapes, ade20k = 19, 150
	// Maps of key points have as many channels, but are smaller than the input.
	whole := g.h == m.size.Y && g.w == m.size.X
	return s, info.Labels != nil || whole && (s.Labels != nil || g.classes == cityscapes || g.classes == ade20k)
}
