// SPDX-License-Identifier: Apache-2.0

package landmark

import (
	"cmp"
	"context"
	"image"
	"math"
	"time"

	"github.com/anyinfer/anyinfer/vision"
)

// Tracker finds things and their points in the frames of one video. It looks for a thing where
// it was in the last frame, and its Detector runs only while less than Finder.Max things are
// tracked, or on each frame if that is 0. A Tracker is for one goroutine at a time.
type Tracker struct {
	Finder    *Finder
	Smoothing *Smoothing // of the points; nil: none

	tracks []track
}

// Smoothing has the parameters of a One Euro filter. Velocities are in sizes of the thing in
// a second. The zero Smoothing is that of MediaPipe for bodies.
type Smoothing struct {
	MinCutoff float64 // in Hz of a point that does not move; 0: 0.05
	Beta      float64 // by how many Hz the cutoff grows with the velocity; 0: 80
	Cutoff    float64 // in Hz of the velocity; 0: 1
}

// track is a thing that was found in the last frame.
type track struct {
	region  Region
	at      time.Duration
	filters [][3]filter // of x, y and depth of each point
}

// filter has the last value, and what came of it and of its velocity.
type filter struct{ last, value, velocity float64 }

// Next returns what it finds in the next frame of a video; at is its time, which grows.
func (t *Tracker) Next(ctx context.Context, img image.Image, at time.Duration) (found []Landmarks, err error) {
	f := t.Finder
	var tracks []track
	if f.Max <= 0 || len(t.tracks) < f.Max {
		if tracks, err = f.regions(ctx, img); err != nil {
			return nil, err
		}
	}
	for _, o := range t.tracks {
		tracks = associate(tracks, o)
	}
	t.tracks = nil
	least := f.MinScore
	if f.Marker.Form <= Mesh {
		least = cmp.Or(least, 0.5)
	}
	for _, o := range tracks {
		s, err := f.Marker.mark(ctx, img, o.region)
		if err != nil {
			return nil, err
		}
		if !(s.score >= least) || f.Max > 0 && len(found) == f.Max {
			continue
		}
		if t.Smoothing != nil {
			o.smooth(*t.Smoothing, &s, f.Marker.Form, (at - o.at).Seconds())
		}
		l := f.Marker.landmarks(s, img)
		found = append(found, l)
		if o.region, err = f.Marker.region(forms[f.Marker.Form].tracked, around(l.Detection.Points), s.points, true); err != nil {
			return nil, err
		}
		o.at = at
		t.tracks = append(t.tracks, o)
	}
	return found, nil
}

// smooth filters a shape that is some seconds after the last one.
func (t *track) smooth(o Smoothing, s *shape, form Form, seconds float64) {
	box := around(s.points)
	size := float64(box.Dx()+box.Dy()) / 2
	if form == Pose {
		a, b := s.points[33], s.points[34]
		size = 2 * math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y))
	}
	first := t.filters == nil
	if first {
		t.filters = make([][3]filter, len(s.points))
	} else if !(seconds > 0 && size > 0) {
		return
	}
	part := func(cutoff float64) float64 { return 1 / (1 + 1/(2*math.Pi*cutoff*seconds)) }
	apply := func(f *filter, v *float32, least, beta float64) {
		x := float64(*v)
		if first {
			*f = filter{last: x, value: x}
			return
		}
		f.velocity += part(cmp.Or(o.Cutoff, 1)) * ((x-f.last)/size/seconds - f.velocity)
		f.value += part(least+beta*math.Abs(f.velocity)) * (x - f.value)
		f.last = x
		*v = float32(f.value)
	}
	for i := range s.points {
		least, beta := cmp.Or(o.MinCutoff, 0.05), cmp.Or(o.Beta, 80)
		if form == Pose && i >= 33 { // the region moves less than the points
			least, beta = least/5, beta/8
		}
		p := &s.points[i]
		apply(&t.filters[i][0], &p.X, least, beta)
		apply(&t.filters[i][1], &p.Y, least, beta)
		if s.depths != nil {
			apply(&t.filters[i][2], &s.depths[i], least, beta)
		}
	}
}

var _ vision.Head = head{}
