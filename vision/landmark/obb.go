// SPDX-License-Identifier: Apache-2.0

package landmark

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/metadata"
	"github.com/anyinfer/anyinfer/vision"
)

// OBB is the head of YOLO's models for turned boxes. The points of a Detection are the corners of
// its box, clockwise in the picture or, seen from the box, from its bottom right upwards; Rect is
// around them.
type OBB struct {
	Output     int     // the one with center, size, scores of classes and the angle in radians
	Normalized bool    // centers and sizes are parts of the input, as in some TFLite files
	IoU        float32 // boxes of a class that are more similar than this to a better one are dropped; 0: 0.7
}

// NewOBB returns a Detector for a model that Ultralytics has exported. Otherwise the error wraps
// common.ErrModel. A model for pictures of any size needs Input.Size.
func NewOBB(m vision.Model) (*vision.Detector, error) {
	sig, about, err := vision.About(m)
	if err != nil {
		return nil, err
	}
	return newOBB(m, sig, about)
}

func newOBB(m vision.Model, sig common.Signature, about map[string]string) (*vision.Detector, error) {
	if about["task"] != "obb" || len(sig.Outputs) != 1 || strings.EqualFold(about["end2end"], "true") {
		return nil, fail(common.ErrModel, "the model's metadata name the task %q, and it has %d outputs; turned boxes are obb with 1, without end2end",
			about["task"], len(sig.Outputs))
	}
	in := vision.Input{Fit: vision.Letterbox, Pad: 114, Std: [3]float32{255, 255, 255}}
	return &vision.Detector{Model: m, Input: in, Head: &OBB{}, Labels: metadata.Names(about)}, nil
}

// Suppression returns none, because Decode has done it.
func (o *OBB) Suppression() vision.NMSOptions { return vision.NMSOptions{None: true} }

// Decode implements vision.Head. A box that is similar to a better one is dropped, also if that
// one is dropped too.
func (o *OBB) Decode(dst []vision.Detection, out vision.Outputs, minScore float32) ([]vision.Detection, error) {
	data, dims, err := out.Floats(o.Output, 2)
	if err != nil {
		return dst, err
	}
	values, boxes, value, box := dims[0], dims[1], dims[1], 1
	if boxes < values {
		values, boxes, value, box = boxes, values, 1, boxes
	}
	if values < 6 {
		return dst, fail(common.ErrShape, "output %d has %d values a box; center, size, a class and the angle are 6", o.Output, values)
	}
	unit := [4]float32{1, 1, 1, 1}
	if x, y := float32(out.Size.X), float32(out.Size.Y); o.Normalized {
		unit = [4]float32{x, y, x, y}
	}
	var all []turned
	for i := range boxes {
		at := func(v int) float32 { return data[i*box+v*value] }
		t := turned{row: i, score: minScore, class: -1, angle: float64(at(values - 1))}
		for c := 4; c < values-1; c++ {
			if v := at(c); v > t.score || t.class < 0 && v >= minScore {
				t.score, t.class = v, c-4
			}
		}
		sum := t.angle + float64(t.score)
		for v := range t.box {
			t.box[v] = float64(at(v) * unit[v])
			sum += t.box[v]
		}
		if t.class >= 0 && t.box[2] > 0 && t.box[3] > 0 && sum-sum == 0 {
			sin, cos := math.Sincos(t.angle)
			w, h := t.box[2]*t.box[2]/12, t.box[3]*t.box[3]/12
			t.xx, t.yy, t.xy = w*cos*cos+h*sin*sin, w*sin*sin+h*cos*cos, (w-h)*cos*sin
			all = append(all, t)
		}
	}
	slices.SortStableFunc(all, func(a, b turned) int { return cmp.Compare(b.score, a.score) })
	limit, first := float64(cmp.Or(o.IoU, 0.7)), len(dst)
	const most = 300
	for i, t := range all {
		similar := func(u turned) bool { return u.class == t.class && t.probIoU(u) > limit }
		if len(dst)-first < most && !slices.ContainsFunc(all[:i], similar) {
			points := t.corners()
			dst = append(dst, vision.Detection{Rect: around(points, nil), Score: t.score, Class: t.class, Row: t.row, Points: points})
		}
	}
	return dst, nil
}

// turned is a candidate with its center and size, and the covariance of the normal distribution
// that stands for it.
type turned struct {
	box               [4]float64
	angle, xx, yy, xy float64
	score             float32
	class, row        int
}

func (t *turned) corners() (all []vision.KeyPoint) {
	sin, cos := math.Sincos(t.angle)
	for _, s := range [4][2]float64{{1, 1}, {1, -1}, {-1, -1}, {-1, 1}} {
		x, y := s[0]*t.box[2]/2, s[1]*t.box[3]/2
		all = append(all, vision.KeyPoint{Point: vision.Point{X: float32(t.box[0] + x*cos - y*sin), Y: float32(t.box[1] + x*sin + y*cos)}, Score: 1})
	}
	return all
}

// probIoU returns one less the Hellinger distance of two boxes' distributions (Llerena et al.,
// Gaussian Bounding Boxes and Probabilistic Intersection-over-Union for Object Detection).
func (t *turned) probIoU(u turned) float64 {
	const eps = 1e-7
	a, b, c, x, y := t.xx+u.xx, t.yy+u.yy, t.xy+u.xy, t.box[0]-u.box[0], t.box[1]-u.box[1]
	det := a*b - c*c
	mean := (a*y*y+b*x*x)/(det+eps)/4 - c*x*y/(det+eps)/2
	spread := math.Log(det/(4*math.Sqrt(max(t.xx*t.yy-t.xy*t.xy, 0)*max(u.xx*u.yy-u.xy*u.xy, 0))+eps)+eps) / 2
	return 1 - math.Sqrt(1-math.Exp(-min(max(mean+spread, eps), 100))+eps)
}
