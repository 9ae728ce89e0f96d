// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"fmt"
	"strings"

	"github.com/anyinfer/anyinfer/common"
)

// New returns the task of a model: a *Detector, *Classifier, *Embedder, *Segmenter or
// *Matter, with everything that the model's metadata says of it, or, without that, that
// the names and shapes of its inputs and outputs show. Otherwise the error wraps
// common.ErrModel and says what they are; a program that knows the model fills a task's
// fields itself.
func New(m *common.Model) (any, error) {
	sig, metadata := m.Signatures()[0], m.Info().Metadata
	for _, recognize := range heads {
		if head, in, labels, ok := recognize(sig, metadata); ok {
			return &Detector{Model: m, Input: in, Head: head, Labels: labels}, nil
		}
	}
	embedder, sure, isEmbedder := recognizeEmbedder(sig, metadata)
	if isEmbedder {
		embedder.Model = m
	}
	if sure {
		return embedder, nil
	}
	if c, ok := recognizeClassifier(sig, metadata); ok {
		c.Model = m
		return c, nil
	}
	if s, ok := recognizeSegmenter(sig, metadata); ok {
		s.Model = m
		return s, nil
	}
	if t, ok := recognizeMatter(sig, metadata); ok {
		t.Model = m
		return t, nil
	}
	if isEmbedder { // a vector, which nothing says is one of classes
		return embedder, nil
	}
	return nil, unknown(sig, metadata)
}

// heads are the families of detectors, in the order in which they are asked: those
// that metadata or names show come before those that only shapes show.
var heads = []func(common.Signature, map[string]string) (Head, Input, []string, bool){
	recognizeBoxes, recognizeDETR, recognizeSCRFD, recognizeRetinaFace, recognizeUltraFace, recognizeBlazeFace,
	recognizePicoDet, recognizeYOLO, recognizeYOLOX,
}

// unknown returns the error for a model that this package does not know.
func unknown(sig common.Signature, metadata map[string]string) error {
	task := ""
	if t := metadata["task"]; t != "" {
		task = fmt.Sprintf("; its metadata names the task %q", t)
	}
	return &common.Error{
		Op: "vision", Kind: common.ErrModel,
		Message: fmt.Sprintf("no known kind of model has the inputs %s and the outputs %s%s", describe(sig.Inputs), describe(sig.Outputs), task),
		Hint:    "make a vision.Detector, Classifier, Embedder, Segmenter or Matter with the fields that fit the model",
	}
}

// otherTask returns the error of a New function for a model of another task.
func otherTask(wanted string, got any) error {
	return fail(common.ErrModel, "the model is for a %s, not for a %s", strings.TrimPrefix(fmt.Sprintf("%T", got), "*vision."), wanted)
}
