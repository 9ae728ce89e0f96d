// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"math"
)

// warp makes f compute pixels from the points that back maps them to; steps rounds
// those to 1/32 of a pixel, as OpenCV 3 and 4 do.
func (f *filler) warp(back Affine, steps bool) {
	f.row, f.at, f.back, f.steps = (*filler).warpedRow, image.Rectangle{Max: f.out}, back, steps
}

// asMediaPipe makes f read the pixels that MediaPipe reads, and returns the map from
// points of the input to points of the picture. MediaPipe scales the numbers of pixels,
// which have whole centres, but it takes points of the input as if their corners had been
// scaled: if the picture is four times as large as the input, that is 1.5 pixels apart.
func (f *filler) asMediaPipe(fit Fit) Affine {
	w, h := float32(f.size.X), float32(f.size.Y)
	x, y := w/float32(f.out.X), h/float32(f.out.Y)
	switch fit {
	case Letterbox, LetterboxCorner, InsightFace:
		x, y = max(x, y), max(x, y)
	case Crop:
		x, y = min(x, y), min(x, y)
	}
	back := Affine{x, 0, 0, 0, y, 0}
	if fit != LetterboxCorner && fit != InsightFace {
		back[2], back[5] = (w-x*float32(f.out.X))/2, (h-y*float32(f.out.Y))/2
	}
	f.warp(Affine{x, 0, back[2] + (1-x)/2, 0, y, back[5] + (1-y)/2}, true)
	return back
}

func (f *filler) warpedRow(to []uint32, y int) {
	b := &f.back
	cornerX := float64(b[1])*(float64(y)+0.5) + float64(b[2]) - 0.5
	cornerY := float64(b[4])*(float64(y)+0.5) + float64(b[5]) - 0.5
	w, h := float64(f.size.X), float64(f.size.Y)
	for x := range to {
		px, py := float64(b[0])*(float64(x)+0.5)+cornerX, float64(b[3])*(float64(x)+0.5)+cornerY
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
