// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"fmt"
	"strings"

	"github.com/anyinfer/anyinfer/common"
)

// task is what New returns.
type task interface {
	parts() (**common.Model, *Input)
}

// recognizer returns the task of a model with that signature and metadata. It may be ok
// without being sure, as the shapes of models of different tasks are the same.
type recognizer func(sig common.Signature, metadata map[string]string) (t task, sure, ok bool)

// New returns the task of a model: a *Detector, *Classifier, *Embedder, *Segmenter or
// *Matter, with everything that the model's metadata says of it, or, without that, that
// the names and shapes of its inputs and outputs show. Otherwise the error wraps
// common.ErrModel and says what they are; a program that knows the model fills a task's
// fields itself.
func New(m *common.Model) (any, error) {
	sig, err := firstSignature(m)
	if err != nil {
		return nil, err
	}
	metadata := m.Info().Metadata
	for _, recognize := range []recognizer{recognizeDetector, recognizeMatter, recognizeSegmenter, recognizeEmbedder, recognizeClassifier} {
		if t, sure, _ := recognize(sig, metadata); sure {
			model, _ := t.parts()
			*model = m
			return t, nil
		}
	}
	kind := ""
	if t := metadata["task"]; t != "" {
		kind = fmt.Sprintf("; its metadata names the task %q", t)
	}
	return nil, &common.Error{
		Op: "vision", Kind: common.ErrModel,
		Message: fmt.Sprintf("no known kind of model has the inputs %s and the outputs %s%s", describe(sig.Inputs...), describe(sig.Outputs...), kind),
		Hint:    "make a vision.Detector, Classifier, Embedder, Segmenter or Matter with the fields that fit the model",
	}
}

// newTask returns the task of a model that recognize knows.
func newTask[T task](m *common.Model, recognize recognizer) (none T, err error) {
	sig, err := firstSignature(m)
	if err != nil {
		return none, err
	}
	t, _, ok := recognize(sig, m.Info().Metadata)
	if !ok {
		other, err := New(m)
		if err == nil {
			name := func(t any) string { return strings.TrimPrefix(fmt.Sprintf("%T", t), "*vision.") }
			err = fail(common.ErrModel, "the model is for vision.%s, not for vision.%s", name(other), name(none))
		}
		return none, err
	}
	model, _ := t.parts()
	*model = m
	return t.(T), nil
}

// InputOf returns the Input of a task that New has made.
func InputOf(t any) Input {
	if t, ok := t.(task); ok {
		_, in := t.parts()
		return *in
	}
	return Input{}
}
