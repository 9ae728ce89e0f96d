// SPDX-License-Identifier: Apache-2.0

package landmark

import (
	"cmp"
	"context"
	"image"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

// Finder finds things with one model and their points with another one. NewFinder fills the
// fields; they may be changed before the first Find. Many goroutines may call Find.
type Finder struct {
	Detector *vision.Detector
	Marker   *Marker
	Max      int     // the number of things; 0: all that the Detector finds
	MinScore float32 // that something is in a region; 0: 0.5, or none for PFLD and SimCC
}

// NewFinder returns a Finder of two models: MediaPipe's palm_detection and hand_landmark, its
// pose_detection and pose_landmark, one of its face_detection and face_landmark, or any model
// that vision.NewDetector knows and one for PFLD or SimCC. A Detector of several classes finds
// only persons for SimCC.
func NewFinder(detector, points vision.Model) (*Finder, error) {
	k, err := NewMarker(points)
	if err != nil {
		return nil, err
	}
	d := &vision.Detector{Model: detector, MinScore: 0.5}
	switch k.Form {
	case Hand:
		d.Head, d.Input = head{grids([]int{8, 16}, 2, 6)}, input(192, 0)
	case Pose:
		d.Head, d.Input = head{grids([]int{8, 16, 32}, 2, 2, 6)}, input(224, 127.5)
	default:
		if d, err = vision.NewDetector(detector); err != nil {
			return nil, err
		}
		if k.Form == Mesh {
			d.Head = head{d.Head}
		} else if person := slices.Index(d.Labels, "person"); k.Form == SimCC && person >= 0 {
			d.Classes = []int{person}
		}
		return &Finder{Detector: d, Marker: k}, nil
	}
	sig, _, err := vision.About(detector)
	if err != nil {
		return nil, err
	}
	if n := len(sig.Outputs); n != 2 {
		return nil, fail(common.ErrModel, "the model that finds a %s has 2 outputs, not %d", forms[k.Form].label, n)
	}
	return &Finder{Detector: d, Marker: k}, nil
}

// grids returns the head of MediaPipe's detectors with so many anchors in a cell for each stride.
func grids(strides []int, anchors ...int) *vision.Grids {
	g := &vision.Grids{Form: vision.BlazeFace, Strides: strides, Scores: []int{1}, Boxes: []int{0}, Points: []int{0}}
	for _, n := range anchors {
		g.Anchors = append(g.Anchors, slices.Repeat([]float32{1}, n))
	}
	return g
}

func input(side int, mean float32) vision.Input {
	std := cmp.Or(mean, 255)
	return vision.Input{Size: image.Pt(side, side), Fit: vision.Letterbox, Filter: vision.LinearWarp,
		Mean: [3]float32{mean, mean, mean}, Std: [3]float32{std, std, std}}
}

// head adds the corners of boxes to their points, because a Detector cuts off what is outside
// of the picture, and regions come from whole boxes.
type head struct{ vision.Head }

func (h head) Decode(dst []vision.Detection, out vision.Outputs, minScore float32) ([]vision.Detection, error) {
	from := len(dst)
	dst, err := h.Head.Decode(dst, out, minScore)
	for i := from; i < len(dst); i++ {
		d := &dst[i]
		d.Points = append(d.Points, vision.KeyPoint{Point: d.Rect.Min}, vision.KeyPoint{Point: d.Rect.Max})
	}
	return dst, err
}

// regions returns where the Detector finds something, the best first.
func (f *Finder) regions(ctx context.Context, img image.Image) (all []track, err error) {
	found, err := f.Detector.Detect(ctx, img)
	if err != nil {
		return nil, err
	}
	for _, d := range found {
		box, points := d.Rect, d.Points
		if _, ok := f.Detector.Head.(head); ok {
			n := len(points) - 2
			box, points = vision.Rect{Min: points[n].Point, Max: points[n+1].Point}, points[:n]
		}
		r, err := f.Marker.region(forms[f.Marker.Form].detected, box, points, false)
		if err != nil {
			return nil, err
		}
		if f.Max <= 0 || len(all) < f.Max {
			all = associate(all, track{region: r})
		}
	}
	return all, nil
}

// associate appends a track instead of those whose regions it overlaps.
func associate(all []track, t track) []track {
	all = slices.DeleteFunc(all, func(o track) bool { return o.region.bounds().IoU(t.region.bounds()) > 0.5 })
	return append(all, t)
}

// Find returns what it finds in a picture, in the order in which the Detector finds it.
func (f *Finder) Find(ctx context.Context, img image.Image) ([]Landmarks, error) {
	return (&Tracker{Finder: f}).Next(ctx, img, 0)
}

// Detections returns the Detections of Landmarks, for package overlay.
func Detections(found []Landmarks) (all []vision.Detection) {
	for _, l := range found {
		all = append(all, l.Detection)
	}
	return all
}
