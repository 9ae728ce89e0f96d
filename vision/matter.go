// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"image"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// Matter separates a foreground, such as a person, from its background. NewMatter fills
// the fields with what the model says of itself; they may be changed before the first
// Matte, or be filled without it. Many goroutines may call Matte.
type Matter struct {
	Model  Model
	Input  Input
	Output int // the output that has the alpha of each place
	// ShorterSide is for models that take any size, as MODNet's own program has it. The input
	// has the proportions of the picture: if both sides are shorter than this, or both are
	// longer, the shorter one becomes this; otherwise they stay. They are then rounded down
	// to multiples of 32, and are at most 8 times ShorterSide. 0: the input has Input.Size.
	ShorterSide int
	// MinMax makes the least alpha of a picture 0 and the greatest 1, as models of the
	// kind of U2-Net need it.
	MinMax bool

	runner runner
}

// NewMatter returns a Matter for MediaPipe's selfie segmentation, MODNet and U2-Net, and
// what has their shapes. Otherwise the error wraps common.ErrModel and says what the
// model has.
func NewMatter(m Model) (*Matter, error) { return newTask[*Matter](m, false) }

func (t *Matter) parts() (*Model, *Input) { return &t.Model, &t.Input }

// Matte returns a picture of the same size that tells how much of each pixel belongs to
// the foreground. As the mask of draw.DrawMask it cuts the foreground out.
func (t *Matter) Matte(ctx context.Context, img image.Image) (*image.Alpha, error) {
	in := t.Input
	if t.ShorterSide > 0 {
		in.Size = t.inputSize(boundsOf(img).Size())
	}
	return picture(ctx, &t.runner, t.Model, &in, img, nil, t.Output, func(f *frame, a array) (*image.Alpha, error) {
		p, err := f.planeOf(a, t.Output, 1)
		if err == nil && p.classes != 1 {
			err = fail(common.ErrShape, "output %d has the shape %v, not one alpha at each place",
				t.Output, f.outputs[t.Output].Shape())
		}
		if err != nil {
			return nil, err
		}
		p.spread(f, img.Bounds().Size(), false)
		dst := image.NewAlpha(img.Bounds())
		p.matte(dst, t.MinMax)
		return dst, nil
	})
}

// inputSize returns the size of the input for a picture of that size.
func (t *Matter) inputSize(size image.Point) image.Point {
	from, to := max(min(size.X, size.Y), 1), t.ShorterSide
	if from <= to && max(size.X, size.Y) >= to {
		to = from
	}
	side := func(n int) int { return max(min(n*to/from, 8*t.ShorterSide)/32*32, 32) }
	return image.Pt(side(size.X), side(size.Y))
}

// matte sets dst's pixels.
func (p *plane) matte(dst *image.Alpha, minMax bool) {
	low, high := float32(0), float32(1)
	if minMax {
		low, high = slices.Min(p.data), slices.Max(p.data)
	}
	scale := 255 / (high - low)
	p.line = resized(p.line, p.w)
	for y, v := range p.y {
		top, bottom := p.data[int(v.at)*p.row:][:p.w], p.data[int(v.next)*p.row:][:p.w]
		for i, a := range top {
			p.line[i] = (a + (bottom[i]-a)*v.part - low) * scale
		}
		row := dst.Pix[y*dst.Stride:][:len(p.x)]
		for x, h := range p.x {
			a := p.line[h.at]
			if alpha := a + (p.line[h.next]-a)*h.part; alpha > 0 { // and is a number
				row[x] = uint8(min(alpha, 255) + 0.5)
			}
		}
	}
}

// recognizeMatter is certain if it knows that the numbers are alphas, and not, say, distances.
func recognizeMatter(m *modelInfo) (_ Task, certain bool) {
	if !m.color || len(m.Outputs) == 0 || m.metadata["task"] != "" || len(m.Outputs[0].Shape) != 4 {
		return nil, false
	}
	g, ok := gridOf(m.Outputs[0].Shape, m.size, m.layout, 1)
	if !ok || g.classes != 1 || image.Pt(max(g.w, 0), max(g.h, 0)) != m.size { // a place for each pixel
		return nil, false
	}
	t := new(Matter)
	switch n := len(m.Outputs); {
	case n == 7: // U2-Net, whose first output is the result
		t.Input, t.MinMax = Input{Size: sizeOr(m.size, 320), Filter: Smooth, Mean: imageNetMean, Std: imageNetStd}, true
	case n == 1 && m.layout == NHWC && m.image.DType == common.Float32: // selfie segmentation
		t.Input = Input{Filter: LinearWarp, Std: same(255)}
	case n == 1 && m.layout == NHWC:
		t.Input = rawInput(m.image)
	case n == 1 && m.size.X <= 512: // MODNet
		t.Input = Input{Size: m.size, Filter: Area, Mean: same(127.5), Std: same(127.5)}
		if m.size == (image.Point{}) {
			t.ShorterSide = 512
		}
	default:
		return nil, false
	}
	known := slices.Contains([]string{"activation_10", "segment_back"}, m.Outputs[0].Name)
	return t, t.MinMax || known || slices.Contains(m.Outputs[0].Labels, "selfie")
}
