// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"encoding/binary"
	"image"
	"image/color"
	"math"
)

// warpedRow computes row y of the input from the points that back maps it to.
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
		i, j := int(left), int(top)
		fx, fy := uint64(math.RoundToEven((px-left)*one)), uint64(math.RoundToEven((py-top)*one))
		var rb, g uint64 = half<<32 + half, half
		for n, weight := range [4]uint64{(one - fx) * (one - fy), fx * (one - fy), (one - fx) * fy, fx * fy} {
			if weight > 0 {
				p := f.pixel(i+n&1, j+n>>1)
				rb += weight * redBlue(p)
				g += weight * uint64(p>>8&0xff)
			}
		}
		to[x] = pack(rb, g)
	}
}

// pixel returns the color of a pixel as 0xAABBGGRR; outside of the picture it is black.
func (f *filler) pixel(x, y int) uint32 {
	switch {
	case x < 0 || y < 0 || x >= f.size.X || y >= f.size.Y:
		return 0
	case f.pix != nil:
		p := binary.LittleEndian.Uint32(f.pix[y*f.stride+4*x:])
		if f.straight {
			p = multiplied(p)
		}
		return p
	case f.y != nil:
		luma := f.y[y*f.stride+x]
		if f.ycc.Cb == nil {
			return uint32(luma) * 0x10101
		}
		i := f.ycc.COffset(f.ycc.Rect.Min.X+x, f.ycc.Rect.Min.Y+y)
		return rgb(luma, f.ycc.Cb[i], f.ycc.Cr[i])
	}
	low := f.img.Bounds().Min
	var c color.RGBA64
	if m, ok := f.img.(image.RGBA64Image); ok {
		c = m.RGBA64At(low.X+x, low.Y+y)
	} else {
		c = color.RGBA64Model.Convert(f.img.At(low.X+x, low.Y+y)).(color.RGBA64)
	}
	return uint32(c.R>>8) | uint32(c.G&0xff00) | uint32(c.B&0xff00)<<8
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
