// SPDX-License-Identifier: Apache-2.0

// Package landmark finds points: of hands, bodies and faces with MediaPipe's models, of faces
// with PFLD, of bodies with RTMPose. A Marker finds the points of one thing in a region of a
// picture, a Finder finds the regions first, with a vision.Detector, and a Tracker does so for
// the frames of a video. OBB is the head of YOLO's detectors of turned boxes.
package landmark

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"math"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

// Landmarks are the points of one hand, body or face.
type Landmarks struct {
	// Detection has the points, a Rect around those that are in the picture, the score that the
	// thing is in the region, and a label: "left hand", "right hand", "person" or "face".
	Detection vision.Detection
	// Depths are how far behind the wrist, the middle of the hips or the middle of the head
	// points are, in pixels; nil: the model does not tell.
	Depths []float32
	// Right is the score, 0..1, that a hand is a right one, in a picture that is not a mirror
	// image. MediaPipe takes pictures for mirror images and calls it left.
	Right float32
	// Region is where the model has looked.
	Region Region
}

// Form is what a model makes of a region.
type Form uint8

const (
	Hand  Form = iota // 21 points of MediaPipe's hand_landmark
	Pose              // 33 points of MediaPipe's pose_landmark
	Mesh              // 468 points of MediaPipe's face_landmark
	PFLD              // a face's points, mostly 98 or 106, as parts of a region that is the face's box
	SimCC             // RTMPose's scores for each place in x and in y, at half pixels
)

// forms have what MediaPipe's graphs say of its models, and the same of others.
var forms = [...]struct {
	label             string
	points, kept      int
	values            int // of a point in the output
	depth             float32
	detected, tracked lines // how a region comes from a detection, and from the points of the last frame
}{
	Hand:  {"hand", 21, 21, 3, 2.5, lines{0, 2, 90, 2.6, -0.5, false}, lines{0, 9, 90, 2, -0.1, false}},
	Pose:  {"person", 39, 33, 5, 1, lines{0, 1, 90, 1.25, 0, true}, lines{33, 34, 90, 1.25, 0, true}},
	Mesh:  {"face", 468, 468, 3, 1, lines{0, 1, 0, 1.5, 0, false}, lines{33, 263, 0, 1.5, 0, false}},
	PFLD:  {label: "face", values: 2, detected: lines{scale: 1}, tracked: lines{scale: 1}},
	SimCC: {label: "person", detected: lines{scale: 1.25}, tracked: lines{scale: 1.25}},
}

// Marker finds the points of one thing in a region of a picture. NewMarker fills the fields
// with what the model's inputs and outputs show; they may be changed before the first Mark.
// Many goroutines may call Mark.
type Marker struct {
	Model  vision.Model
	Input  vision.Input
	Form   Form
	Output int // the output with the points; for SimCC x, and y is the next one

	runner vision.Runner
}

// NewMarker returns a Marker for a model whose inputs and outputs show which form it has.
// Otherwise the error wraps common.ErrModel.
func NewMarker(m vision.Model) (*Marker, error) {
	sig, _, err := vision.About(m)
	if err != nil {
		return nil, err
	}
	k := &Marker{Model: m, Input: vision.Input{Filter: vision.LinearWarp, Replicate: true, Std: [3]float32{255, 255, 255}}}
	length := func(o common.TensorInfo) int { return append(common.Shape{0}, o.Shape...)[len(o.Shape)] }
	for i, o := range sig.Outputs {
		k.Output = i
		switch n, more := length(o), len(sig.Outputs)-i; {
		case n == 3*21 && more >= 3:
			k.Form = Hand
		case n == 5*39 && more >= 4:
			k.Form = Pose
		case n == 3*468 && more >= 2:
			k.Form = Mesh
		case (n == 2*98 || n == 2*106) && len(o.Shape) == 2:
			k.Form, k.Input.Filter, k.Input.Replicate = PFLD, vision.Linear, false
		case more == 2 && len(o.Shape) == 3 && length(sig.Outputs[i+1]) > 0 && o.Name == "simcc_x":
			k.Form = SimCC
			k.Input = vision.Input{Filter: vision.LinearWarp, Mean: [3]float32{123.675, 116.28, 103.53}, Std: [3]float32{58.395, 57.12, 57.375}}
		default:
			continue
		}
		return k, nil
	}
	return nil, fail(common.ErrModel, "the outputs of the model are not those of a known model for points: %v", sig.Outputs)
}

// Mark returns the points in a region. Its Detection.Score tells whether the thing is there:
// a Finder drops it below 0.5.
func (k *Marker) Mark(ctx context.Context, img image.Image, r Region) (Landmarks, error) {
	s, err := k.mark(ctx, img, r)
	return k.landmarks(s, img), err
}

// shape is what a model makes of a region. It has all points, also those that only tell where
// the region of the next frame is.
type shape struct {
	region       Region
	points       []vision.KeyPoint
	depths       []float32
	score, right float32
}

func (k *Marker) mark(ctx context.Context, img image.Image, r Region) (s shape, err error) {
	var back vision.Affine
	to := func(size image.Point) (vision.Affine, error) {
		a := r.back(size)
		if back = a; k.Form != PFLD {
			// The models' programs take 0,0 for the centre of the first pixel when they read
			// pixels, and for its corner when they scale places.
			a[2], a[5] = a[2]+(1-a[0]-a[1])/2, a[5]+(1-a[3]-a[4])/2
		}
		return a.Inverse(), nil
	}
	s.region = r
	err = k.runner.Run(ctx, k.Model, &k.Input, img, to, func(out vision.Outputs) error {
		if k.Form == SimCC {
			err = k.simCC(&s, out)
		} else {
			err = k.regression(&s, out)
		}
		for i, p := range s.points {
			s.points[i].Point = back.Apply(p.Point)
		}
		return err
	})
	return s, err
}

// regression reads the coordinates of points, in pixels of the input or, of PFLD, from 0 to 1.
func (k *Marker) regression(s *shape, out vision.Outputs) error {
	f := forms[k.Form]
	values, _, err := out.Floats(k.Output, 1)
	if err == nil && (f.points > 0 && len(values) != f.points*f.values || len(values)%f.values != 0) {
		err = fail(common.ErrShape, "output %d has %d numbers, not %d for each of %d points", k.Output, len(values), f.values, f.points)
	}
	if err != nil {
		return err
	}
	s.points = make([]vision.KeyPoint, len(values)/f.values)
	unit := vision.Point{X: 1, Y: 1}
	if k.Form == PFLD {
		unit, s.score = vision.Point{X: float32(out.Size.X), Y: float32(out.Size.Y)}, 1
	} else {
		s.depths = make([]float32, f.points)
	}
	for i := range s.points {
		v := values[i*f.values:][:f.values]
		s.points[i] = vision.KeyPoint{Point: vision.Point{X: v[0] * unit.X, Y: v[1] * unit.Y}, Score: 1}
		if s.depths != nil {
			s.depths[i] = v[2] * f.depth * s.region.Width / float32(out.Size.X)
		}
		if k.Form == Pose {
			s.points[i].Score = sigmoid(v[3])
		}
	}
	for i, score := range []*float32{&s.score, &s.right} {
		if k.Form == PFLD || i == 1 && k.Form != Hand {
			break
		}
		if values, _, err = out.Floats(k.Output+1+i, 1); err != nil {
			return err
		}
		if len(values) > 0 {
			*score = values[0]
		}
	}
	switch k.Form {
	case Mesh:
		s.score = sigmoid(s.score)
	case Pose:
		return refine(s.points, out, k.Output+3)
	}
	return nil
}

// refine moves points to the mean of the scores around them in a heatmap, if it is sure.
func refine(points []vision.KeyPoint, out vision.Outputs, output int) error {
	heat, dims, err := out.Floats(output, 3)
	if err != nil || dims[2] != len(points) {
		return cmp.Or(err, fail(common.ErrShape, "output %d has %d heatmaps for %d points", output, dims[2], len(points)))
	}
	const around = 3 // cells on each side
	h, w := dims[0], dims[1]
	x, y := float32(out.Size.X)/float32(w), float32(out.Size.Y)/float32(h)
	for i := range points {
		p := &points[i].Point
		if !(p.X > -x && p.X < float32(out.Size.X) && p.Y > -y && p.Y < float32(out.Size.Y)) {
			continue
		}
		column, row := int(p.X/x), int(p.Y/y)
		var sum, most float32
		var mean vision.Point
		for r := max(row-around, 0); r < min(row+around+1, h); r++ {
			for c := max(column-around, 0); c < min(column+around+1, w); c++ {
				v := sigmoid(heat[(r*w+c)*dims[2]+i])
				sum, most = sum+v, max(most, v)
				mean.X, mean.Y = mean.X+v*float32(c), mean.Y+v*float32(r)
			}
		}
		if most >= 0.5 {
			*p = vision.Point{X: mean.X / sum * x, Y: mean.Y / sum * y}
		}
	}
	return nil
}

// simCC reads the place of each point from the largest scores of x and of y.
func (k *Marker) simCC(s *shape, out vision.Outputs) error {
	xs, dx, err := out.Floats(k.Output, 2)
	if err != nil {
		return err
	}
	ys, dy, err := out.Floats(k.Output+1, 2)
	if err != nil || dx[0] != dy[0] {
		return cmp.Or(err, fail(common.ErrShape, "outputs %d and %d have %d and %d points", k.Output, k.Output+1, dx[0], dy[0]))
	}
	const split = 2 // places in a pixel
	for i := range dx[0] {
		x, scoreX := best(xs[i*dx[1]:][:dx[1]])
		y, scoreY := best(ys[i*dy[1]:][:dy[1]])
		p := vision.KeyPoint{Point: vision.Point{X: x / split, Y: y / split}, Score: min(scoreX, scoreY)}
		s.points, s.score = append(s.points, p), s.score+max(p.Score, 0)/float32(dx[0])
	}
	s.score = min(s.score, 1)
	return nil
}

// best returns the index of the first largest score, and the score.
func best(scores []float32) (at, score float32) {
	score = float32(math.Inf(-1))
	for i, v := range scores {
		if v > score {
			at, score = float32(i), v
		}
	}
	return at, score
}

// landmarks returns what a shape is for users.
func (k *Marker) landmarks(s shape, img image.Image) Landmarks {
	f := forms[k.Form]
	l := Landmarks{Region: s.region, Right: s.right, Depths: s.depths}
	l.Detection = vision.Detection{Score: s.score, Label: f.label, Points: s.points}
	if f.kept > 0 && len(s.points) > f.kept {
		l.Detection.Points, l.Depths = s.points[:f.kept], s.depths[:f.kept]
	}
	if k.Form == Hand {
		l.Detection.Label, l.Detection.Class = "left hand", 0
		if s.right > 0.5 {
			l.Detection.Label, l.Detection.Class = "right hand", 1
		}
	}
	if len(l.Detection.Points) > 0 {
		b := img.Bounds()
		l.Detection.Rect = around(l.Detection.Points).Intersect(vision.Rect{
			Min: vision.Point{X: float32(b.Min.X), Y: float32(b.Min.Y)}, Max: vision.Point{X: float32(b.Max.X), Y: float32(b.Max.Y)}})
	}
	return l
}

func sigmoid(v float32) float32 { return float32(1 / (1 + math.Exp(-float64(v)))) }

// fail returns an error of this package.
func fail(kind error, format string, args ...any) error {
	return &common.Error{Op: "landmark", Kind: kind, Message: fmt.Sprintf(format, args...)}
}
