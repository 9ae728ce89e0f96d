// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"
	"math"
)

// Point is a place in a picture, in the picture's coordinates, or in a model's input, in
// pixels from the left and from the top. If the first pixel is at 0,0, as in an input, its
// corner is 0,0 and its centre 0.5,0.5.
type Point struct{ X, Y float32 }

// corner returns the bottom right corner of a picture of that size.
func corner(size image.Point) Point { return Point{float32(size.X), float32(size.Y)} }

// Rect is a rectangle in a picture with Min at its top left.
type Rect struct{ Min, Max Point }

// Dx and Dy return the width and height.
func (r Rect) Dx() float32 { return r.Max.X - r.Min.X }
func (r Rect) Dy() float32 { return r.Max.Y - r.Min.Y }

// Area returns the area; 0 if r is empty.
func (r Rect) Area() float32 { return max(r.Dx(), 0) * max(r.Dy(), 0) }

// Intersect returns the part that r and s have in common; an empty one has no area.
func (r Rect) Intersect(s Rect) Rect {
	return Rect{Point{max(r.Min.X, s.Min.X), max(r.Min.Y, s.Min.Y)}, Point{min(r.Max.X, s.Max.X), min(r.Max.Y, s.Max.Y)}}
}

// IoU returns the area of the intersection divided by that of the union; 0 if there is no
// intersection.
func (r Rect) IoU(s Rect) float32 {
	both := r.Intersect(s).Area()
	if !(both > 0) {
		return 0
	}
	return both / (r.Area() + s.Area() - both)
}

// Clip returns the part of r in a picture of that size.
func (r Rect) Clip(size image.Point) Rect {
	w, h := float32(size.X), float32(size.Y)
	at := func(p Point) Point { return Point{min(max(p.X, 0), w), min(max(p.Y, 0), h)} }
	return Rect{at(r.Min), at(r.Max)}
}

// Image returns the smallest rectangle of whole pixels that contains r.
func (r Rect) Image() image.Rectangle {
	floor := func(v float32) int { return int(math.Floor(float64(v))) }
	return image.Rect(floor(r.Min.X), floor(r.Min.Y), ceil(r.Max.X), ceil(r.Max.Y))
}

func ceil(v float32) int { return int(math.Ceil(float64(v))) }

// Affine is a map of points: x' = a[0]x + a[1]y + a[2], y' = a[3]x + a[4]y + a[5].
type Affine [6]float32

// Apply returns the image of p.
func (a Affine) Apply(p Point) Point {
	return Point{a[0]*p.X + a[1]*p.Y + a[2], a[3]*p.X + a[4]*p.Y + a[5]}
}

// ApplyRect returns the smallest rectangle that contains the image of r.
func (a Affine) ApplyRect(r Rect) Rect {
	p := a.Apply(r.Min)
	out := Rect{p, p}
	for _, q := range []Point{{r.Max.X, r.Min.Y}, r.Max, {r.Min.X, r.Max.Y}} {
		p = a.Apply(q)
		out.Min = Point{min(out.Min.X, p.X), min(out.Min.Y, p.Y)}
		out.Max = Point{max(out.Max.X, p.X), max(out.Max.Y, p.Y)}
	}
	return out
}

// Inverse returns the inverse map. If there is none, because a maps all points to a
// line, it returns the zero Affine.
func (a Affine) Inverse() Affine {
	d := float64(a[0])*float64(a[4]) - float64(a[1])*float64(a[3])
	if d == 0 {
		return Affine{}
	}
	b := [6]float64{float64(a[4]) / d, -float64(a[1]) / d, 0, -float64(a[3]) / d, float64(a[0]) / d, 0}
	b[2] = -(b[0]*float64(a[2]) + b[1]*float64(a[5]))
	b[5] = -(b[3]*float64(a[2]) + b[4]*float64(a[5]))
	return Affine{float32(b[0]), float32(b[1]), float32(b[2]), float32(b[3]), float32(b[4]), float32(b[5])}
}
