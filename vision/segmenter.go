// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"image"
	"image/color"
	"math"
	"slices"
	"sync"

	"github.com/anyinfer/anyinfer/common"
)

// Segmenter says for each pixel of a picture what it belongs to. NewSegmenter fills the
// fields with what the model says of itself; they may be changed before the first
// Segment, or be filled without it. Many goroutines may call Segment.
type Segmenter struct {
	Model   *common.Model
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
func NewSegmenter(m *common.Model) (*Segmenter, error) {
	s, _, ok := recognizeSegmenter(m.Signatures()[0], m.Info().Metadata)
	if !ok {
		return nil, unrecognized(m, "Segmenter")
	}
	s.Model = m
	return s, nil
}

// Segment returns a picture of the same size whose pixels are indexes of classes.
func (s *Segmenter) Segment(ctx context.Context, img image.Image) (*image.Paletted, error) {
	f, err := s.runner.picture(ctx, s.Model, &s.Input, img)
	if err != nil {
		return nil, err
	}
	defer s.runner.give(f)
	p, err := f.plane(s.Output, img.Bounds().Size())
	if err != nil {
		return nil, err
	}
	defer p.free()
	palette := s.Palette
	if palette == nil {
		palette = vocPalette
	}
	dst := image.NewPaletted(img.Bounds(), palette)
	if err := p.segment(dst, s.Nearest); err != nil {
		return nil, err
	}
	return dst, nil
}

// plane is an output that has numbers of classes at places, and the map from pixels of
// the picture to these places.
type plane struct {
	array
	w, h, classes      int
	column, row, class int // the steps in data
	*planeMemory
}

// planeMemory is used again for later pictures.
type planeMemory struct {
	x, y []span
	best []uint8   // the best class at each place
	line []float32 // one row of places
}

// span is between which places a pixel is, and how much of the second counts.
type span struct {
	at, next int32
	part     float32
}

var planeMemories = sync.Pool{New: func() any { return new(planeMemory) }}

func (p *plane) free() {
	p.array.free()
	planeMemories.Put(p.planeMemory)
}

// spans returns the spans of a row or column of pixels, whose edges map to shift and
// to shift + scale*pixels of the places.
func spans(all []span, pixels, places int, shift, scale float64) []span {
	all = slices.Grow(all[:0], pixels)
	for i := range pixels {
		at, part := between(shift+(float64(i)+0.5)*scale, 0, places)
		all = append(all, span{int32(at), int32(min(at+1, places-1)), float32(part)})
	}
	return all
}

// plane returns output i for the only picture of f, which has that size.
func (f *frame) plane(i int, size image.Point) (plane, error) {
	a, err := f.of(0).all(i)
	if err != nil {
		return plane{}, err
	}
	shape := f.outputs[i].Shape()
	if len(shape) == 3 { // without classes
		shape = append(shape, 1)
	}
	if len(shape) != 4 || len(a.data) == 0 || size.X < 1 || size.Y < 1 {
		a.free()
		return plane{}, fail(common.ErrShape, "output %d has the shape %v, not numbers of classes at places", i, f.outputs[i].Shape())
	}
	p := plane{array: a, planeMemory: planeMemories.Get().(*planeMemory)}
	if classesFirst(shape) {
		p.classes, p.h, p.w = shape[1], shape[2], shape[3]
		p.column, p.row, p.class = 1, p.w, p.w*p.h
	} else {
		p.h, p.w, p.classes = shape[1], shape[2], shape[3]
		p.column, p.row, p.class = p.classes, p.w*p.classes, 1
	}
	to := f.backs[0].Inverse() // from the picture to the input; it does not turn
	toX, toY := float64(p.w)/float64(f.size.X), float64(p.h)/float64(f.size.Y)
	p.x = spans(p.x, size.X, p.w, float64(to[2])*toX, float64(to[0])*toX)
	p.y = spans(p.y, size.Y, p.h, float64(to[5])*toY, float64(to[4])*toY)
	return p, nil
}

// classesFirst reports whether an output of four dimensions has the classes before the
// places: the two dimensions of places are equal, or else there are fewer classes.
func classesFirst(s common.Shape) bool {
	first, last := s[2] == s[3] && s[1] != s[2], s[1] == s[2] && s[3] != s[2]
	return first || !last && s[1] < s[3]
}

// segment sets the classes of dst's pixels.
func (p *plane) segment(dst *image.Paletted, nearest bool) error {
	if p.classes > 256 || p.classes > len(dst.Palette) && p.classes > 1 {
		return fail(common.ErrOption, "the output has %d classes, but the palette %d colors, of 256 that are possible", p.classes, len(dst.Palette))
	}
	p.planeMemory.best = slices.Grow(p.planeMemory.best[:0], p.w*p.h)[:p.w*p.h]
	best := p.planeMemory.best
	for i := range best {
		at := i/p.w*p.row + i%p.w*p.column
		if p.classes > 1 {
			best[i] = p.between(at, at, at, at, 0, 0)
		} else if v := p.data[at]; v >= 0 && v < float32(len(dst.Palette)) { // the model has taken the best class
			best[i] = uint8(v)
		} else {
			return fail(common.ErrRun, "the output has class %v, but the palette %d colors", v, len(dst.Palette))
		}
	}
	for y, v := range p.y {
		top, bottom := best[int(v.at)*p.w:][:p.w], best[int(v.next)*p.w:][:p.w]
		row := dst.Pix[y*dst.Stride:][:len(p.x)]
		for x, h := range p.x {
			left, right := h.at, h.next
			class := top[left]
			switch {
			case class == top[right] && class == bottom[left] && class == bottom[right]: // it is the best between them too
			case nearest || p.classes == 1:
				from, column := top, left
				if v.part >= 0.5 {
					from = bottom
				}
				if h.part >= 0.5 {
					column = right
				}
				class = from[column]
			default:
				a, b := int(v.at)*p.row, int(v.next)*p.row
				i, j := int(left)*p.column, int(right)*p.column
				class = p.between(a+i, a+j, b+i, b+j, h.part, v.part)
			}
			row[x] = class
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

// recognizeSegmenter also tells whether it is sure that the numbers are of classes, and
// not, say, of colors or of where the parts of a body are.
func recognizeSegmenter(sig common.Signature, metadata map[string]string) (s *Segmenter, sure, ok bool) {
	input, size, layout, ok := colorInput(sig)
	if !ok || len(sig.Outputs) != 1 || metadata["task"] != "" {
		return nil, false, false
	}
	info, classes := sig.Outputs[0], 1
	places := info.Shape
	switch {
	case len(places) == 3:
		places = places[1:]
	case len(places) == 4 && classesFirst(places):
		classes, places = places[1], places[2:]
	case len(places) == 4:
		classes, places = places[3], places[1:3]
	default:
		return nil, false, false
	}
	integers := info.Quant == nil && (info.DType == common.Int64 || info.DType == common.Int32 || info.DType == common.Uint8)
	fits := func(d, n int) bool { return d < 0 || d >= 8 && n/d <= 32 }
	if classes < 1 || classes > 256 || classes == 1 && !integers || !fits(places[0], size.Y) || !fits(places[1], size.X) {
		return nil, false, false
	}
	s = &Segmenter{Labels: info.Labels, Input: rawInput(input)}
	if layout == NCHW && input.Quant == nil {
		s.Input = Input{Mean: imageNetMean, Std: imageNetStd}
	}
	s.Input.Size = sizeOr(size, 512)
	if voc := VOC(); s.Labels == nil && classes == len(voc) {
		s.Labels = voc
	}
	const cityscapes, ade20k = 19, 150
	return s, s.Labels != nil || classes == cityscapes || classes == ade20k, true
}
