// SPDX-License-Identifier: Apache-2.0

package ocr

import (
	"cmp"
	"context"
	"image"
	"math"
	"reflect"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

// Detector finds lines of text with a model whose output is a map of the probabilities that
// there is text: DB of PP-OCR. NewDetector fills the fields; they may be changed before the
// first Detect. The defaults, which are also what 0 stands for, are those of RapidOCR; names in
// parentheses are its own. Many goroutines may call Detect.
type Detector struct {
	Model vision.Model
	Input vision.Input

	// Sizes are in pixels. The model sees the whole picture, and how long it takes depends on
	// the pixels that it sees; lines need about 10 of them in height to be found. If the size of
	// its input is fixed, it sees the picture in that size.
	MaxSide int // a picture with a longer side is made smaller; 0: 2000 (max_side_len)
	MinSide int // one with a shorter side is made larger; 0: 736 (limit_side_len with limit_type min), below 0: none

	// A picture that is at most MinHeight high, or wider than MaxRatio times its height, gets
	// black borders above and below, because the model does not find lines that fill its input.
	MinHeight int     // 0: 30 (min_height)
	MaxRatio  float32 // 0: 8 (width_height_ratio)

	Threshold  float32 // the probability of text; 0: 0.3 (thresh)
	NoDilation bool    // leaves places as they are, that otherwise become 2 by 2 (use_dilation)
	MinScore   float32 // the least mean of the probabilities of a line; 0: 0.5 (box_thresh)
	Unclip     float32 // how much larger than in the map lines are, 1.5 to 2; 0: 1.6 (unclip_ratio)
	MaxAreas   int     // how many areas of the map are looked at; 0: 1000 (max_candidates)

	runner vision.Runner
}

// NewDetector returns a Detector for a model with an input for pictures and an output of
// four dimensions. Otherwise the error wraps common.ErrModel and says what the model has.
func NewDetector(m vision.Model) (*Detector, error) {
	_, _, err := about(m, 4)
	return &Detector{Model: m, Input: input}, err
}

// input is the recipe of all models of PP-OCR in RapidOCR, -1 to 1. They were trained with
// OpenCV's order of colors.
var input = vision.Input{Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{127.5, 127.5, 127.5}, BGR: true}

// check returns an error if there is no picture.
func check(img image.Image) error {
	if v := reflect.ValueOf(img); img == nil || v.Kind() == reflect.Pointer && v.IsNil() || img.Bounds().Empty() {
		return fail(common.ErrInput, "the picture is nil or has no pixels")
	}
	return nil
}

// view says how a Detector sees a picture: in the size of pic, with borders of the height border
// above and below, and all that in the size of input.
type view struct {
	pic    image.Point
	border int
	input  image.Point
}

// full returns the size of the picture with borders.
func (v view) full() image.Point { return v.pic.Add(image.Pt(0, 2*v.border)) }

// scaled returns size times ratio, in multiples of 32, as RapidOCR rounds it.
func scaled(size image.Point, ratio float64) image.Point {
	side := func(n int) int { return max(int(math.RoundToEven(float64(int(float64(n)*ratio))/32))*32, 32) }
	return image.Pt(side(size.X), side(size.Y))
}

// view returns how d sees a picture of that size.
func (d *Detector) view(size image.Point) view {
	maxSide, minSide, minHeight := cmp.Or(d.MaxSide, 2000), cmp.Or(d.MinSide, 736), cmp.Or(d.MinHeight, 30)
	maxRatio := float64(cmp.Or(d.MaxRatio, 8))
	v := view{pic: size}
	if long := max(size.X, size.Y); long > maxSide {
		v.pic = scaled(v.pic, float64(maxSide)/float64(long))
	}
	const least = 30 // RapidOCR's min_side_len
	if short := min(v.pic.X, v.pic.Y); short < least {
		v.pic = scaled(v.pic, least/float64(short))
	}
	if w, h := v.pic.X, v.pic.Y; h <= minHeight || float64(w)/float64(h) > maxRatio {
		high := max(int(float64(w)/maxRatio), minHeight) * 2
		v.border = max(high-h, h-high) / 2
	}
	full := v.full()
	ratio := max(float64(minSide)/float64(min(full.X, full.Y)), 1)
	// A strip of paper is not made so long that there is no memory for it.
	v.input = scaled(full, min(ratio, 3*float64(maxSide)/float64(max(full.X, full.Y))))
	return v
}

// Detect returns the places of lines, without their text, in reading order: Score is the mean
// of the probabilities of text.
func (d *Detector) Detect(ctx context.Context, img image.Image) ([]Line, error) {
	if err := check(img); err != nil {
		return nil, err
	}
	bounds := img.Bounds()
	v := d.view(bounds.Size())
	sig, _, err := about(d.Model, 0)
	if err != nil {
		return nil, err
	}
	in := d.Input
	w, h := in.Sides(sig.Inputs[0])
	in.Size = image.Pt(cmp.Or(w, v.input.X), cmp.Or(h, v.input.Y))
	var to func(image.Point) (vision.Affine, error)
	if v.border > 0 {
		to = func(s image.Point) (vision.Affine, error) {
			full := v.full()
			x := float32(s.X) / float32(full.X) * float32(v.pic.X) / float32(bounds.Dx())
			border, y := float32(s.Y)/float32(full.Y)*float32(v.border), float32(s.Y)/float32(full.Y)*float32(v.pic.Y)/float32(bounds.Dy())
			return vision.Affine{x, 0, -x * float32(bounds.Min.X), 0, y, border - y*float32(bounds.Min.Y)}, nil
		}
	}
	var lines []Line
	err = d.runner.Run(ctx, d.Model, &in, []image.Image{img}, to, func(out vision.Outputs) error {
		numbers, shape, err := out.Floats(0, 3)
		if err != nil {
			return err
		}
		if shape[0] != 1 && shape[2] == 1 {
			shape = [3]int{1, shape[0], shape[1]}
		}
		if shape[0] != 1 || min(shape[1], shape[2]) < 1 || max(shape[1], shape[2]) > math.MaxInt32 {
			return fail(common.ErrShape, "the output has the shape %v, not that of a map of text", shape)
		}
		b := allBorders.Get().(*borders)
		lines = d.lines(b, numbers, shape[2], shape[1], v)
		allBorders.Put(b)
		return nil
	})
	sort(lines)
	fx, fy := float32(bounds.Dx())/float32(v.pic.X), float32(bounds.Dy())/float32(v.pic.Y)
	for i := range lines {
		for j, p := range lines[i].Quad { // from whole pixels, as RapidOCR sorts them, to those of the picture
			x, y := min(p.X*fx, float32(bounds.Dx())), min(max(p.Y-float32(v.border), 0)*fy, float32(bounds.Dy()))
			lines[i].Quad[j] = vision.Point{X: float32(bounds.Min.X) + x, Y: float32(bounds.Min.Y) + y}
		}
	}
	return lines, err
}

// lines returns the lines in a map of that size, in pixels of the picture with borders.
func (d *Detector) lines(b *borders, numbers []float32, w, h int, v view) (lines []Line) {
	const leastSide = 3 // of a rectangle in the map, and of a line
	full, minScore, ratio := v.full(), cmp.Or(d.MinScore, 0.5), float64(cmp.Or(d.Unclip, 1.6))
	b.load(numbers, w, h, cmp.Or(d.Threshold, 0.3), !d.NoDilation)
	b.each(cmp.Or(d.MaxAreas, 1000), func(hull []point) {
		r := minRect(hull)
		if min(r.w, r.h) < leastSide {
			return
		}
		score := b.score(numbers, r)
		if r = b.unclip(r, ratio); !(score >= minScore) || min(r.w, r.h) < leastSide+2 {
			return
		}
		place := func(at float64, from, to int) float32 {
			return float32(min(max(math.RoundToEven(at/float64(from)*float64(to)), 0), float64(to-1)))
		}
		var q Quad
		for i, c := range r.corners() {
			q[i] = vision.Point{X: place(c.x, w, full.X), Y: place(c.y, h, full.Y)}
		}
		q = ordered(q)
		side := func(a, b vision.Point) int { return int(math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y))) }
		if side(q[0], q[1]) > leastSide && side(q[0], q[3]) > leastSide {
			lines = append(lines, Line{Quad: q, Score: score})
		}
	})
	return lines
}

// sort sorts lines by their first corner, those with nearly the same height from the left to
// the right.
func sort(lines []Line) {
	const near = 10 // pixels, as in RapidOCR
	slices.SortStableFunc(lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.Quad[0].Y, b.Quad[0].Y), cmp.Compare(a.Quad[0].X, b.Quad[0].X))
	})
	for i := range lines {
		for j := i; j > 0; j-- {
			a, b := lines[j-1].Quad[0], lines[j].Quad[0]
			if b.Y-a.Y >= near || a.Y-b.Y >= near || b.X >= a.X {
				break
			}
			lines[j-1], lines[j] = lines[j], lines[j-1]
		}
	}
}
