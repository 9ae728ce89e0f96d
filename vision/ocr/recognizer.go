// SPDX-License-Identifier: Apache-2.0

package ocr

import (
	"cmp"
	"context"
	"image"
	"math"
	"os"
	"slices"
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
	Batch      int      // lines at a time, where the model takes any number; 0: 6 (rec_batch_num)
	// MinWidth is the least width of a batch: shorter lines have zeros at the right, because the
	// models were trained so. 0: 320 (rec_img_shape). It is as wide as its longest line otherwise.
	MinWidth int

	runner runner
}

// maxWidth is the width to which longer lines are squeezed, so that there is memory for them.
const maxWidth = 1 << 14

// NewRecognizer returns a Recognizer for a model with an output of three dimensions. Its
// metadata name the characters, as in RapidOCR's files, or Characters must be set, say with
// ReadCharacters. Otherwise the error wraps common.ErrModel and says what the model has.
func NewRecognizer(m vision.Model) (*Recognizer, error) {
	r := &Recognizer{Model: m, Input: input}
	r.Input.Fit = vision.LetterboxLine
	f, err := newFrame(m, &r.Input, 3)
	if err == nil {
		r.Characters = characters(f.model.Info().Metadata["character"])
	}
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
	size := func(w, h int, ratio float64) (int, int) {
		h = cmp.Or(max(h, 0), r.Height, 48)
		ratio = max(float64(cmp.Or(r.MinWidth, 320))/float64(h), ratio)
		return cmp.Or(max(w, 0), min(int(float64(h)*ratio), maxWidth)), h
	}
	err := batches(ctx, &r.runner, r.Model, &r.Input, strips, r.Batch, size, func(f *frame, some []int) error {
		out, shape, err := f.outputs(3)
		if err != nil {
			return err
		}
		numbers, _, err := out.Floats(0, 3)
		if err != nil {
			return err
		}
		// The steps come after the lines in PaddleOCR's models, and before them in others.
		lines, steps, classes := shape[0], shape[1], shape[2]
		line, step := steps*classes, classes
		if n := f.input.Shape()[0]; lines != n && steps == n {
			lines, steps, line, step = steps, lines, classes, n*classes
		}
		if extra := classes - len(r.Characters); lines < len(some) || extra != 1 && extra != 2 {
			return fail(common.ErrShape, "the output has the shape %v for %d lines; there are %d characters, "+
				"so it needs %d classes, or one more for the space", shape, len(some), len(r.Characters), len(r.Characters)+1)
		}
		for i, at := range some {
			all[at].Quad = strips[at].quad
			all[at].Text, all[at].Score = r.decode(numbers[i*line:], steps, step, classes)
		}
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

// batches runs a model on strips, as many at a time as its batch has, else batch, in the order
// of their width for the height, and calls read with the indexes of each batch. size returns the
// size of the input, whose own is 0 or less where it is dynamic, for strips of up to that ratio.
func batches(ctx context.Context, r *runner, m vision.Model, in *vision.Input, strips []strip, batch int,
	size func(w, h int, ratio float64) (int, int), read func(f *frame, some []int) error) error {
	f, err := newFrame(m, in, 0)
	if err != nil {
		return err
	}
	batch = cmp.Or(max(f.info.Shape[0], 0), max(batch, 0), 6)
	order := make([]int, len(strips))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(strips[a].ratio(), strips[b].ratio()) })
	for some := range slices.Chunk(order, batch) {
		widest := strips[some[len(some)-1]].ratio()
		fit := func(w, h int) (int, int) { return size(w, h, widest) }
		fill := func(f *frame) (err error) {
			for i := 0; i < len(some) && err == nil; i++ {
				err = f.fill(in, i, strips[some[i]])
			}
			return err
		}
		if err := r.run(ctx, m, in, len(some), fit, fill, func(f *frame) error { return read(f, some) }); err != nil {
			return err
		}
	}
	return nil
}

// fill writes a strip into picture n of the input, with zeros at its right.
func (f *frame) fill(in *vision.Input, n int, s strip) error {
	back, err := in.Fill(f.input, f.info.Quant, n, f.cutter.cut(s))
	if err != nil || in.Fit != vision.LetterboxLine || f.info.Quant != nil {
		return err
	}
	shape, bytes := f.input.Shape(), f.input.Bytes()
	w := shape[f.height+1]
	used := min(int(math.Round(float64(s.shape().X)/float64(back[0]))), w)
	row := w * f.info.DType.Size()
	if f.channels == 3 {
		row *= shape[3]
	}
	all := len(bytes) / shape[0]
	for rest := bytes[n*all:][:all]; len(rest) > 0; rest = rest[row:] {
		clear(rest[row/w*used : row])
	}
	return nil
}
