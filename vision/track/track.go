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
	LowScore  float32 // those between here and MinScore continue the tracks that are left; 0: 0.1
	NewScore  float32 // those from here on begin a track if they continue none; 0: MinScore + 0.1
	IoU       float32 // least overlap with where a track is expected, times the score; 0: 0.2
	MinHits   int     // frames in a row in which a thing is found before it is reported; 0: 2, or 1 in the first frame
	Buffer    int     // frames, at 30 a second, for which a thing that is missing is remembered; 0: 30
	FrameRate float64 // frames a second, by which Buffer is scaled; 0: 30
	Agnostic  bool    // detections of all classes continue a track, not only those of its class

	frame, lastID      int
	tracks, lost, free []*state // those of the last frame; the others; memory of former ones
	good, low          []int    // indexes of detections
	pool, rest, fresh  []*state
	assignment         assignment
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
	id, class   int         // id 0: not reported yet
	first, last int         // the frames in which it was found
	hits, found int         // in how many; the index of its detection in this one, or -1
	lost        bool
}

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
		if s.id > 0 {
			t.pool = append(t.pool, s)
		} else {
			t.fresh = append(t.fresh, s)
		}
	}
	t.pool = append(t.pool, t.lost...)
	for _, s := range t.pool {
		s.filter.predict(s.lost)
		s.rect = s.filter.rect()
	}
	t.match(t.pool, t.good, found, 1-cmp.Or(t.IoU, 0.2), true)
	// The low ones are for those that were there in the last frame.
	for _, s := range t.pool {
		if s.found < 0 && !s.lost {
			t.rest = append(t.rest, s)
		}
	}
	t.match(t.rest, t.low, found, 0.5, false)
	t.match(t.fresh, t.good, found, 0.7, true)
	t.advance(found)
	t.merge()
	all := make([]Track, 0, len(t.tracks))
	for _, s := range t.tracks {
		if s.id > 0 {
			all = append(all, Track{s.id, found[s.found], s.rect, t.frame - s.first})
		}
		s.found = -1
	}
	return all
}

// sort sets good and low.
func (t *ByteTrack) sort(found []vision.Detection) {
	t.good, t.low = t.good[:0], t.low[:0]
	for i := range found {
		w, h, score := found[i].Rect.Dx(), found[i].Rect.Dy(), found[i].Score
		if !(w > 0 && h > 0 && w+h <= math.MaxFloat32 && score <= math.MaxFloat32) {
			continue // NaN is among them
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
		begin := len(a.pairs)
		for j, index := range detections {
			if index < 0 || !t.alike(s.class, found[index].Class) {
				continue
			}
			overlap := s.rect.IoU(found[index].Rect)
			if fused {
				overlap *= found[index].Score
			}
			if cost := 1 - overlap; overlap > 0 && cost <= limit {
				a.pairs = append(a.pairs, pair{j, float64(cost)})
			}
		}
		a.rows = append(a.rows, row{pairs: a.pairs[begin:], col: -1})
	}
	a.solve(float64(limit) + 1e-4) // so that a pair at the limit is better than none
	for i, s := range tracks {
		if j := a.rows[i].col; j >= 0 {
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
	atOnce := t.MinHits <= 0 && t.frame == 1
	if s.id == 0 && (atOnce || s.hits >= cmp.Or(max(t.MinHits, 0), 2)) {
		t.lastID++
		s.id = t.lastID
	}
}

// advance moves tracks to where they belong after this frame.
func (t *ByteTrack) advance(found []vision.Detection) {
	// The rules of the reference give a lost track one frame more, and at least one.
	buffer := max(cmp.Or(t.FrameRate, 30)/30*float64(cmp.Or(t.Buffer, 30)), 1) + 1
	t.pool, t.rest = t.pool[:0], t.rest[:0] // lost ones that are found again, and that are not
	for _, s := range t.lost {
		switch {
		case s.found >= 0:
			s.lost = false
			t.pool = append(t.pool, s)
		case float64(t.frame-s.last) > buffer:
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
	if least <= 0.9 { // else no score would do
		least += 0.1
	}
	for _, index := range t.good {
		if index < 0 || found[index].Score < cmp.Or(t.NewScore, least) {
			continue
		}
		if len(t.free) == 0 {
			t.free = append(t.free, new(state))
		}
		s := t.free[len(t.free)-1]
		t.free = t.free[:len(t.free)-1]
		*s = state{first: t.frame}
		s.filter.begin(measured(found[index].Rect))
		t.hit(s, index, found)
		kept = append(kept, s)
	}
	t.tracks, t.lost, t.rest = append(kept, t.pool...), t.rest, t.lost
}

// merge drops the younger of two tracks where one that was lost is where another one is.
func (t *ByteTrack) merge() {
	for _, l := range t.lost {
		for _, s := range t.tracks {
			if t.alike(s.class, l.class) && 1-s.rect.IoU(l.rect) < 0.05 {
				younger := l
				if s.last-s.first <= l.last-l.first {
					younger = s
				}
				younger.hits = 0
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
