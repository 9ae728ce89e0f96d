// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"cmp"
	"context"
	"image"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// Classifier says what a picture shows. NewClassifier fills the fields with what the
// model says of itself; they may be changed before the first Classify, or be filled
// without it. Many goroutines may call Classify.
type Classifier struct {
	Model  Model
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
func NewClassifier(m Model) (*Classifier, error) { return newTask[*Classifier](m, false) }

func (c *Classifier) parts() (*Model, *Input) { return &c.Model, &c.Input }

// Classify returns the best classes, the best first.
func (c *Classifier) Classify(ctx context.Context, img image.Image) ([]Class, error) {
	return picture(ctx, &c.runner, c.Model, &c.Input, img, nil, c.Output, func(f *frame, a array) ([]Class, error) {
		return c.best(a.data, f.signature.Outputs[c.Output]), nil
	})
}

// best returns the best classes of an output with these values.
func (c *Classifier) best(values []float32, info common.TensorInfo) []Class {
	top := min(cmp.Or(max(c.Top, 0), 5), len(values))
	best := make([]Class, 0, top)
	for i, v := range values {
		at := len(best)
		for at > 0 && best[at-1].Score < v {
			at--
		}
		if at < top && v == v { // NaN has no place in an order
			best = slices.Insert(best[:min(len(best), top-1)], at, Class{Index: i, Score: v})
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
	background := len(values) - len(c.Labels)
	for i := range best {
		switch at := best[i].Index; {
		case background == 1 && at == 0:
			best[i].Label = "background"
		case background == 1:
			best[i].Label = c.Labels[at-1]
		case at < len(c.Labels):
			best[i].Label = c.Labels[at]
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
		if d != 1 && n != 1 {
			return 0
		}
		n *= d
	}
	return n
}

// recognizeClassifier is certain if it knows that the numbers are of classes.
func recognizeClassifier(m *modelInfo) (_ Task, certain bool) {
	n, task := count(m.Signature), m.metadata["task"]
	if !m.color || n == 0 || n == 1 || task != "" && task != "classify" {
		return nil, false
	}
	c := &Classifier{Labels: m.Outputs[0].Labels}
	switch c.Input = rawInput(m.image); {
	case task == "classify": // Ultralytics
		c.Input = Input{Fit: Crop, Filter: Smooth, Std: same(255)}
	case m.layout == NCHW && m.image.Quant == nil:
		c.Input = Input{Fit: Crop, Filter: Smooth, Mean: imageNetMean, Std: imageNetStd}
		c.Input.Short = min(sizeOr(m.size, 224).X, sizeOr(m.size, 224).Y) * 256 / 224
	}
	c.Input.Size = sizeOr(m.size, 224)
	if labels := m.labels(0); c.Labels == nil && len(labels) == n {
		c.Labels = labels
	}
	return c, c.Labels != nil || task != "" || n == 1000 || n == 1001
}
