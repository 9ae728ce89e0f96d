// SPDX-License-Identifier: Apache-2.0

package landmark

import (
	"cmp"
	"context"
	"image"
	"math"
	"slices"
	"time"

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
	w, h, x, y := float64(r.Width), float64(r.Height), float64(size.X), float64(size.Y)
	return vision.Affine{
		float32(w * cos / x), float32(-h * sin / y), float32(float64(r.Center.X) - (w*cos-h*sin)/2),
		float32(w * sin / x), float32(h * cos / y), float32(float64(r.Center.Y) - (w*sin+h*cos)/2),
	}
}

// overlaps compares regions as if they were not turned, as MediaPipe does.
func (r Region) overlaps(s Region) bool {
	rect := func(r Region) vision.Rect {
		x, y := r.Width/2, r.Height/2
		return vision.Rect{Min: vision.Point{X: r.Center.X - x, Y: r.Center.Y - y}, Max: vision.Point{X: r.Center.X + x, Y: r.Center.Y + y}}
	}
	return rect(r).IoU(rect(s)) > 0.5
}

// line says how points tell a region: a line from one to another has an angle in it, in degrees
// counterclockwise. The region is the square around a box, moved by a part of the box's height
// and scaled; or its centre is the first point, and the second one is at its edge before it is
// scaled. Without a line it is the scaled box.
type line struct {
	from, to            int
	angle, scale, shift float32
	center              bool
}

// region returns the region of a thing that a detector has found, or that was in the last frame.
func (k *Marker) region(l line, box vision.Rect, points []vision.KeyPoint) (r Region, ok bool) {
	c, w, h, angle := middle(box), box.Dx(), box.Dy(), 0.0
	if l.from != l.to {
		if len(points) <= max(l.from, l.to) {
			return r, false
		}
		p, q := points[l.from].Point, points[l.to].Point
		hand := k.Form == Hand && len(points) == forms[Hand].points
		if hand { // to the middle of three knuckles
			q = middle(vision.Rect{Min: middle(vision.Rect{Min: points[5].Point, Max: points[13].Point}), Max: q})
		}
		angle = float64(l.angle)*math.Pi/180 - math.Atan2(float64(p.Y-q.Y), float64(q.X-p.X))
		if l.center {
			w = 2 * float32(math.Hypot(float64(q.X-p.X), float64(q.Y-p.Y)))
			c, h = p, w
		} else if hand { // the box is turned, and has no ends of fingers
			var turned []vision.KeyPoint
			for _, i := range []int{0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18} {
				turned = append(turned, vision.KeyPoint{Point: turn(points[i].Point, -angle)})
			}
			box = around(turned, nil)
			c, w, h = turn(middle(box), angle), box.Dx(), box.Dy()
		}
		move := turn(vision.Point{Y: h * l.shift}, angle)
		c.X, c.Y, w = c.X+move.X, c.Y+move.Y, max(w, h)
		h = w
	} else if shape := float32(k.Input.Size.X) / float32(k.Input.Size.Y); k.Form == SimCC && shape > 0 {
		w, h = max(w, h*shape), max(h, w/shape)
	}
	return Region{c, w * l.scale, h * l.scale, float32(math.Remainder(angle, 2*math.Pi))}, w > 0 && h > 0
}

func turn(p vision.Point, angle float64) vision.Point {
	sin, cos := math.Sincos(angle)
	return vision.Affine{float32(cos), float32(-sin), 0, float32(sin), float32(cos)}.Apply(p)
}

func middle(r vision.Rect) vision.Point {
	return vision.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}
}

// around returns the smallest rectangle around points, or its part in img.
func around(points []vision.KeyPoint, img image.Image) (r vision.Rect) {
	for i, p := range points {
		if i == 0 {
			r = vision.Rect{Min: p.Point, Max: p.Point}
		}
		r.Min = vision.Point{X: min(r.Min.X, p.X), Y: min(r.Min.Y, p.Y)}
		r.Max = vision.Point{X: max(r.Max.X, p.X), Y: max(r.Max.Y, p.Y)}
	}
	if img == nil {
		return r
	}
	point := func(p image.Point) vision.Point { return vision.Point{X: float32(p.X), Y: float32(p.Y)} }
	return r.Intersect(vision.Rect{Min: point(img.Bounds().Min), Max: point(img.Bounds().Max)})
}

// Finder finds things with one model and their points with another one. NewFinder fills the
// fields; they may be changed before the first Find. Many goroutines may call Find.
type Finder struct {
	Detector *vision.Detector
	Marker   *Marker
	Max      int     // the number of things; 0: all that the Detector finds
	MinScore float32 // that a thing is in a region; 0: 0.5, of SimCC 0
}

// NewFinder returns a Finder of two models: MediaPipe's palm_detection and hand_landmark, its
// pose_detection and pose_landmark, one of its face_detection and face_landmark, or a model that
// vision.NewDetector knows and one for PFLD or SimCC, which gets only persons.
func NewFinder(detector, points vision.Model) (*Finder, error) {
	k, err := NewMarker(points)
	if err != nil {
		return nil, err
	}
	d := &vision.Detector{Model: detector, MinScore: 0.5}
	d.Input = vision.Input{Fit: vision.Letterbox, Filter: vision.LinearWarp, Std: [3]float32{255, 255, 255}}
	anchors := func(n int) []float32 { return slices.Repeat([]float32{1}, n) }
	h := &vision.Grids{Form: vision.BlazeFace, Scores: []int{1}, Boxes: []int{0}, Points: []int{0}}
	switch k.Form {
	case Hand:
		h.Strides, h.Anchors = []int{8, 16}, [][]float32{anchors(2), anchors(6)}
	case Pose:
		h.Strides, h.Anchors = []int{8, 16, 32}, [][]float32{anchors(2), anchors(2), anchors(6)}
		d.Input.Mean = [3]float32{127.5, 127.5, 127.5}
		d.Input.Std = d.Input.Mean
	default:
		if d, err = vision.NewDetector(detector); err != nil {
			return nil, err
		}
		if g, ok := d.Head.(*vision.Grids); ok && k.Form == Mesh {
			d.Head = head{g}
		}
		if person := slices.Index(d.Labels, "person"); k.Form == SimCC && person >= 0 {
			d.Classes = []int{person}
		}
		return &Finder{Detector: d, Marker: k}, nil
	}
	d.Head = head{h}
	return &Finder{Detector: d, Marker: k}, nil
}

// head adds the corners of boxes to their points, because a Detector cuts off what is outside
// of the picture, and regions come from whole boxes.
type head struct{ *vision.Grids }

func (h head) Decode(dst []vision.Detection, out vision.Outputs, minScore float32) ([]vision.Detection, error) {
	from := len(dst)
	dst, err := h.Grids.Decode(dst, out, minScore)
	for i := from; i < len(dst); i++ {
		dst[i].Points = append(dst[i].Points, vision.KeyPoint{Point: dst[i].Rect.Min}, vision.KeyPoint{Point: dst[i].Rect.Max})
	}
	return dst, err
}

// Find returns what it finds in a picture.
func (f *Finder) Find(ctx context.Context, img image.Image) ([]Landmarks, error) {
	return (&Tracker{Finder: f}).Next(ctx, img, 0)
}

// Detections returns the Detections of Landmarks, which package overlay draws.
func Detections(found []Landmarks) (all []vision.Detection) {
	for _, l := range found {
		all = append(all, l.Detection)
	}
	return all
}

// Tracker finds things and their points in the frames of one video. It looks for a thing where
// it was in the last frame, and its Detector runs only while fewer than Finder.Max things are
// tracked, or for each frame if that is 0. A Tracker is for one goroutine at a time.
type Tracker struct {
	Finder    *Finder
	Smoothing *Smoothing // of the points; nil: none

	tracks []track
}

// Smoothing has the parameters of a One Euro filter. Velocities count in sizes of the thing in a
// second. The zero Smoothing is that of MediaPipe for bodies.
type Smoothing struct {
	MinCutoff float64 // in Hz, of a point that does not move; 0: 0.05
	Beta      float64 // by how many Hz it grows with the velocity; 0: 80
	Cutoff    float64 // in Hz, of the velocity; 0: 1
}

// track is a thing in the last frame.
type track struct {
	region  Region
	at      time.Duration
	filters [][3]filter // of x, y and depth of each point
}

// filter has the last value, and what became of it and of its velocity.
type filter struct{ last, value, velocity float64 }

// Next returns what it finds in the next frame of a video; at is its time, which grows.
func (t *Tracker) Next(ctx context.Context, img image.Image, at time.Duration) (found []Landmarks, err error) {
	f, form := t.Finder, forms[int(t.Finder.Marker.Form)%len(forms)]
	var tracks []track
	add := func(t track) { // later ones are better
		tracks = append(slices.DeleteFunc(tracks, func(o track) bool { return o.region.overlaps(t.region) }), t)
	}
	if f.Max <= 0 || len(t.tracks) < f.Max {
		detected, err := f.Detector.Detect(ctx, img)
		if err != nil {
			return nil, err
		}
		for i, d := range detected {
			if n := len(d.Points) - 2; n > form.detected.to && d.Points[n].Score == 0 { // of head
				d.Rect = vision.Rect{Min: d.Points[n].Point, Max: d.Points[n+1].Point}
			}
			if r, ok := f.Marker.region(form.detected, d.Rect, d.Points); ok && (f.Max <= 0 || i < f.Max) {
				add(track{region: r})
			}
		}
	}
	for _, o := range t.tracks {
		add(o)
	}
	t.tracks = nil
	for _, o := range tracks {
		l, err := f.Marker.Mark(ctx, img, o.region)
		if err != nil {
			return nil, err
		}
		if least := cmp.Or(f.MinScore, float32(min(form.points, 1))/2); !(l.Detection.Score >= least) || f.Max > 0 && len(found) == f.Max {
			continue
		}
		if t.Smoothing != nil {
			o.smooth(*t.Smoothing, &l, (at - o.at).Seconds())
			l.Detection.Rect = around(l.Detection.Points, img)
		}
		found = append(found, l)
		var ok bool
		if o.region, ok = f.Marker.region(form.tracked, around(l.Detection.Points, nil), l.all); ok {
			o.at = at
			t.tracks = append(t.tracks, o)
		}
	}
	return found, nil
}

// smooth filters points that are some seconds after the last ones.
func (t *track) smooth(o Smoothing, l *Landmarks, seconds float64) {
	box := around(l.all, nil)
	size, first := float64(box.Dx()+box.Dy())/2, t.filters == nil
	hidden := len(l.all) > len(l.Detection.Points) // those of Pose, which tell its size
	if hidden {
		a, b := l.all[33], l.all[34]
		size = 2 * math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y))
	}
	if first {
		t.filters = make([][3]filter, len(l.all))
	} else if !(seconds > 0 && size > 0) {
		return
	}
	part := func(cutoff float64) float64 { return 1 / (1 + 1/(2*math.Pi*cutoff*seconds)) }
	apply := func(f *filter, v *float32, least, beta float64) {
		x := float64(*v)
		if first {
			f.last, f.value = x, x
		}
		f.velocity += part(cmp.Or(o.Cutoff, 1)) * ((x-f.last)/size/max(seconds, 1e-6) - f.velocity)
		f.value += part(least+beta*math.Abs(f.velocity)) * (x - f.value)
		f.last, *v = x, float32(f.value)
	}
	for i := range l.all {
		least, beta := cmp.Or(o.MinCutoff, 0.05), cmp.Or(o.Beta, 80)
		if i >= len(l.Detection.Points) { // the region moves less than the points
			least, beta = least/5, beta/8
		}
		apply(&t.filters[i][0], &l.all[i].X, least, beta)
		apply(&t.filters[i][1], &l.all[i].Y, least, beta)
		if i < len(l.Depths) {
			apply(&t.filters[i][2], &l.Depths[i], least, beta)
		}
	}
}
