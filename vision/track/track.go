// SPDX-License-Identifier: Apache-2.0

// Package track follows things through the frames of a video: it gives detections of any
// model the same number, an ID, in all frames.
//
// It looks only at where boxes are, how they move and what their scores are, not at
// pixels. So two things that cross, one of which is hidden for long, may swap their IDs;
// what comes back after that, or elsewhere, is new; and a camera that moves fast, or few
// frames a second, break tracks.
package track

import (
	"cmp"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/vision"
)

// ByteTrack is the tracker of Zhang and others, 2021: detections with low scores do not
// begin tracks, but continue those that they fit, as things look worse when they are
// partly hidden. So set MinScore of a vision.Detector to LowScore. The zero ByteTrack is
// ready. The fields may be changed between frames. It is for the frames of one video, in
// order, and not for several goroutines at a time.
type ByteTrack struct {
	MinScore  float32 // detections from here on are matched first; 0: 0.25
	LowScore  float32 // those between here and MinScore continue tracks that are left; 0: 0.1
	NewScore  float32 // those from here on, if they continue no track, begin one; 0: MinScore + 0.1
	IoU       float32 // the least overlap of a detection with where its track should be, times its score; 0: 0.2
	MinHits   int     // in how many frames a thing must have been found, without a gap, to be reported; 0: 2, and 1 in the first frame
	Buffer    int     // for how many frames a lost track is kept, if there are 30 a second; 0: 30
	FrameRate float64 // frames a second, by which Buffer is scaled; 0: 30
	Agnostic  bool    // detections of all classes continue a track, not only those of its own; for models that confuse classes

	frame, lastID     int
	tracks, lost      []*state // those of the last frame, and the others
	free              []*state // memory of former ones
	good, low         []int    // indexes of detections
	pool, rest, fresh []*state
	assignment        assignment
}

// Track is a thing in one frame.
type Track struct {
	ID        int              // from 1; never used again
	Detection vision.Detection // that was found in this frame
	Rect      vision.Rect      // the box, smoothed by its motion
	Age       int              // how many frames ago it was found first
}

// state is what is known of a thing.
type state struct {
	filter      filter
	rect        vision.Rect // of filter
	id          int         // 0: not reported yet
	class       int
	first, last int // the frames in which it was found
	hits        int
	found       int // the index of its detection in this frame; or -1
	lost        bool
}

// Limits that ByteTrack has no names for, as costs of pairs.
const (
	lowLimit   = 0.5  // of detections with low scores
	firstLimit = 0.7  // of tracks that are not reported yet
	same       = 0.05 // two tracks that differ less are one
	single     = 1e-4 // how much more than the limit it costs not to be matched
)

// Reset forgets all tracks, for another video. IDs go on.
func (t *ByteTrack) Reset() {
	t.free = append(append(t.free, t.tracks...), t.lost...)
	t.frame, t.tracks, t.lost = 0, t.tracks[:0], t.lost[:0]
}

// Update takes what was found in the next frame, if it is only nothing, and returns the
// tracks of those detections that belong to one. Detections with a size or score that is
// not a finite number, or without area, belong to none.
func (t *ByteTrack) Update(found []vision.Detection) []Track {
	t.frame++
	t.sort(found)
	// Reported tracks, the lost ones too, take the good detections that fit best.
	t.pool, t.rest, t.fresh = t.pool[:0], t.rest[:0], t.fresh[:0]
	for _, s := range t.tracks {
		s.found = -1
		if s.id > 0 {
			t.pool = append(t.pool, s)
		} else {
			t.fresh = append(t.fresh, s)
		}
	}
	for _, s := range t.lost {
		s.found, s.filter[height].speed = -1, 0
		t.pool = append(t.pool, s)
	}
	for _, s := range t.pool {
		s.filter.predict()
		s.rect = s.filter.rect()
	}
	t.match(t.pool, t.good, found, 1-cmp.Or(t.IoU, 0.2), true)
	// The low ones are for those that were there in the last frame.
	for _, s := range t.pool {
		if s.found < 0 && !s.lost {
			t.rest = append(t.rest, s)
		}
	}
	t.match(t.rest, t.low, found, lowLimit, false)
	t.match(t.fresh, t.good, found, firstLimit, true)
	t.advance(found)
	t.merge()
	all := make([]Track, 0, len(t.tracks))
	for _, s := range t.tracks {
		if s.id > 0 {
			all = append(all, Track{s.id, found[s.found], s.rect, t.frame - s.first})
		}
	}
	return all
}

// sort sets good and low.
func (t *ByteTrack) sort(found []vision.Detection) {
	t.good, t.low = t.good[:0], t.low[:0]
	finite := func(x float32) bool { return math.Abs(float64(x)) <= math.MaxFloat32 }
	for i := range found {
		r, score := found[i].Rect, found[i].Score
		if !(r.Dx() > 0 && r.Dy() > 0) || !finite(r.Dx()) || !finite(r.Dy()) || !finite(score) {
			continue
		}
		if score >= cmp.Or(t.MinScore, 0.25) {
			t.good = append(t.good, i)
		} else if score > cmp.Or(t.LowScore, 0.1) {
			t.low = append(t.low, i)
		}
	}
}

// match gives tracks those detections with which the sum of costs is least, and sets
// the indexes of these to -1. The cost is 1 - IoU, or 1 - IoU x score, and at most limit.
func (t *ByteTrack) match(tracks []*state, detections []int, found []vision.Detection, limit float32, fused bool) {
	a := &t.assignment
	a.reset(len(detections))
	for _, s := range tracks {
		for j, index := range detections {
			if index < 0 || !t.alike(s.class, found[index].Class) {
				continue
			}
			overlap := s.rect.IoU(found[index].Rect)
			if fused {
				overlap *= found[index].Score
			}
			if cost := 1 - overlap; cost <= limit {
				a.add(j, float64(cost))
			}
		}
		a.endRow()
	}
	a.solve(float64(limit) + single)
	for i, s := range tracks {
		if j := a.colOf[i]; j >= 0 {
			s.filter.correct(measured(found[detections[j]].Rect))
			t.hit(s, detections[j], found)
			detections[j] = -1
		}
	}
}

func (t *ByteTrack) alike(a, b int) bool { return t.Agnostic || a == b }

// hit notes that a thing was found.
func (t *ByteTrack) hit(s *state, index int, found []vision.Detection) {
	s.found, s.class, s.last, s.rect = index, found[index].Class, t.frame, s.filter.rect()
	s.hits++
	enough := cmp.Or(max(t.MinHits, 0), 2)
	if t.MinHits <= 0 && t.frame == 1 {
		enough = 1
	}
	if s.id == 0 && s.hits >= enough {
		t.lastID++
		s.id = t.lastID
	}
}

// advance moves tracks to where they belong after this frame.
func (t *ByteTrack) advance(found []vision.Detection) {
	// The rules of the reference give a lost track one frame more, and at least one.
	buffer := max(int(cmp.Or(t.FrameRate, 30)/30*float64(cmp.Or(t.Buffer, 30))), 1) + 1
	t.pool, t.rest = t.pool[:0], t.rest[:0] // lost ones that are found again, and that are not
	for _, s := range t.lost {
		switch {
		case s.found >= 0:
			s.lost = false
			t.pool = append(t.pool, s)
		case t.frame-s.last > buffer:
			t.free = append(t.free, s)
		default:
			t.rest = append(t.rest, s)
		}
	}
	kept := t.tracks[:0]
	for _, s := range t.tracks {
		switch {
		case s.found >= 0:
			kept = append(kept, s)
		case s.id == 0:
			t.free = append(t.free, s)
		default:
			s.lost = true
			t.rest = append(t.rest, s)
		}
	}
	least := cmp.Or(t.MinScore, 0.25)
	if least += 0.1; least > 1 {
		least -= 0.1
	}
	for _, index := range t.good {
		if index >= 0 && found[index].Score >= cmp.Or(t.NewScore, least) {
			s := t.state()
			s.first = t.frame
			s.filter.begin(measured(found[index].Rect))
			t.hit(s, index, found)
			kept = append(kept, s)
		}
	}
	t.tracks, t.lost, t.rest = append(kept, t.pool...), t.rest, t.lost
}

// state returns memory for a new track.
func (t *ByteTrack) state() *state {
	n := len(t.free)
	if n == 0 {
		return new(state)
	}
	s := t.free[n-1]
	t.free = t.free[:n-1]
	*s = state{}
	return s
}

// merge drops the younger of two tracks where one that was lost is where another one is.
func (t *ByteTrack) merge() {
	for _, l := range t.lost {
		for _, s := range t.tracks {
			if t.alike(s.class, l.class) && 1-s.rect.IoU(l.rect) < same {
				if s.last-s.first > l.last-l.first {
					l.hits = 0
				} else {
					s.hits = 0
				}
			}
		}
	}
	drop := func(s *state) bool {
		if s.hits == 0 {
			t.free = append(t.free, s)
		}
		return s.hits == 0
	}
	t.tracks, t.lost = slices.DeleteFunc(t.tracks, drop), slices.DeleteFunc(t.lost, drop)
}
