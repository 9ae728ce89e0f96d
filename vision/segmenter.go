// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"image"
	"image/color"
	"math"
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

	runner  runner
	classes sync.Pool // of *[]uint8
}

// NewSegmenter returns a Segmenter for a model whose output has a number for each class
// at each place. Otherwise the error wraps common.ErrModel and says what the model has.
func NewSegmenter(m *common.Model) (*Segmenter, error) {
	s, ok := recognizeSegmenter(m.Signatures()[0], m.Info().Metadata)
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
	memory, _ := s.classes.Get().(*[]uint8)
	if memory == nil {
		memory = new([]uint8)
	}
	defer s.classes.Put(memory)
	palette := s.Palette
	if palette == nil {
		palette = vocPalette
	}
	dst := image.NewPaletted(img.Bounds(), palette)
	return dst, p.segment(dst, memory, s.Nearest)
}

// plane is an output that has numbers of classes at places, and the map from pixels of
// the picture to these places.
type plane struct {
	array
	w, h, classes      int
	column, row, class int // the steps in data
	x, y               axis
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
	p := plane{array: a}
	if classesFirst(shape) {
		p.classes, p.h, p.w = shape[1], shape[2], shape[3]
		p.column, p.row, p.class = 1, p.w, p.w*p.h
	} else {
		p.h, p.w, p.classes = shape[1], shape[2], shape[3]
		p.column, p.row, p.class = p.classes, p.w*p.classes, 1
	}
	to := f.backs[0].Inverse() // from the picture to the input; it does not turn
	toX, toY := float64(p.w)/float64(f.size.X), float64(p.h)/float64(f.size.Y)
	p.x = axis{float64(to[2]) * toX, float64(to[0]) * toX, 0, p.w}
	p.y = axis{float64(to[5]) * toY, float64(to[4]) * toY, 0, p.h}
	return p, nil
}

// classesFirst reports whether an output of four dimensions has the classes before the
// places: the two dimensions of places are equal, or else there are fewer classes.
func classesFirst(s common.Shape) bool {
	first, last := s[2] == s[3] && s[1] != s[2], s[1] == s[2] && s[3] != s[2]
	return first || !last && s[1] < s[3]
}

// segment sets the classes of dst's pixels.
func (p *plane) segment(dst *image.Paletted, memory *[]uint8, nearest bool) error {
	if p.classes > 256 || p.classes > len(dst.Palette) && p.classes > 1 {
		return fail(common.ErrOption, "the output has %d classes, but the palette %d colors, of 256 that are possible", p.classes, len(dst.Palette))
	}
	if cap(*memory) < p.w*p.h {
		*memory = make([]uint8, p.w*p.h)
	}
	best := (*memory)[:p.w*p.h] // the best class at each place
	for y := range p.h {
		for x := range p.w {
			at := y*p.row + x*p.column
			if p.classes > 1 {
				best[y*p.w+x] = p.best(at, at, at, at, 0, 0)
			} else if v := p.data[at]; v >= 0 && v < float32(len(dst.Palette)) { // the model has taken the best class
				best[y*p.w+x] = uint8(v)
			} else {
				return fail(common.ErrRun, "the output has class %v, but the palette %d colors", v, len(dst.Palette))
			}
		}
	}
	nearest = nearest || p.classes == 1
	size := dst.Rect.Size()
	for y := range size.Y {
		y0, y1, wy := p.y.at(y)
		row := dst.Pix[y*dst.Stride:][:size.X]
		for x := range row {
			x0, x1, wx := p.x.at(x)
			a, b, c, d := best[y0*p.w+x0], best[y0*p.w+x1], best[y1*p.w+x0], best[y1*p.w+x1]
			switch {
			case a == b && a == c && a == d: // then it is the best between them too
				row[x] = a
			case nearest && wy < 0.5 && wx < 0.5:
				row[x] = a
			case nearest && wy < 0.5:
				row[x] = b
			case nearest && wx < 0.5:
				row[x] = c
			case nearest:
				row[x] = d
			default:
				top, bottom := y0*p.row, y1*p.row
				row[x] = p.best(top+x0*p.column, top+x1*p.column, bottom+x0*p.column, bottom+x1*p.column, wx, wy)
			}
		}
	}
	return nil
}

// best returns the first best class between the places at a, b, c and d.
func (p *plane) best(a, b, c, d int, wx, wy float32) (class uint8) {
	most := float32(math.Inf(-1))
	for k := range p.classes {
		if v := mix(p.data[a], p.data[b], p.data[c], p.data[d], wx, wy); v > most {
			most, class = v, uint8(k)
		}
		a, b, c, d = a+p.class, b+p.class, c+p.class, d+p.class
	}
	return class
}

// mix returns the number between a and b above c and d.
func mix(a, b, c, d, wx, wy float32) float32 {
	top, bottom := a+(b-a)*wx, c+(d-c)*wx
	return top + (bottom-top)*wy
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

func recognizeSegmenter(sig common.Signature, metadata map[string]string) (*Segmenter, bool) {
	input, size, layout, ok := colorInput(sig)
	if !ok || len(sig.Outputs) != 1 || metadata["task"] != "" {
		return nil, false
	}
	info := sig.Outputs[0]
	s := &Segmenter{Labels: info.Labels, Input: rawInput(input)}
	if layout == NCHW && input.Quant == nil {
		s.Input = Input{Mean: imageNetMean, Std: imageNetStd}
	}
	s.Input.Size = sizeOr(size, 512)
	integers := info.Quant == nil && (info.DType == common.Int64 || info.DType == common.Int32 || info.DType == common.Uint8)
	switch shape := info.Shape; {
	case len(shape) == 4 && classesFirst(shape) && shape[1] > 1 && shape[1] <= 256 && places(shape[2:], size):
	case len(shape) == 4 && !classesFirst(shape) && shape[3] > 1 && shape[3] <= 256 && places(shape[1:3], size):
	case integers && len(shape) == 3 && places(shape[1:], size):
	case integers && len(shape) == 4 && shape[1] == 1 && places(shape[2:], size):
	case integers && len(shape) == 4 && shape[3] == 1 && places(shape[1:3], size):
	default:
		return nil, false
	}
	if voc := VOC(); s.Labels == nil && len(info.Shape) == 4 && (info.Shape[1] == len(voc) || info.Shape[3] == len(voc)) {
		s.Labels = voc
	}
	return s, true
}

// places reports whether an output with these rows and columns covers pictures of that
// size, in one step for some pixels.
func places(s common.Shape, size image.Point) bool {
	fits := func(d, n int) bool { return d < 0 || n == 0 || d == n || d >= 8 && n/d <= 32 }
	return fits(s[0], size.Y) && fits(s[1], size.X) && (s[0] < 0 || s[0] > 7) && (s[1] < 0 || s[1] > 7)
}
