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
func NMS(d []Detection, o NMSOptions) []Detection {
	most, limit, one := cmp.Or(max(o.Max, 0), 300), cmp.Or(o.IoU, 0.45), float32(0)
	if o.PlusOne {
		one = 1
	}
	s := suppressions.Get().(*suppression)
	defer s.free()
	for i := range d {
		r, score := &d[i].Rect, d[i].Score
		if sum := r.Min.X + r.Min.Y + r.Max.X + r.Max.Y + score; sum-sum == 0 {
			s.order = append(s.order, ranked{score, int32(i)})
		}
	}
	slices.SortFunc(s.order, func(a, b ranked) int {
		if a.score != b.score {
			return cmp.Compare(b.score, a.score)
		}
		return int(a.index) - int(b.index)
	})
	for _, r := range s.order {
		if len(s.kept) == most && !o.Weighted {
			break
		}
		c := &d[r.index]
		box := boxed{Rect: c.Rect, area: (c.Rect.Dx() + one) * (c.Rect.Dy() + one), class: c.Class, first: -1}
		if o.Agnostic {
			box.class = 0
		}
		over := -1
		if !o.None {
			over = s.overlapped(&box, limit, one)
		}
		switch {
		case over < 0 && len(s.kept) < most:
			s.boxes = append(s.boxes, box)
			s.kept = append(s.kept, *c)
		case over >= 0 && o.Weighted:
			s.members = append(s.members, member{r.index, s.boxes[over].first})
			s.boxes[over].first = int32(len(s.members) - 1)
		}
	}
	if o.Weighted {
		for i := range s.kept {
			s.average(d, i)
		}
	}
	return d[:copy(d, s.kept)]
}

// suppression is the memory of NMS.
type suppression struct {
	order   []ranked
	boxes   []boxed // of kept
	kept    []Detection
	members []member
}

type ranked struct {
	score float32
	index int32
}

type boxed struct {
	Rect
	area  float32
	class int
	first int32 // of the members that it suppresses; -1: none
}

// member is a detection that another one suppresses, in a list of all such.
type member struct{ index, next int32 }

var suppressions = sync.Pool{New: func() any { return new(suppression) }}

func (s *suppression) free() {
	clear(s.kept) // it has pointers
	s.order, s.boxes, s.kept, s.members = s.order[:0], s.boxes[:0], s.kept[:0], s.members[:0]
	suppressions.Put(s)
}

// overlapped returns the index of the first kept box of the same class that box
// overlaps more than limit; or -1.
func (s *suppression) overlapped(box *boxed, limit, one float32) int {
	for i := range s.boxes {
		k := &s.boxes[i]
		if k.class != box.class {
			continue
		}
		w := min(k.Max.X, box.Max.X) - max(k.Min.X, box.Min.X) + one
		h := min(k.Max.Y, box.Max.Y) - max(k.Min.Y, box.Min.Y) + one
		if w > 0 && h > 0 && w*h/(k.area+box.area-w*h) > limit {
			return i
		}
	}
	return -1
}

// average sets box and points of kept detection i to the mean of its own and of those
// that it suppresses, with their scores as weights.
func (s *suppression) average(d []Detection, i int) {
	k := &s.kept[i]
	mean := func(at func(*Detection) *Point) {
		sum, total := Point{at(k).X * k.Score, at(k).Y * k.Score}, k.Score
		for m := s.boxes[i].first; m >= 0; m = s.members[m].next {
			c := &d[s.members[m].index]
			if len(c.Points) == len(k.Points) {
				sum, total = Point{sum.X + at(c).X*c.Score, sum.Y + at(c).Y*c.Score}, total+c.Score
			}
		}
		if total > 0 {
			*at(k) = Point{sum.X / total, sum.Y / total}
		}
	}
	mean(func(c *Detection) *Point { return &c.Rect.Min })
	mean(func(c *Detection) *Point { return &c.Rect.Max })
	for p := range k.Points {
		mean(func(c *Detection) *Point { return &c.Points[p].Point })
	}
}
