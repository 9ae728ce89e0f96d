// SPDX-License-Identifier: Apache-2.0

// Package vision runs models on pictures: a Detector finds things and faces, a Classifier
// says what a picture shows, an Embedder compares pictures and faces, a Segmenter says what
// each pixel belongs to, and a Matter cuts the foreground out. New returns the one that a
// model is for, with what the model says of itself.
//
// Places in a picture are in its own coordinates, as package image has them: the corner of
// the first pixel is the Min of the picture's Bounds, which mostly is 0,0, and the centre of
// that pixel lies half a pixel to the right and down. So what is found in a part of a
// picture, such as SubImage returns, is where it is in the whole picture. Mattes and
// segmentation maps have the picture's Bounds.
package vision

import (
	"context"
	"fmt"

	"github.com/anyinfer/anyinfer/common"
)

// Task is a *Detector, *Classifier, *Embedder, *Segmenter or *Matter. A task has nothing to
// close: the program closes the Model.
type Task interface {
	parts() (*Model, *Input)
}

// Model is the model of a task: a *common.Model or a *common.LiveModel. A LiveModel can be
// replaced while pictures are looked at: each of them is by one model, and none fails. All
// of its models must be of the kind that the task's fields describe.
type Model interface {
	AcquireSession(ctx context.Context, signature string) (*common.Session, error)
}

// current returns the model that m is now, or nil.
func current(m Model) *common.Model {
	if live, ok := m.(*common.LiveModel); ok && live != nil {
		return live.Model()
	}
	model, _ := m.(*common.Model)
	return model
}

// firstSignature returns the signature of a model that a task runs.
func firstSignature(m *common.Model) (common.Signature, error) {
	if all := m.Signatures(); len(all) > 0 {
		return all[0], nil
	}
	return common.Signature{}, fail(common.ErrModel, "there is no model; set Model to one that common.Load returned")
}

// recognizers return the task of a model with that signature and metadata, or nil. It is
// certain if names, metadata or numbers show it: the shapes of different tasks are the same.
var recognizers = []func(sig common.Signature, metadata map[string]string) (t Task, certain bool){
	recognizeDetector, recognizeMatter, recognizeSegmenter, recognizeEmbedder, recognizeClassifier,
}

// New returns the task of a model, with everything that the model's metadata says of it,
// or, without that, that the names and shapes of its inputs and outputs show. Otherwise the
// error wraps common.ErrModel and says what they are; a program that knows the model fills
// a task's fields itself.
func New(m Model) (Task, error) { return newTask[Task](m, true) }

// newTask returns the task of a model that is a T, and is certain if it must be.
func newTask[T Task](m Model, must bool) (none T, err error) {
	now := current(m)
	sig, err := firstSignature(now)
	if err != nil {
		return none, err
	}
	metadata := now.Info().Metadata
	var other Task
	for _, recognize := range recognizers {
		t, certain := recognize(sig, metadata)
		if one, ok := t.(T); ok && (certain || !must) {
			model, in := one.parts()
			*model = m
			if at := pictureInput(sig); at >= 0 {
				if _, size, err := in.shape(sig.Inputs[at], 1); err == nil {
					in.Size = size
				}
			}
			return one, nil
		}
		if certain && other == nil {
			other = t
		}
	}
	if other != nil {
		return none, fail(common.ErrModel, "the model is for %T, not for %T", other, none)
	}
	kind := ""
	if t := metadata["task"]; t != "" {
		kind = fmt.Sprintf("; its metadata names the task %q", t)
	}
	return none, advise("a program that knows the model can fill the fields of a task itself", common.ErrModel,
		"no known kind of model has the inputs %s and the outputs %s%s", describe(sig.Inputs...), describe(sig.Outputs...), kind)
}

// InputOf returns the Input of a task, which may be changed before the task is used.
func InputOf(t Task) *Input {
	_, in := t.parts()
	return in
}
