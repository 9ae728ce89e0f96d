// SPDX-License-Identifier: Apache-2.0

package ocr

import (
	"cmp"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/vision"
)

// borders finds the borders of areas in a map of probabilities.
type borders struct {
	pix         []int8 // 1: of an area, 2 and -2: of a border that was followed; around all is a margin of 0
	w, h        int
	left, right []int32 // by row: the ends of the border that is followed
	top, bottom int     // the first and last of its rows
	points      []point
	hull        []point
}

type point struct{ x, y float64 }

// load makes areas of the places with more than threshold. dilate makes each of them 2 by 2.
func (b *borders) load(numbers []float32, w, h int, threshold float32, dilate bool) {
	stride := w + 2
	b.w, b.h = w, h
	b.pix = resized(b.pix, stride*(h+2))
	clear(b.pix)
	b.left, b.right = resized(b.left, h), resized(b.right, h)
	for y := range h {
		at := (y+1)*stride + 1
		row, below := b.pix[at:][:w], b.pix[at+stride:]
		for x, v := range numbers[y*w:][:w] {
			if !(v > threshold) {
				continue
			}
			row[x] = 1
			if !dilate {
				continue
			}
			last := min(x+2, w)
			for i := x; i < last; i++ {
				row[i] = 1
				if y+1 < h {
					below[i] = 1
				}
			}
		}
	}
}

// each calls do with the convex hull of each outer or inner border, at most limit, until it has
// found all. The hull is valid until do returns. This is the algorithm of Suzuki and Abe, which
// OpenCV has in findContours: areas are connected across corners, what is between them is not.
func (b *borders) each(limit int, do func(hull []point)) {
	stride := b.w + 2
	for y := range b.h {
		row := b.pix[(y+1)*stride:][:stride]
		for x := 1; x <= b.w; x++ {
			v, from := row[x], -1
			if v == 1 && row[x-1] == 0 {
				from = west
			} else if v > 0 && row[x+1] == 0 {
				from = east
			}
			if from < 0 {
				continue
			}
			if limit--; limit < 0 {
				return
			}
			b.follow(x, y, from)
			do(b.wrap())
		}
	}
}

// The neighbours of a place, clockwise.
var (
	stepX = [8]int{1, 1, 0, -1, -1, -1, 0, 1}
	stepY = [8]int{0, 1, 1, 1, 0, -1, -1, -1}
)

const east, west = 0, 4

// follow follows the border that begins at column x of pix and row y of the map, beside the
// place in that direction, which is outside.
func (b *borders) follow(x, y, from int) {
	stride := b.w + 2
	at := func(x, y int) *int8 { return &b.pix[(y+1)*stride+x] }
	b.top, b.bottom = y, y
	b.left[y], b.right[y] = int32(x-1), int32(x-1)
	first := from
	for *at(x+stepX[first], y+stepY[first]) == 0 {
		if first = (first + 1) & 7; first == from {
			*at(x, y) = -2 // it is alone
			return
		}
	}
	endX, endY := x+stepX[first], y+stepY[first]
	startX, startY, d := x, y, first
	for {
		zero := false // to the right is outside
		for d = (d + 7) & 7; *at(x+stepX[d], y+stepY[d]) == 0; d = (d + 7) & 7 {
			zero = zero || d == east
		}
		if p := at(x, y); zero {
			*p = -2
		} else if *p == 1 {
			*p = 2
		}
		last := x == endX && y == endY
		x, y = x+stepX[d], y+stepY[d]
		if last && x == startX && y == startY {
			return
		}
		b.extend(int32(x-1), y)
		d = (d + 4) & 7
	}
}

// extend adds a place to the border.
func (b *borders) extend(x int32, y int) {
	for y > b.bottom {
		b.bottom++
		b.left[b.bottom], b.right[b.bottom] = x, x
	}
	for y < b.top {
		b.top--
		b.left[b.top], b.right[b.top] = x, x
	}
	b.left[y], b.right[y] = min(b.left[y], x), max(b.right[y], x)
}

// wrap returns the convex hull of the border.
func (b *borders) wrap() []point {
	b.points = b.points[:0]
	for y := b.top; y <= b.bottom; y++ {
		b.points = append(b.points, point{float64(b.left[y]), float64(y)}, point{float64(b.right[y]), float64(y)})
	}
	return b.around()
}

// around returns the convex hull of b.points, which are in the order of y and then of x.
func (b *borders) around() []point {
	hull := b.hull[:0]
	add := func(from int, p point) {
		for n := len(hull); n >= from+2; n = len(hull) {
			o, q := hull[n-2], hull[n-1]
			if (q.x-o.x)*(p.y-o.y)-(q.y-o.y)*(p.x-o.x) > 0 {
				break
			}
			hull = hull[:n-1]
		}
		hull = append(hull, p)
	}
	for _, p := range b.points {
		add(0, p)
	}
	n := len(hull) - 1
	for _, p := range slices.Backward(b.points) {
		add(n, p)
	}
	b.hull = hull[:len(hull)-1]
	return b.hull
}

// rect is a rectangle that may be turned: w is its side in the direction of ux, uy.
type rect struct{ x, y, ux, uy, w, h float64 }

// minRect returns the smallest rectangle around the points of a convex hull, one of whose sides
// it shares; the zero rect if they are on a line.
func minRect(hull []point) (best rect) {
	least := math.Inf(1)
	for i, p := range hull {
		q := hull[(i+1)%len(hull)]
		length := math.Hypot(q.x-p.x, q.y-p.y)
		if length == 0 || len(hull) < 3 {
			continue
		}
		ux, uy := (q.x-p.x)/length, (q.y-p.y)/length
		along, across := [2]float64{math.Inf(1), math.Inf(-1)}, [2]float64{math.Inf(1), math.Inf(-1)}
		for _, p := range hull {
			u, v := p.x*ux+p.y*uy, p.y*ux-p.x*uy
			along = [2]float64{min(along[0], u), max(along[1], u)}
			across = [2]float64{min(across[0], v), max(across[1], v)}
		}
		w, h := along[1]-along[0], across[1]-across[0]
		if w*h < least*(1-1e-9) {
			least = w * h
			u, v := (along[0]+along[1])/2, (across[0]+across[1])/2
			best = rect{u*ux - v*uy, u*uy + v*ux, ux, uy, w, h}
		}
	}
	return best
}

// corners returns the corners of r, one after the other.
func (r rect) corners() (c [4]point) {
	for i, s := range [4][2]float64{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}} {
		u, v := s[0]*r.w/2, s[1]*r.h/2
		c[i] = point{r.x + u*r.ux - v*r.uy, r.y + u*r.uy + v*r.ux}
	}
	return c
}

// whole returns the corners of r in whole numbers.
func (r rect) whole() [4]point {
	c := r.corners()
	for i, p := range c {
		c[i] = point{math.Trunc(p.x), math.Trunc(p.y)}
	}
	return c
}

// unclip returns r with all sides moved out by ratio times its area divided by its perimeter:
// the map has the cores of lines. As with Clipper, which others do this with, corners
// are whole numbers, before and after, and are rounded off to within a quarter of a pixel.
func (b *borders) unclip(r rect, ratio float64) rect {
	by := r.w * r.h * ratio / (2 * (r.w + r.h))
	c := r.whole()
	steps := min(math.Pi/math.Acos(1-min(0.25, by*0.25)/by), by*math.Pi)
	b.points = b.points[:0]
	for i, p := range c {
		before, after := c[(i+3)%4], c[(i+1)%4]
		from, to := math.Atan2(before.x-p.x, p.y-before.y), math.Atan2(p.x-after.x, after.y-p.y) // of the normals
		for to < from {
			to += 2 * math.Pi
		}
		count := max(math.Round(steps*(to-from)/(2*math.Pi)), 1)
		for n := range int(count) {
			sin, cos := math.Sincos(from + float64(n)*2*math.Pi/steps)
			b.points = append(b.points, point{math.Round(p.x + by*cos), math.Round(p.y + by*sin)})
		}
		sin, cos := math.Sincos(to)
		b.points = append(b.points, point{math.Round(p.x + by*cos), math.Round(p.y + by*sin)})
	}
	slices.SortFunc(b.points, func(p, q point) int { return cmp.Or(cmp.Compare(p.y, q.y), cmp.Compare(p.x, q.x)) })
	return minRect(b.around())
}

// score returns the mean of the numbers in r and on its edges, as OpenCV's fillPoly draws it.
func (b *borders) score(numbers []float32, r rect) float32 {
	c := r.whole()
	r.x, r.y = (c[0].x+c[1].x+c[2].x+c[3].x)/4, (c[0].y+c[1].y+c[2].y+c[3].y)/4
	edge := max(math.Abs(r.ux), math.Abs(r.uy)) / 2 // half a pixel up or to the side
	sum, n := 0.0, 0
	for y := max(int(min(c[0].y, c[1].y, c[2].y, c[3].y)), 0); y <= min(int(max(c[0].y, c[1].y, c[2].y, c[3].y)), b.h-1); y++ {
		for x := max(int(min(c[0].x, c[1].x, c[2].x, c[3].x)), 0); x <= min(int(max(c[0].x, c[1].x, c[2].x, c[3].x)), b.w-1); x++ {
			dx, dy := float64(x)-r.x, float64(y)-r.y
			if math.Abs(dx*r.ux+dy*r.uy) <= r.w/2+edge && math.Abs(dy*r.ux-dx*r.uy) <= r.h/2+edge {
				sum, n = sum+float64(numbers[y*b.w+x]), n+1
			}
		}
	}
	return float32(sum / float64(max(n, 1)))
}

// ordered returns corners in the order of a Quad: the two at the left are the first and the last.
func ordered(q Quad) Quad {
	slices.SortStableFunc(q[:], func(a, b vision.Point) int { return cmp.Compare(a.X, b.X) })
	if q[1].Y < q[0].Y {
		q[0], q[1] = q[1], q[0]
	}
	if q[3].Y < q[2].Y {
		q[2], q[3] = q[3], q[2]
	}
	return Quad{q[0], q[2], q[3], q[1]}
}
