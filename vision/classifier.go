// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"image"
	"math"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
)

// Classifier says what a picture shows. NewClassifier fills the fields with what the
// model says of itself; they may be changed before the first Classify, or be filled
// without it. Many goroutines may call Classify.
type Classifier struct {
	Model  *common.Model
	Input  Input
	Output int      // the output that has a number for each class
	Labels []string // by class; one less than there are classes: without the background, which is class 0
	Top    int      // the number of classes that Classify returns; 0: 5
	// Raw leaves the numbers as they are: they are not probabilities of which one is
	// true, but, say, of features that a picture can have together. Otherwise numbers
	// that are no probabilities yet go through a softmax.
	Raw bool

	runner runner
}

// Class is a class of a Classifier and its score.
type Class struct {
	Index int
	Label string // "" if the labels are not known
	Score float32
}

// NewClassifier returns a Classifier for a model with a single output of one number a
// class. Otherwise the error wraps common.ErrModel and says what the model has.
func NewClassifier(m *common.Model) (*Classifier, error) {
	c, ok := recognizeClassifier(m.Signatures()[0], m.Info().Metadata)
	if !ok {
		return nil, unrecognized(m, "Classifier")
	}
	c.Model = m
	return c, nil
}

// Classify returns the best classes, the best first.
func (c *Classifier) Classify(ctx context.Context, img image.Image) ([]Class, error) {
	f, err := c.runner.picture(ctx, c.Model, &c.Input, img)
	if err != nil {
		return nil, err
	}
	defer c.runner.give(f)
	values, err := f.of(0).all(c.Output)
	if err != nil {
		return nil, err
	}
	defer values.free()
	return c.best(values.data, f.signature.Outputs[c.Output]), nil
}

// best returns the best classes of an output with these values.
func (c *Classifier) best(values []float32, info common.TensorInfo) []Class {
	top := c.Top
	if top <= 0 {
		top = 5
	}
	best := make([]Class, 0, min(top, len(values))+1)
	for i, v := range values {
		if v != v { // NaN has no place in an order
			continue
		}
		at, _ := slices.BinarySearchFunc(best, v, func(b Class, v float32) int {
			if b.Score >= v { // equal ones stay in their order
				return -1
			}
			return 1
		})
		if at < top {
			if len(best) == top {
				best = best[:top-1]
			}
			best = slices.Insert(best, at, Class{Index: i, Score: v})
		}
	}
	if len(best) > 0 && !c.Raw && !probabilities(values, info) {
		highest, sum := float64(best[0].Score), 0.0
		for _, v := range values {
			if v == v {
				sum += math.Exp(float64(v) - highest)
			}
		}
		for i := range best {
			best[i].Score = float32(math.Exp(float64(best[i].Score)-highest) / sum)
		}
	}
	for i := range best {
		b := &best[i]
		switch at := b.Index + len(c.Labels) - len(values); {
		case len(c.Labels) == len(values)-1 && b.Index == 0:
			b.Label = "background"
		case len(c.Labels) == len(values)-1:
			b.Label = c.Labels[at]
		case b.Index < len(c.Labels):
			b.Label = c.Labels[b.Index]
		}
	}
	return best
}

// probabilities reports whether values are the result of a softmax.
func probabilities(values []float32, info common.TensorInfo) bool {
	if q := info.Quant; q != nil && len(q.Scale) == 1 && info.DType != common.Float32 {
		// TFLite gives a softmax this scale, so that the sum of rounded values does not matter.
		return q.Scale[0] == 1.0/256 || q.Scale[0] == 1.0/32768
	}
	limit, sum := 0.001, 0.0
	if info.DType != common.Float32 {
		limit = 0.01
	}
	for _, v := range values {
		if !(v >= 0) {
			return false
		}
		sum += float64(v)
	}
	return math.Abs(sum-1) <= limit
}

// count returns how many numbers the only output of a model has for a picture: -1 if
// that is dynamic, 0 if there are more outputs or the numbers have places.
func count(sig common.Signature) int {
	if len(sig.Outputs) != 1 || len(sig.Outputs[0].Shape) < 2 {
		return 0
	}
	n := 1
	for _, d := range sig.Outputs[0].Shape[1:] {
		switch {
		case d != 1 && n != 1:
			return 0
		case d != 1:
			n = d
		}
	}
	return n
}

func recognizeClassifier(sig common.Signature, metadata map[string]string) (*Classifier, bool) {
	input, size, layout, ok := colorInput(sig)
	n := count(sig)
	if task := metadata["task"]; !ok || n == 0 || n == 1 || task != "" && task != "classify" {
		return nil, false
	}
	c := &Classifier{Labels: sig.Outputs[0].Labels}
	switch c.Input = rawInput(input); {
	case metadata["task"] == "classify": // Ultralytics
		c.Input = Input{Fit: Crop, Filter: Smooth, Std: same(255)}
	case layout == NCHW && input.Quant == nil:
		c.Input = Input{Fit: Crop, Filter: Smooth, Mean: imageNetMean, Std: imageNetStd}
		c.Input.Short = min(sizeOr(size, 224).X, sizeOr(size, 224).Y) * 256 / 224
	}
	c.Input.Size = sizeOr(size, 224)
	if lines := strings.Split(strings.TrimSpace(metadata["character"]), "\n"); c.Labels == nil && len(lines) == n { // PaddleOCR's relatives
		c.Labels = lines
	}
	return c, true
}
