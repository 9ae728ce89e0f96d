// SPDX-License-Identifier: Apache-2.0

package landmark

import (
	"image"
	"math"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

// Region is a turned rectangle in a picture.
type Region struct {
	Center        vision.Point
	Width, Height float32
	Angle         float32 // by which it is turned clockwise, in radians
}

// back returns the map from points of an input of that size to points of the picture.
func (r Region) back(size image.Point) vision.Affine {
	sin, cos := math.Sincos(float64(r.Angle))
	w, h := float64(r.Width), float64(r.Height)
	return vision.Affine{
		float32(w * cos / float64(size.X)), float32(-h * sin / float64(size.Y)), float32(float64(r.Center.X) - (w*cos-h*sin)/2),
		float32(w * sin / float64(size.X)), float32(h * cos / float64(size.Y)), float32(float64(r.Center.Y) - (w*sin+h*cos)/2),
	}
}

// bounds returns the rectangle that the region would be without its angle, as MediaPipe
// compares regions.
func (r Region) bounds() vision.Rect {
	c, x, y := r.Center, r.Width/2, r.Height/2
	return vision.Rect{Min: vision.Point{X: c.X - x, Y: c.Y - y}, Max: vision.Point{X: c.X + x, Y: c.Y + y}}
}

// lines say how a region comes from points: a line between two of them has that angle in it,
// in degrees counterclockwise. It is the square around a box, which is moved by a part of the
// box's height and scaled; or the first point is its centre, and the second one is at its edge
// before it is scaled. Without a line it is a box with the shape of the input.
type lines struct {
	from, to     int
	angle        float64
	scale, shift float32
	center       bool
}

// region returns the region of a thing that a detector has found, or that was in the last frame.
func (k *Marker) region(l lines, box vision.Rect, points []vision.KeyPoint, tracked bool) (r Region, err error) {
	if l.from == l.to {
		r = Region{middle(box), box.Dx() * l.scale, box.Dy() * l.scale, 0}
		if k.Form == SimCC {
			shape := float32(k.Input.Size.X) / float32(max(k.Input.Size.Y, 1))
			r.Width, r.Height = max(r.Width, r.Height*shape), max(r.Height, r.Width/shape)
		}
		return r, nil
	}
	if len(points) <= max(l.from, l.to) {
		return r, fail(common.ErrInput, "a detection with %d points has none with the numbers %d and %d, which tell where the %s is",
			len(points), l.from, l.to, forms[k.Form].label)
	}
	p, q := points[l.from].Point, points[l.to].Point
	if tracked && k.Form == Hand { // q is the middle of three knuckles
		a, b := points[5], points[13]
		q = vision.Point{X: ((a.X+b.X)/2 + q.X) / 2, Y: ((a.Y+b.Y)/2 + q.Y) / 2}
	}
	angle := l.angle*math.Pi/180 - math.Atan2(float64(p.Y-q.Y), float64(q.X-p.X))
	angle -= 2 * math.Pi * math.Floor((angle+math.Pi)/(2*math.Pi))
	sin, cos := math.Sincos(angle)
	turn := func(p vision.Point, sin float64) vision.Point {
		x, y := float64(p.X), float64(p.Y)
		return vision.Point{X: float32(x*cos - y*sin), Y: float32(x*sin + y*cos)}
	}
	c, w, h := middle(box), box.Dx(), box.Dy()
	switch {
	case l.center:
		c, w = p, 2*float32(math.Hypot(float64(q.X-p.X), float64(q.Y-p.Y)))
		h = w
	case tracked && k.Form == Hand: // the box is turned, and without the ends of the fingers
		var turned []vision.KeyPoint
		for _, i := range []int{0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18} {
			turned = append(turned, vision.KeyPoint{Point: turn(points[i].Point, -sin)})
		}
		box = around(turned)
		c, w, h = turn(middle(box), sin), box.Dx(), box.Dy()
	}
	move := turn(vision.Point{Y: h * l.shift}, sin)
	side := max(w, h) * l.scale
	return Region{vision.Point{X: c.X + move.X, Y: c.Y + move.Y}, side, side, float32(angle)}, nil
}

func middle(r vision.Rect) vision.Point {
	return vision.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}
}

// around returns the smallest rectangle around points.
func around(points []vision.KeyPoint) (r vision.Rect) {
	for i, p := range points {
		if i == 0 {
			r = vision.Rect{Min: p.Point, Max: p.Point}
		}
		r.Min = vision.Point{X: min(r.Min.X, p.X), Y: min(r.Min.Y, p.Y)}
		r.Max = vision.Point{X: max(r.Max.X, p.X), Y: max(r.Max.Y, p.Y)}
	}
	return r
}
