// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"image"

	"github.com/anyinfer/anyinfer/common"
)

// Matter separates a foreground, such as a person, from its background. NewMatter fills
// the fields with what the model says of itself; they may be changed before the first
// Matte, or be filled without it. Many goroutines may call Matte.
type Matter struct {
	Model  *common.Model
	Input  Input
	Output int // the output that has the alpha of each place
	// Short is the length of the shorter side of the input, if the model takes any size
	// and keeps the shape of the picture; sides are rounded down to multiples of 32.
	// 0: Input.Size.
	Short int
	// MinMax makes the least alpha of a picture 0 and the greatest 1, as models of the
	// kind of U2-Net need it.
	MinMax bool

	runner runner
}

// NewMatter returns a Matter for MediaPipe's selfie segmentation, MODNet and U2-Net, and
// what has their shapes. Otherwise the error wraps common.ErrModel and says what the
// model has.
func NewMatter(m *common.Model) (*Matter, error) {
	t, ok := recognizeMatter(m.Signatures()[0], m.Info().Metadata)
	if !ok {
		return nil, unrecognized(m, "Matter")
	}
	t.Model = m
	return t, nil
}

// Matte returns a picture of the same size that tells how much of each pixel belongs to
// the foreground. As the mask of draw.DrawMask it cuts the foreground out.
func (t *Matter) Matte(ctx context.Context, img image.Image) (*image.Alpha, error) {
	in := &t.Input
	if t.Short > 0 && img != nil {
		in = t.shaped(img.Bounds().Size())
	}
	f, err := t.runner.picture(ctx, t.Model, in, img)
	if err != nil {
		return nil, err
	}
	defer t.runner.give(f)
	p, err := f.plane(t.Output, img.Bounds().Size())
	if err != nil {
		return nil, err
	}
	defer p.free()
	if p.classes != 1 {
		return nil, fail(common.ErrShape, "output %d has the shape %v, not one alpha at each place", t.Output, f.outputs[t.Output].Shape())
	}
	dst := image.NewAlpha(img.Bounds())
	p.matte(dst, t.MinMax)
	return dst, nil
}

// shaped returns the Input for a picture of that size.
func (t *Matter) shaped(size image.Point) *Input {
	in, short := t.Input, max(min(size.X, size.Y), 1)
	side := func(n int) int { return max(min(n*t.Short/short, 4*t.Short)/32*32, 32) }
	in.Size = image.Pt(side(size.X), side(size.Y))
	return &in
}

// matte sets dst's pixels.
func (p *plane) matte(dst *image.Alpha, minMax bool) {
	low, high := float32(0), float32(1)
	if minMax {
		low, high = p.data[0], p.data[0]
		for _, v := range p.data {
			low, high = min(low, v), max(high, v)
		}
	}
	scale := 255 / (high - low)
	size := dst.Rect.Size()
	for y := range size.Y {
		y0, y1, wy := p.y.at(y)
		top, bottom, row := p.data[y0*p.row:], p.data[y1*p.row:], dst.Pix[y*dst.Stride:][:size.X]
		for x := range row {
			x0, x1, wx := p.x.at(x)
			v := (mix(top[x0], top[x1], bottom[x0], bottom[x1], wx, wy) - low) * scale
			row[x] = uint8(min(max(v, 0), 255) + 0.5)
		}
	}
}

func recognizeMatter(sig common.Signature, metadata map[string]string) (*Matter, bool) {
	input, size, layout, ok := colorInput(sig)
	if !ok || len(sig.Outputs) == 0 || metadata["task"] != "" {
		return nil, false
	}
	shape := sig.Outputs[0].Shape
	if len(shape) != 4 || !(shape[1] == 1 && covers(shape[2:], size) || shape[3] == 1 && covers(shape[1:3], size)) {
		return nil, false
	}
	t := new(Matter)
	switch n := len(sig.Outputs); {
	case n == 7: // U2-Net, whose first output is the result
		t.Input, t.MinMax = Input{Size: sizeOr(size, 320), Filter: Smooth, Mean: imageNetMean, Std: imageNetStd}, true
	case n == 1 && layout == NHWC && input.DType == common.Float32: // selfie segmentation
		t.Input = Input{Filter: MediaPipe, Std: same(255)}
	case n == 1 && layout == NHWC:
		t.Input = rawInput(input)
	case n == 1 && size.X <= 512: // MODNet
		t.Input = Input{Size: size, Filter: Smooth, Mean: same(127.5), Std: same(127.5)}
		if size == (image.Point{}) {
			t.Short = 512
		}
	default:
		return nil, false
	}
	return t, true
}

// covers reports whether an output has a place for each pixel of the input.
func covers(s common.Shape, size image.Point) bool {
	return max(s[0], 0) == size.Y && max(s[1], 0) == size.X
}
