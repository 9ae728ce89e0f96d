// SPDX-License-Identifier: Apache-2.0

package ocr

import (
	"cmp"
	"context"
	"image"
	"math"
	"os"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

// Recognizer reads lines of text with a CTC model: CRNN or SVTR of PP-OCR. NewRecognizer fills
// the fields; they may be changed before the first call. The defaults, which are also what 0
// stands for, are those of RapidOCR. Many goroutines may call it.
type Recognizer struct {
	Model vision.Model
	Input vision.Input
	// Height is that of the input, if the model takes any: 48 from PP-OCR version 3 on, before it
	// 32. 0: 48 (rec_img_shape).
	Height     int
	Characters []string // of the classes from 1 on, without the space that may follow them
	Batch      int      // lines at a time, at most 16, where the model takes any number; 0: 6 (rec_batch_num)
	// MinWidth is the least width of a batch: shorter lines have zeros at the right, because the
	// models were trained so. 0: 320 (rec_img_shape). It is as wide as its longest line otherwise.
	MinWidth int

	runner vision.Runner
}

// maxWidth is the width to which longer lines are squeezed, so that there is memory for them.
const maxWidth = 1 << 14

// NewRecognizer returns a Recognizer for a model with an output of three dimensions. Its
// metadata name the characters, as in RapidOCR's files, or Characters must be set, say with
// ReadCharacters. Otherwise the error wraps common.ErrModel and says what the model has.
func NewRecognizer(m vision.Model) (*Recognizer, error) {
	r := &Recognizer{Model: m, Input: input}
	r.Input.Fit = vision.LetterboxLine
	_, metadata, err := about(m, 3)
	r.Characters = characters(metadata["character"])
	return r, err
}

// ReadCharacters reads a file with a character on each line, such as PaddleOCR's
// ppocr_keys_v1.txt.
func ReadCharacters(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	return characters(string(text)), err
}

func characters(text string) []string {
	if text = strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n"); text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// Recognize reads a picture that is one line.
func (r *Recognizer) Recognize(ctx context.Context, img image.Image) (Line, error) {
	all, err := r.RecognizeAll(ctx, []image.Image{img})
	if err != nil {
		return Line{}, err
	}
	return all[0], nil
}

// RecognizeAll is Recognize for many pictures. Those of similar width are read together.
func (r *Recognizer) RecognizeAll(ctx context.Context, imgs []image.Image) ([]Line, error) {
	strips := make([]strip, len(imgs))
	for i, img := range imgs {
		if err := check(img); err != nil {
			return nil, err
		}
		strips[i] = whole(img)
	}
	return r.recognize(ctx, strips)
}

func (r *Recognizer) recognize(ctx context.Context, strips []strip) ([]Line, error) {
	if len(r.Characters) == 0 {
		return nil, fail(common.ErrOption, "the Recognizer has no Characters, and the model does not name them; see ReadCharacters")
	}
	all := make([]Line, len(strips))
	size := func(w, h int, ratio float64) image.Point {
		h = cmp.Or(h, r.Height, 48)
		ratio = max(float64(cmp.Or(r.MinWidth, 320))/float64(h), ratio)
		return image.Pt(cmp.Or(w, min(int(float64(h)*ratio), maxWidth)), h)
	}
	err := batches(ctx, &r.runner, r.Model, r.Input, strips, r.Batch, size, func(out vision.Outputs, n, s int) error {
		at := out.N
		out.N = 0
		numbers, shape, err := out.Floats(0, 3)
		if err != nil {
			return err
		}
		// The steps come after the lines in PaddleOCR's models, and before them in others.
		lines, steps, classes := shape[0], shape[1], shape[2]
		line, step := steps*classes, classes
		if lines != n && steps == n {
			lines, steps, line, step = steps, lines, classes, n*classes
		}
		if extra := classes - len(r.Characters); lines <= at || extra != 1 && extra != 2 {
			return fail(common.ErrShape, "the output has the shape %v for %d lines; there are %d characters, "+
				"so it needs %d classes, or one more for the space", shape, n, len(r.Characters), len(r.Characters)+1)
		}
		all[s].Quad = strips[s].quad
		all[s].Text, all[s].Score = r.decode(numbers[at*line:], steps, step, classes)
		return nil
	})
	return all, err
}

// decode returns the text of the best class at each step, where class 0 is none, and the same
// class again is the same character.
func (r *Recognizer) decode(numbers []float32, steps, step, classes int) (string, float32) {
	var text []byte
	var sum float64
	count, last := 0, 0
	for i := range steps {
		best, score := 0, float32(math.Inf(-1))
		for class, v := range numbers[i*step:][:classes] {
			if v > score {
				best, score = class, v
			}
		}
		if best != last && best != 0 {
			if best <= len(r.Characters) {
				text = append(text, r.Characters[best-1]...)
			} else {
				text = append(text, ' ')
			}
			sum, count = sum+float64(score), count+1
		}
		last = best
	}
	return string(text), float32(sum / float64(max(count, 1)))
}
