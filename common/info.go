// SPDX-License-Identifier: Apache-2.0

package common

import (
	"maps"
	"slices"
	"time"
)

// TensorInfo describes an input or output of a model.
type TensorInfo struct {
	Name  string
	DType DType
	Shape Shape         // -1: a dynamic dimension; nil: a dynamic rank
	Quant *Quantization // nil: the elements are the real numbers themselves
	// Labels name the indexes of the last dimension, such as the classes of a
	// classifier, if the model's file has them; else nil.
	Labels []string
}

// Signature is one function of a model. Most models have one, named "".
type Signature struct {
	Name            string
	Inputs, Outputs []TensorInfo
}

// Dynamic reports whether the shape of any input or output is dynamic.
func (s Signature) Dynamic() bool {
	dynamic := func(t TensorInfo) bool { return t.Shape.Dynamic() }
	return slices.ContainsFunc(s.Inputs, dynamic) || slices.ContainsFunc(s.Outputs, dynamic)
}

// InputIndex returns the index of the input of that name, or -1.
func (s Signature) InputIndex(name string) int { return indexOf(s.Inputs, name) }

// OutputIndex returns the index of the output of that name, or -1.
func (s Signature) OutputIndex(name string) int { return indexOf(s.Outputs, name) }

func indexOf(infos []TensorInfo, name string) int {
	return slices.IndexFunc(infos, func(t TensorInfo) bool { return t.Name == name })
}

// EngineInfo describes an open engine.
type EngineInfo struct {
	Name    string // "openvino"
	Version string // the version that the library reports
	Library string // the path of the file that was opened, or "linked"
}

// Device is a processor that an engine can use.
type Device struct {
	Name        string // as in Options.Device: "CPU", "GPU.0"
	Description string // for people: "AMD EPYC 9R14"
}

// State shows whether a model keeps variables from Run to Run, such as the past
// of a stream.
type State uint8

const (
	UnknownState State = iota // treated as Stateful
	Stateless
	Stateful
)

func (s State) String() string {
	switch s {
	case Stateless:
		return "stateless"
	case Stateful:
		return "stateful"
	}
	return "unknown"
}

// ModelInfo describes how a model was loaded.
type ModelInfo struct {
	Format    string // "onnx", "openvino", "tflite"
	Device    string
	Precision DType // of the arithmetic; 0: the engine does not report it
	Threads   int   // that one Run uses; 0: the engine decides
	Sessions  int   // number of Model.Run calls that can execute at the same time
	// State shows whether Session.Reset and Model.Run have variables to reset.
	// Resetting may take longer than a Run: see the engine's documentation.
	State State
	// Details has further settings in use, by keys that the engine's package
	// documents, such as "delegates": "XNNPACK" or "streams": "4"; it may be nil.
	Details map[string]string
	// Metadata has the texts in the model's file about the model: "name",
	// "description", "version", "author", "license" and others; it may be nil.
	Metadata map[string]string
}

// LayerTime is the time of one layer in the last Run.
type LayerTime struct {
	Name, Type string        // the layer's name and its operator
	Kernel     string        // the implementation that ran
	Duration   time.Duration // wall-clock time; 0: the layer ran as part of another
}

// The clone functions copy values for users, who may change them.

func (t TensorInfo) clone() TensorInfo {
	t.Shape, t.Labels = slices.Clone(t.Shape), slices.Clone(t.Labels)
	if t.Quant != nil {
		q := *t.Quant
		q.Scale, q.ZeroPoint = slices.Clone(q.Scale), slices.Clone(q.ZeroPoint)
		t.Quant = &q
	}
	return t
}

func (s Signature) clone() Signature {
	s.Inputs, s.Outputs = cloneAll(s.Inputs, TensorInfo.clone), cloneAll(s.Outputs, TensorInfo.clone)
	return s
}

func (m ModelInfo) clone() ModelInfo {
	m.Details, m.Metadata = maps.Clone(m.Details), maps.Clone(m.Metadata)
	return m
}

func cloneAll[T any](items []T, clone func(T) T) []T {
	copies := make([]T, len(items))
	for i, item := range items {
		copies[i] = clone(item)
	}
	return copies
}
