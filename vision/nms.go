// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"cmp"
	"slices"
	"sync"
)

// NMS (non-maximum suppression) drops detections that overlap a better one; of equal
// ones the first is better. It returns those that are left, the best first, at the
// beginning of d, and leaves the rest of d in no order. Detections with a score or
// coordinates that are infinite or not a number are dropped.
func NMS(d []Detection, o NMSOptions) []Detection { return suppress(d, o, Point{1, 1}) }

// suppress is NMS for coordinates of which one pixel of the picture has that width and height.
func suppress(d []Detection, o NMSOptions, pixel Point) []Detection {
	most, limit := cmp.Or(max(o.Max, 0), 300), cmp.Or(o.IoU, 0.45)
	if !o.PlusOne {
		pixel = Point{}
	}
	s := suppressions.Get().(*suppression)
	defer s.free()
	for i := range d {
		if finite(d[i].Rect, d[i].Score) {
			s.order = append(s.order, i)
		}
	}
	slices.SortFunc(s.order, func(a, b int) int { return cmp.Or(cmp.Compare(d[b].Score, d[a].Score), a-b) })
	for _, i := range s.order {
		if len(s.kept) == most && !o.Weighted {
			break
		}
		c := &d[i]
		b := boxed{Rect: c.Rect, area: (c.Rect.Dx() + pixel.X) * (c.Rect.Dy() + pixel.Y), class: c.Class, total: c.Score}
		over := -1
		if !o.None {
			over = s.overlapped(&b, limit, pixel, o.Agnostic)
		}
		switch {
		case over < 0 && len(s.kept) < most:
			s.boxes = append(s.boxes, b)
			s.kept = append(s.kept, *c)
		case over >= 0 && o.Weighted && c.Score > 0:
			s.boxes[over].total += c.Score
			s.kept[over].approach(c, c.Score/s.boxes[over].total)
		}
	}
	return d[:copy(d, s.kept)]
}

// suppression is the memory of NMS.
type suppression struct {
	order []int
	boxes []boxed // of kept, close together
	kept  []Detection
}

type boxed struct {
	Rect
	area, total float32 // total is the sum of the scores of all that are averaged
	class       int
}

var suppressions = sync.Pool{New: func() any { return new(suppression) }}

func (s *suppression) free() {
	clear(s.kept) // it has pointers
	s.order, s.boxes, s.kept = s.order[:0], s.boxes[:0], s.kept[:0]
	suppressions.Put(s)
}

// overlapped returns the index of the first kept box of the same class, or of any one if
// agnostic, that b overlaps more than limit; or -1.
func (s *suppression) overlapped(b *boxed, limit float32, pixel Point, agnostic bool) int {
	for i := range s.boxes {
		k := &s.boxes[i]
		if k.class != b.class && !agnostic {
			continue
		}
		w := min(k.Max.X, b.Max.X) - max(k.Min.X, b.Min.X) + pixel.X
		h := min(k.Max.Y, b.Max.Y) - max(k.Min.Y, b.Min.Y) + pixel.Y
		if w > 0 && h > 0 && w*h/(k.area+b.area-w*h) > limit {
			return i
		}
	}
	return -1
}

// approach moves box and points that part of the way to those of c.
func (d *Detection) approach(c *Detection, part float32) {
	move := func(p *Point, q Point) { p.X, p.Y = p.X+(q.X-p.X)*part, p.Y+(q.Y-p.Y)*part }
	move(&d.Rect.Min, c.Rect.Min)
	move(&d.Rect.Max, c.Rect.Max)
	for i := range min(len(d.Points), len(c.Points)) {
		move(&d.Points[i].Point, c.Points[i].Point)
	}
}
