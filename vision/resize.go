// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"math"
)

// one is the sum of the weights of two pixels, which are integers as in OpenCV.
const one = 1 << 11

// pair is the pixels a and b of a row or column between which a point lies, and the weight of b.
type pair struct {
	a, b   int32
	weight uint32
}

// pairs returns those of count pixels, from from on, of a row that changes from n
// pixels to size, in the memory of s.
func pairs(s []pair, count, from, size, n int, filter Filter) []pair {
	s = resized(s, count)
	scale := 1 / (float64(size) / float64(n))
	for i := range s {
		x, weight := int(float64(from+i)*scale), uint32(0)
		if filter != Nearest { // in the types that OpenCV has, not fused to one operation
			at := float32(float64((float64(from+i)+0.5)*scale) - 0.5)
			x = int(math.Floor(float64(at)))
			weight = uint32(math.RoundToEven(float64((at - float32(x)) * one)))
		}
		s[i].a, s[i].b, s[i].weight = int32(min(max(x, 0), n-1)), int32(min(max(x+1, 0), n-1)), weight
		if weight == 0 {
			s[i].b = s[i].a // which is read already
		}
	}
	return s
}

// resize makes f compute rows as place says.
func (f *filler) resize(g placing, filter Filter) {
	f.at, f.numbers = g.at, [2]int{-1, -1}
	if filter == Smooth || filter == SmoothCubic || filter == Area {
		f.row, f.filled = (*filler).smoothRow, 0
		f.across.set(g.at.Dx(), g.from.X, g.size.X, f.size.X, filter)
		f.down.set(g.at.Dy(), g.from.Y, g.size.Y, f.size.Y, filter)
		f.ring, f.rotated = resized(f.ring, g.at.Dx()*f.down.count), resized(f.rotated, f.down.count)
		f.columns = resized(f.columns, f.size.X)
		for x := range f.columns {
			f.columns[x] = int32(x)
		}
		return
	}
	f.row = (*filler).linearRow
	f.x = pairs(f.x, g.at.Dx(), g.from.X, g.size.X, f.size.X, filter)
	f.y = pairs(f.y, g.at.Dy(), g.from.Y, g.size.Y, f.size.Y, filter)
	f.columns = f.columns[:0]
	for _, x := range f.x {
		f.columns = append(f.columns, x.a, x.b)
	}
}

// pixels returns f.columns of row y, which it keeps until the row after the next one.
func (f *filler) pixels(y int) []uint32 {
	slot := y & 1
	if f.numbers[slot] != y {
		f.numbers[slot], f.lines[slot] = y, resized(f.lines[slot], len(f.columns))
		f.read(f.lines[slot], f.columns, y)
	}
	return f.lines[slot]
}

// linearRow rounds as OpenCV does. A number has two parts, red and blue or the green of
// both rows, which saves multiplications.
func (f *filler) linearRow(to []uint32, y int) {
	columns, above, below := f.x[:len(to)], f.pixels(int(f.y[y].a)), f.pixels(int(f.y[y].b))
	up, down := uint64(one-f.y[y].weight), uint64(f.y[y].weight)
	for x := range to {
		p, q, r, s := above[2*x], above[2*x+1], below[2*x], below[2*x+1]
		left, right := uint64(one-columns[x].weight), uint64(columns[x].weight)
		const low, high = 0x7fff00007fff, 0xffff0000ffff0000
		a, b := redBlue(p)*left+redBlue(q)*right, redBlue(r)*left+redBlue(s)*right
		g := (uint64(p>>8&0xff)|uint64(r>>8&0xff)<<32)*left + (uint64(q>>8&0xff)|uint64(s>>8&0xff)<<32)*right
		rb := (a>>4&low*up&high+b>>4&low*down&high)>>16 + 2<<32 + 2
		g = g >> 4 & low
		green := (uint32(g)*uint32(up)>>16 + uint32(g>>32)*uint32(down)>>16 + 2) >> 2
		to[x] = uint32(rb>>2)&0xff | green<<8 | uint32(rb>>34)<<16
	}
}

// redBlue returns red in the lower half and blue in the upper half.
func redBlue(p uint32) uint64 { return uint64(p&0xff) | uint64(p&0xff0000)<<16 }

// kernel has the pixels whose weighted sum is each pixel of a smooth row or column.
type kernel struct {
	first   []int32
	weights []int32 // of count pixels from first on, with smoothBits of fraction
	count   int
}

// smoothBits is what Pillow has, to round as it does.
const smoothBits = 22

// set computes the weights for count pixels, from from on, of a row that changes from
// n pixels to size.
func (k *kernel) set(count, from, size, n int, filter Filter) {
	scale := float64(n) / float64(size)
	stretch := max(scale, 1)
	support, curve := stretch, func(x float64) float64 { return max(1-x, 0) }
	if filter == SmoothCubic {
		support, curve = 2*stretch, cubic
	} else if filter == Area {
		stretch, support = 1, scale/2+0.5
		curve = func(x float64) float64 { return max(min(scale/2+0.5-x, scale, 1), 0) }
	}
	k.count = min(int(math.Ceil(support))*2+1, n)
	k.first, k.weights = resized(k.first, count), resized(k.weights, count*k.count)
	clear(k.weights)
	for i := range count {
		center := float64((float64(from+i) + 0.5) * scale)
		low := min(max(int(center-support+0.5), 0), n-1)
		high := max(min(int(center+support+0.5), n), low+1)
		sum := 0.0
		at := func(x int) float64 { return curve(math.Abs(float64(x)-center+0.5) / stretch) }
		for x := low; x < high; x++ {
			sum += at(x)
		}
		first := min(low, n-k.count)
		k.first[i] = int32(first)
		for x := low; x < high; x++ {
			k.weights[i*k.count+x-first] = int32(math.Round(at(x) / sum * (1 << smoothBits)))
		}
	}
}

// cubic is the cubic convolution with a of -0.5.
func cubic(x float64) float64 {
	switch {
	case x < 1:
		return (1.5*x-2.5)*x*x + 1
	case x < 2:
		return ((-0.5*x+2.5)*x-4)*x + 2
	}
	return 0
}

func (f *filler) smoothRow(to []uint32, y int) {
	first, count := int(f.down.first[y]), f.down.count
	for f.filled = max(f.filled, first); f.filled < first+count; f.filled++ {
		row, slot := f.pixels(f.filled), f.filled%count
		for x := range to {
			weights := f.across.weights[x*f.across.count:][:f.across.count]
			f.ring[x*count+slot] = weighted(row[f.across.first[x]:], weights)
		}
	}
	for i, w := range f.down.weights[y*count:][:count] {
		f.rotated[(first+i)%count] = w
	}
	for x := range to {
		to[x] = weighted(f.ring[x*count:], f.rotated)
	}
}

// weighted returns the color of a weighted sum of pixels, as Pillow rounds it.
func weighted(pixels []uint32, weights []int32) uint32 {
	const half = 1 << (smoothBits - 1)
	var r, g, b int32 = half, half, half
	pixels = pixels[:len(weights)]
	for i, w := range weights {
		p := pixels[i]
		r, g, b = r+int32(p&0xff)*w, g+int32(p>>8&0xff)*w, b+int32(p>>16&0xff)*w
	}
	return limited(r>>smoothBits) | limited(g>>smoothBits)<<8 | limited(b>>smoothBits)<<16
}

// warp makes f compute pixels from the points that back maps them to; steps rounds
// those to 1/32 of a pixel, as OpenCV 3 and 4 do; outside is as in f.
func (f *filler) warp(back Affine, steps, outside bool) {
	f.row, f.at, f.back, f.steps, f.outside = (*filler).warpedRow, image.Rectangle{Max: f.out}, back, steps, outside
}

// asMediaPipe makes f read the pixels that MediaPipe reads, and returns the map from
// points of the input to points of the picture. MediaPipe scales the numbers of pixels,
// which have whole centres, but it takes points of the input as if their corners had been
// scaled: if the picture is four times as large as the input, that is 1.5 pixels apart.
func (f *filler) asMediaPipe(fit Fit) Affine {
	w, h := float32(f.size.X), float32(f.size.Y)
	x, y := w/float32(f.out.X), h/float32(f.out.Y)
	switch fit {
	case Letterbox, LetterboxCorner, LetterboxByHeight:
		x, y = max(x, y), max(x, y)
	case Crop:
		x, y = min(x, y), min(x, y)
	}
	back := Affine{x, 0, 0, 0, y, 0}
	if fit != LetterboxCorner && fit != LetterboxByHeight {
		back[2], back[5] = (w-x*float32(f.out.X))/2, (h-y*float32(f.out.Y))/2
	}
	f.warp(Affine{x, 0, back[2] + (1-x)/2, 0, y, back[5] + (1-y)/2}, true, false)
	return back
}

func (f *filler) warpedRow(to []uint32, y int) {
	b := &f.back
	cornerX := float64(b[1])*(float64(y)+0.5) + float64(b[2]) - 0.5
	cornerY := float64(b[4])*(float64(y)+0.5) + float64(b[5]) - 0.5
	w, h := float64(f.size.X), float64(f.size.Y)
	for x := range to {
		px, py := float64(b[0])*(float64(x)+0.5)+cornerX, float64(b[3])*(float64(x)+0.5)+cornerY
		if f.outside {
			px, py = min(max(px, 0), w-1), min(max(py, 0), h-1)
		}
		if !(px > -1 && px < w && py > -1 && py < h) { // a NaN is outside, too
			to[x] = 0
			continue
		}
		if f.steps {
			px, py = math.RoundToEven(px*32)/32, math.RoundToEven(py*32)/32
		}
		left, top := math.Floor(px), math.Floor(py)
		fx, fy := uint64(math.RoundToEven((px-left)*one)), uint64(math.RoundToEven((py-top)*one))
		const half = one * one / 2
		var rb, g uint64 = half<<32 + half, half
		for n, weight := range [4]uint64{(one - fx) * (one - fy), fx * (one - fy), (one - fx) * fy, fx * fy} {
			if i, j := int(left)+n&1, int(top)+n>>1; weight > 0 && i >= 0 && j >= 0 && i < f.size.X && j < f.size.Y {
				var p [1]uint32
				f.read(p[:], []int32{int32(i)}, j)
				rb += weight * redBlue(p[0])
				g += weight * uint64(p[0]>>8&0xff)
			}
		}
		to[x] = uint32(rb>>22)&0xff | uint32(g>>14)&0xff00 | uint32(rb>>38)&0xff0000
	}
}

// Similarity returns the map of points that turns, scales and moves from so that it is
// as close as possible to to, by the mean square of the distances, and never mirrors it
// (Umeyama's method). It returns the zero Affine if there are fewer than two different
// points in from.
func Similarity(from, to []Point) Affine {
	n := min(len(from), len(to))
	var fx, fy, tx, ty float64
	for i := range n {
		fx, fy = fx+float64(from[i].X)/float64(n), fy+float64(from[i].Y)/float64(n)
		tx, ty = tx+float64(to[i].X)/float64(n), ty+float64(to[i].Y)/float64(n)
	}
	var a, b, square float64
	for i := range n {
		x, y := float64(from[i].X)-fx, float64(from[i].Y)-fy
		u, v := float64(to[i].X)-tx, float64(to[i].Y)-ty
		a, b, square = a+x*u+y*v, b+x*v-y*u, square+x*x+y*y
	}
	if square == 0 {
		return Affine{}
	}
	a, b = a/square, b/square
	return Affine{float32(a), float32(-b), float32(tx - a*fx + b*fy), float32(b), float32(a), float32(ty - b*fx - a*fy)}
}
