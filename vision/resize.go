// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"encoding/binary"
	"math"
)

// The weights of two pixels are integers with a sum of 1<<weightBits, as in OpenCV, so
// that four of them and a color fit in 32 bits.
const (
	weightBits = 11
	one        = 1 << weightBits
	half       = 1 << (2*weightBits - 1)
)

// tap is the two pixels in a row or column between which a point lies, their chroma in
// planes of it, and the weight of the second.
type tap struct{ a, b, chromaA, chromaB, weight uint32 }

// taps appends the taps for pixels from, from+1, ... of a row that changes from n pixels to
// size.
func taps(t []tap, count, from, size, n int, nearest bool) []tap {
	t = resized(t, count)
	scale := 1 / (float64(size) / float64(n))
	for i := range t {
		x, weight := 0, uint32(0)
		if nearest {
			x = int(float64(from+i) * scale)
		} else {
			at := (float64(from+i)+0.5)*scale - 0.5
			x = int(math.Floor(at))
			weight = uint32(math.RoundToEven((at - float64(x)) * one))
		}
		if x < 0 {
			x, weight = 0, 0
		} else if x >= n-1 {
			x, weight = n-1, 0
		}
		t[i] = tap{a: uint32(x), b: uint32(min(x+1, n-1)), weight: weight}
	}
	return t
}

// linearly prepares for rows that lie between two rows of the picture.
func (f *filler) linearly(g placing, nearest bool) {
	f.mode = linear
	f.columns = taps(f.columns, g.at.Dx(), g.from.X, g.size.X, f.size.X, nearest)
	f.rows = taps(f.rows, g.at.Dy(), g.from.Y, g.size.Y, f.size.Y, nearest)
	if f.y == nil || f.ycc.Cb == nil {
		return
	}
	low := f.ycc.Rect.Min
	for i := range f.columns {
		t := &f.columns[i]
		t.chromaA = uint32(f.ycc.COffset(low.X+int(t.a), low.Y) - f.chroma)
		t.chromaB = uint32(f.ycc.COffset(low.X+int(t.b), low.Y) - f.chroma)
	}
	for i := range f.rows {
		t := &f.rows[i]
		t.chromaA = uint32(f.ycc.COffset(low.X, low.Y+int(t.a)))
		t.chromaB = uint32(f.ycc.COffset(low.X, low.Y+int(t.b)))
	}
}

func (f *filler) linearRow(to []uint32, t tap) {
	switch a, b := int(t.a), int(t.b); {
	case f.y != nil:
		blendPlanes(to, f.columns, t.weight, f.y[a*f.stride:], f.y[b*f.stride:],
			f.cb[t.chromaA:], f.cb[t.chromaB:], f.cr[t.chromaA:], f.cr[t.chromaB:])
	case f.pix != nil:
		blend(to, f.columns, t.weight, f.pix[a*f.stride:], f.pix[b*f.stride:], f.straight)
	default:
		blend(to, f.columns, t.weight, f.line(a), f.line(b), false)
	}
}

// blend computes the colors between pixels of two rows of RGBA. Red and blue are in
// the two halves of one number, which saves a third of the multiplications.
func blend(to []uint32, columns []tap, weight uint32, above, below []byte, straight bool) {
	columns = columns[:len(to)]
	for x := range to {
		t := &columns[x]
		p, q := binary.LittleEndian.Uint32(above[4*t.a:]), binary.LittleEndian.Uint32(above[4*t.b:])
		r, s := binary.LittleEndian.Uint32(below[4*t.a:]), binary.LittleEndian.Uint32(below[4*t.b:])
		if straight && p&q&r&s < 0xff000000 {
			p, q, r, s = multiplied(p), multiplied(q), multiplied(r), multiplied(s)
		}
		ws := uint64(t.weight * weight)
		wr, wq := uint64(one*weight)-ws, uint64(one*t.weight)-ws
		wp := one*one - ws - wr - wq
		rb := wp*redBlue(p) + wq*redBlue(q) + wr*redBlue(r) + ws*redBlue(s) + half<<32 + half
		g := wp*uint64(p>>8&0xff) + wq*uint64(q>>8&0xff) + wr*uint64(r>>8&0xff) + ws*uint64(s>>8&0xff) + half
		to[x] = pack(rb, g)
	}
}

// pack returns the color of sums with 22 bits of fraction.
func pack(rb, g uint64) uint32 {
	return uint32(rb>>22)&0xff | uint32(g>>14)&0xff00 | uint32(rb>>38)&0xff0000
}

// redBlue returns red in the lower half and blue in the upper half.
func redBlue(p uint32) uint64 { return uint64(p&0xff) | uint64(p&0xff0000)<<16 }

// multiplied returns a color of NRGBA as RGBA, as package image does.
func multiplied(p uint32) uint32 {
	a := p >> 24 * 0x101
	r, g, b := p&0xff*a/0xff>>8, p>>8&0xff*a/0xff>>8, p>>16&0xff*a/0xff>>8
	return r | g<<8 | b<<16
}

func clamp(v int32) int32 { return min(max(v, 0), 255) }

// kernel has the pixels whose weighted sum is each pixel of a smooth row or column.
type kernel struct {
	first, count []int32
	weights      []int32 // most for each pixel, with smoothBits of fraction
	most         int
}

// smoothBits is what Pillow has, to round as it does.
const smoothBits = 22

// set computes the weights for count pixels, from from on, of a row that changes from
// n pixels to size.
func (k *kernel) set(count, from, size, n int, filter Filter) {
	scale := float64(n) / float64(size)
	stretch := max(scale, 1)
	support, curve := stretch, triangle
	if filter == SmoothCubic {
		support, curve = 2*stretch, cubic
	}
	k.most = min(int(math.Ceil(support))*2+1, n)
	k.first, k.count = resized(k.first, count), resized(k.count, count)
	k.weights = resized(k.weights, count*k.most)
	for i := range count {
		center := (float64(from+i) + 0.5) * scale
		low := min(max(int(center-support+0.5), 0), n-1)
		high := max(min(int(center+support+0.5), n, low+k.most), low+1)
		sum := 0.0
		at := func(x int) float64 { return curve((float64(x) - center + 0.5) / stretch) }
		for x := low; x < high; x++ {
			sum += at(x)
		}
		k.first[i], k.count[i] = int32(low), int32(high-low)
		for x := low; x < high; x++ {
			k.weights[i*k.most+x-low] = int32(math.Round(at(x) / sum * (1 << smoothBits)))
		}
	}
}

func triangle(x float64) float64 { return max(1-math.Abs(x), 0) }

// cubic is the cubic convolution with a of -0.5.
func cubic(x float64) float64 {
	switch x = math.Abs(x); {
	case x < 1:
		return (1.5*x-2.5)*x*x + 1
	case x < 2:
		return ((-0.5*x+2.5)*x-4)*x + 2
	}
	return 0
}

// smoothly prepares for rows that are weighted sums.
func (f *filler) smoothly(g placing, filter Filter) {
	f.mode, f.filled = smooth, 0
	f.across.set(g.at.Dx(), g.from.X, g.size.X, f.size.X, filter)
	f.down.set(g.at.Dy(), g.from.Y, g.size.Y, f.size.Y, filter)
	f.ring = resized(f.ring, f.down.most)
	for i := range f.ring {
		f.ring[i] = resized(f.ring[i], g.at.Dx())
	}
}

func (f *filler) smoothRow(to []uint32, y int) {
	first, count := int(f.down.first[y]), int(f.down.count[y])
	for f.filled = max(f.filled, first); f.filled < first+count; f.filled++ {
		f.across.apply(f.ring[f.filled%len(f.ring)], f.line(f.filled))
	}
	f.window = resized(f.window, count)
	for i := range f.window {
		f.window[i] = f.ring[(first+i)%len(f.ring)][:len(to)]
	}
	weights := f.down.weights[y*f.down.most:][:count]
	for x := range to {
		s := sum{}
		for i, row := range f.window {
			s.add(row[x], weights[i])
		}
		to[x] = s.color()
	}
}

// apply computes the row to from a row of RGBA.
func (k *kernel) apply(to []uint32, row []byte) {
	for x := range to {
		s := sum{}
		pixels := row[4*k.first[x]:]
		for _, w := range k.weights[x*k.most:][:k.count[x]] {
			s.add(binary.LittleEndian.Uint32(pixels), w)
			pixels = pixels[4:]
		}
		to[x] = s.color()
	}
}

// sum is a weighted sum of colors. Red is the lower half of redBlue.
type sum struct{ redBlue, green int64 }

func (s *sum) add(p uint32, weight int32) {
	s.redBlue += int64(redBlue(p)) * int64(weight)
	s.green += int64(p>>8&0xff) * int64(weight)
}

func (s *sum) color() uint32 {
	const half = 1 << (smoothBits - 1)
	r := int32(s.redBlue) // and what is left is a multiple of 1<<32
	b := int32((s.redBlue - int64(r)) >> 32)
	g := int32(s.green)
	return uint32(clamp((r+half)>>smoothBits) | clamp((g+half)>>smoothBits)<<8 | clamp((b+half)>>smoothBits)<<16)
}
