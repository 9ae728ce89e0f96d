// SPDX-License-Identifier: Apache-2.0

// Package landmark finds points: of hands, bodies and faces with MediaPipe's models, of faces
// with PFLD, of bodies with RTMPose. A Marker finds those of one thing in a region of a picture,
// a Finder finds the regions first, with a vision.Detector, and a Tracker does so for the frames
// of a video. OBB is the head of YOLO's detectors of turned boxes.
package landmark

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

// Landmarks are the points of one hand, body or face.
type Landmarks struct {
	// Detection has the points, a Rect around those in the picture, the score that the thing is
	// there, and a label: "left hand", "right hand", "person" or "face".
	Detection vision.Detection
	// Depths are how far points are behind the wrist, the hips or the middle of the head, in
	// pixels; nil: the model does not tell.
	Depths []float32
	// Right is the score, 0..1, that it is a right hand, in a picture that is not a mirror image.
	// MediaPipe takes all pictures for mirror images, and calls it left.
	Right  float32
	Region Region // where the model has looked

	all []vision.KeyPoint // also those that only tell where to look in the next frame
}

// Form is what a model makes of a region.
type Form uint8

const (
	Hand  Form = iota // 21 points of MediaPipe's hand_landmark
	Pose              // 33 points of MediaPipe's pose_landmark
	Mesh              // 468 points of MediaPipe's face_landmark
	PFLD              // the points of a face, mostly 98 or 106, in parts of a region that is its box
	SimCC             // RTMPose's scores of all x and of all y, in half pixels
)

// forms have what MediaPipe's graphs say of its models, and the same of others.
var forms = [...]struct {
	label                        string
	points, kept, values, scores int // values of a point, and outputs with scores
	depth                        float32
	detected, tracked            line // which tells the region, in a detection and in the last frame
}{
	Hand:  {"hand", 21, 21, 3, 2, 2.5, line{0, 2, 90, 2.6, -0.5, false}, line{0, 9, 90, 2, -0.1, false}},
	Pose:  {"person", 39, 33, 5, 1, 1, line{0, 1, 90, 1.25, 0, true}, line{33, 34, 90, 1.25, 0, true}},
	Mesh:  {"face", 468, 468, 3, 1, 1, line{0, 1, 0, 1.5, 0, false}, line{33, 263, 0, 1.5, 0, false}},
	PFLD:  {label: "face", values: 2, detected: line{scale: 1}, tracked: line{scale: 1}},
	SimCC: {label: "person", detected: line{scale: 1.25}, tracked: line{scale: 1.25}},
}

// Marker finds the points of one thing in a region of a picture. NewMarker fills the fields;
// they may be changed before the first Mark. Many goroutines may call Mark.
type Marker struct {
	Model  vision.Model
	Input  vision.Input
	Form   Form
	Output int // the output with the points; scores, heatmaps, and y of SimCC are in the next ones

	runner vision.Runner
}

// NewMarker returns a Marker for a model whose outputs show which form it has. Otherwise the
// error wraps common.ErrModel.
func NewMarker(m vision.Model) (*Marker, error) {
	sig, _, err := vision.About(m)
	if err != nil {
		return nil, err
	}
	k := &Marker{Model: m, Input: vision.Input{Filter: vision.LinearWarp, Replicate: true, Std: [3]float32{255, 255, 255}}}
	last := func(o common.TensorInfo) int { return append(common.Shape{0}, o.Shape...)[len(o.Shape)] }
	for i, o := range sig.Outputs {
		k.Output = i
		switch n, more := last(o), len(sig.Outputs)-i; {
		case n == 3*21 && more >= 3:
			k.Form = Hand
		case n == 5*39 && more >= 4:
			k.Form = Pose
		case n == 3*468 && more >= 2:
			k.Form = Mesh
		case (n == 2*98 || n == 2*106) && len(o.Shape) == 2:
			k.Form, k.Input.Filter, k.Input.Replicate = PFLD, vision.Linear, false
		case o.Name == "simcc_x" && more >= 2:
			k.Form, k.Input.Replicate, k.Input.Size = SimCC, false, image.Pt(n/2, last(sig.Outputs[i+1])/2)
			k.Input.Mean, k.Input.Std = [3]float32{123.675, 116.28, 103.53}, [3]float32{58.395, 57.12, 57.375}
		default:
			continue
		}
		return k, nil
	}
	return nil, fail(common.ErrModel, "no known model for points has the outputs %v", sig.Outputs)
}

// Mark returns the points in a region, also if the score says that the thing is not there.
func (k *Marker) Mark(ctx context.Context, img image.Image, r Region) (Landmarks, error) {
	f := forms[int(k.Form)%len(forms)]
	l := Landmarks{Region: r, Detection: vision.Detection{Label: f.label, Score: 1}}
	var back vision.Affine
	to := func(size image.Point) (vision.Affine, error) {
		back = r.back(size)
		a := back
		if k.Form != PFLD { // 0,0 is the centre of the first pixel where these models' programs read pixels
			a[2], a[5] = a[2]+(1-a[0]-a[1])/2, a[5]+(1-a[3]-a[4])/2
		}
		return a.Inverse(), nil
	}
	err := k.runner.Run(ctx, k.Model, &k.Input, []image.Image{img}, to, func(out vision.Outputs) error {
		read := k.regression
		if k.Form == SimCC {
			read = k.simCC
		}
		return read(&l, out)
	})
	for i := range l.all {
		l.all[i].Point = back.Apply(l.all[i].Point)
	}
	l.Detection.Points = l.all
	if f.kept > 0 && len(l.all) > f.kept {
		l.Detection.Points, l.Depths = l.all[:f.kept], l.Depths[:f.kept]
	}
	if k.Form == Hand {
		l.Detection.Class = int(math.Round(float64(l.Right)))
		l.Detection.Label = [...]string{"left hand", "right hand"}[l.Detection.Class&1]
	}
	l.Detection.Rect = around(l.Detection.Points, img)
	return l, err
}

// regression reads the coordinates of points, in pixels of the input or, of PFLD, from 0 to 1.
func (k *Marker) regression(l *Landmarks, out vision.Outputs) error {
	f, scores := forms[int(k.Form)%len(forms)], [2]float32{1}
	values, _, err := out.Floats(k.Output, 1)
	for i := 0; i < f.scores && err == nil; i++ {
		var score []float32
		score, _, err = out.Floats(k.Output+1+i, 1)
		scores[i] = append(score[:len(score):len(score)], 0)[0]
	}
	if err == nil && (len(values)%f.values != 0 || f.points > 0 && len(values) != f.points*f.values) {
		err = fail(common.ErrShape, "output %d has %d numbers, not %d for each of %d points", k.Output, len(values), f.values, f.points)
	}
	if err != nil {
		return err
	}
	l.Detection.Score, l.Right = scores[0], scores[1]
	unit := vision.Point{X: 1, Y: 1}
	if k.Form == PFLD {
		unit = vision.Point{X: float32(out.Size.X), Y: float32(out.Size.Y)}
	}
	for v := range slices.Chunk(values, f.values) {
		p := vision.KeyPoint{Point: vision.Point{X: v[0] * unit.X, Y: v[1] * unit.Y}, Score: 1}
		if k.Form == Pose {
			p.Score = sigmoid(v[3])
		}
		if l.all = append(l.all, p); k.Form != PFLD {
			l.Depths = append(l.Depths, v[2]*f.depth*l.Region.Width/float32(out.Size.X))
		}
	}
	switch k.Form {
	case Mesh:
		l.Detection.Score = sigmoid(scores[0])
	case Pose:
		return refine(l.all, out, k.Output+3)
	}
	return nil
}

// refine moves points to the mean of the scores around them in a heatmap, if one is sure.
func refine(points []vision.KeyPoint, out vision.Outputs, output int) error {
	heat, dims, err := out.Floats(output, 3)
	if err != nil || dims[2] != len(points) {
		return cmp.Or(err, fail(common.ErrShape, "output %d has %d heatmaps for %d points", output, dims[2], len(points)))
	}
	const near = 4 // cells; MediaPipe's graph says 3, but its release 0.10.21 takes 4
	x, y := float32(out.Size.X)/float32(dims[1]), float32(out.Size.Y)/float32(dims[0])
	for i := range points {
		p := &points[i].Point
		if !(p.X > -x && p.X < float32(out.Size.X) && p.Y > -y && p.Y < float32(out.Size.Y)) {
			continue
		}
		column, row := int(p.X/x), int(p.Y/y)
		var sum, most, meanX, meanY float32
		for r := max(row-near, 0); r < min(row+near+1, dims[0]); r++ {
			for c := max(column-near, 0); c < min(column+near+1, dims[1]); c++ {
				v := sigmoid(heat[(r*dims[1]+c)*dims[2]+i])
				sum, most, meanX, meanY = sum+v, max(most, v), meanX+v*float32(c), meanY+v*float32(r)
			}
		}
		if most >= 0.5 {
			*p = vision.Point{X: meanX / sum * x, Y: meanY / sum * y}
		}
	}
	return nil
}

// simCC reads the place of each point from the largest scores of x and of y. The score of all
// is the mean.
func (k *Marker) simCC(l *Landmarks, out vision.Outputs) error {
	xs, dx, err := out.Floats(k.Output, 2)
	ys, dy, err2 := out.Floats(k.Output+1, 2)
	if err = cmp.Or(err, err2); err == nil && (dx[0] != dy[0] || dx[0]*dx[1]*dy[1] == 0) {
		err = fail(common.ErrShape, "outputs %d and %d have the shapes %v and %v", k.Output, k.Output+1, dx[:2], dy[:2])
	}
	if err != nil {
		return err
	}
	best := func(scores []float32, n, i int) (at, score float32) {
		scores = scores[i*n:][:n]
		score = slices.Max(scores)
		return float32(slices.Index(scores, score)), score
	}
	l.Detection.Score = 0
	for i := range dx[0] {
		x, scoreX := best(xs, dx[1], i)
		y, scoreY := best(ys, dy[1], i)
		score := min(max((scoreX+scoreY)/2, 0), 1)
		l.all = append(l.all, vision.KeyPoint{Point: vision.Point{X: x / 2, Y: y / 2}, Score: score})
		l.Detection.Score += score / float32(dx[0])
	}
	return nil
}

func sigmoid(v float32) float32 { return float32(1 / (1 + math.Exp(-float64(v)))) }

// fail returns an error of this package.
func fail(kind error, format string, args ...any) error {
	return &common.Error{Op: "landmark", Kind: kind, Message: fmt.Sprintf(format, args...)}
}
