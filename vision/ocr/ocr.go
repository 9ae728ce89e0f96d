// SPDX-License-Identifier: Apache-2.0

// Package ocr reads text in pictures with models of PP-OCR, versions 3 to 6, and other DB
// detectors and CTC recognizers, as RapidOCR does: a Detector finds lines of text, a Direction
// tells which of them are upside down, a Recognizer reads them, and a Reader does all three.
//
// Places are in the coordinates of the picture, as those of package vision are.
package ocr

import (
	"cmp"
	"context"
	"image"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

// Line is a line of text in a picture.
type Line struct {
	Quad  Quad
	Text  string
	Score float32 // 0..1: the mean of the characters' scores; 0 if there are none
}

// Quad are the corners of a line, clockwise from where the text begins above its first
// character, unless the text is upside down: then from below its last one.
type Quad [4]vision.Point

// Bounds returns the smallest upright rectangle around q.
func (q Quad) Bounds() vision.Rect {
	return vision.Rect{
		Min: vision.Point{X: min(q[0].X, q[1].X, q[2].X, q[3].X), Y: min(q[0].Y, q[1].Y, q[2].Y, q[3].Y)},
		Max: vision.Point{X: max(q[0].X, q[1].X, q[2].X, q[3].X), Y: max(q[0].Y, q[1].Y, q[2].Y, q[3].Y)},
	}
}

// sides returns the longer ones of the opposite sides of q.
func (q Quad) sides() (width, height float64) {
	length := func(a, b vision.Point) float64 { return math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y)) }
	return max(length(q[0], q[1]), length(q[2], q[3])), max(length(q[0], q[3]), length(q[1], q[2]))
}

// Reader reads the lines of a picture. Many goroutines may call Read.
type Reader struct {
	Detector   *Detector  // nil: the picture is one line
	Direction  *Direction // nil: no line is upside down
	Recognizer *Recognizer
	MinScore   float32 // the least score of a Line; 0: 0.5, as RapidOCR's text_score
}

// Read returns the lines in reading order: from the top to the bottom, and those next to each
// other from the left to the right. Columns are not told apart.
func (r *Reader) Read(ctx context.Context, img image.Image) ([]Line, error) {
	if err := check(img); err != nil {
		return nil, err
	}
	if r.Recognizer == nil {
		return nil, fail(common.ErrOption, "the Reader has no Recognizer")
	}
	strips := []strip{whole(img)}
	if r.Detector != nil {
		found, err := r.Detector.Detect(ctx, img)
		if err != nil {
			return nil, err
		}
		strips = strips[:0]
		for _, l := range found {
			strips = append(strips, newStrip(img, l.Quad))
		}
	}
	if r.Direction != nil {
		if err := r.Direction.turn(ctx, strips); err != nil {
			return nil, err
		}
	}
	lines, err := r.Recognizer.recognize(ctx, strips)
	return slices.DeleteFunc(lines, func(l Line) bool { return !(l.Score >= cmp.Or(r.MinScore, 0.5)) }), err
}
