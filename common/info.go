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
	Quant *Quantization // nil: the numbers are the values
	// Labels name what each index along the last dimension stands for, such as
	// the classes of a classifier, where the model's file tells; else nil.
	Labels []string
}

// Signature is one function of a model. Most models have one, named "".
type Signature struct {
	Name            string
	Inputs, Outputs []TensorInfo
}

// Dynamic reports whether any input's or output's shape is.
func (s Signature) Dynamic() bool {
	dynamic := func(t TensorInfo) bool { return t.Shape.Dynamic() }
	return slices.ContainsFunc(s.Inputs, dynamic) || slices.ContainsFunc(s.Outputs, dynamic)
}

// InputIndex is the index of the input of that name, or -1.
func (s Signature) InputIndex(name string) int { return indexOf(s.Inputs, name) }

// OutputIndex is the index of the output of that name, or -1.
func (s Signature) OutputIndex(name string) int { return indexOf(s.Outputs, name) }

func indexOf(infos []TensorInfo, name string) int {
	return slices.IndexFunc(infos, func(t TensorInfo) bool { return t.Name == name })
}

// EngineInfo says what an open engine really is.
type EngineInfo struct {
	Name    string // "openvino"
	Version string // the library's own version text
	Library string // the file that was opened, or "linked"
}

// Device is a processor an engine can run on.
type Device struct {
	Name        string // as in Options.Device: "CPU", "GPU.0"
	Description string // for people: "AMD EPYC 9R14"
}

// State says whether a model keeps variables from Run to Run, such as the past
// of a stream.
type State uint8

const (
	UnknownState State = iota // it counts as Stateful
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

// ModelInfo says what was really used for a loaded model.
type ModelInfo struct {
	Format    string // "onnx", "openvino", "tflite"
	Device    string
	Precision DType // of the arithmetic, where the engine tells; 0: not told
	Threads   int   // of one Run; 0: the engine decides
	Sessions  int   // Runs that can execute at once in Model.Run
	// State is what Session.Reset and Model.Run have to put back. Resetting may
	// take longer than a Run: see the engine's documentation.
	State State
	// Details are what else is in use, by keys that the engine's package
	// documents: "delegates" is "XNNPACK", "streams" is "4"; else nil.
	Details map[string]string
	// Metadata is what the model's file says of itself: "name", "description",
	// "version", "author", "license" and whatever else it has; else nil.
	Metadata map[string]string
}

// LayerTime is one line of a profile of the last Run.
type LayerTime struct {
	Name, Type string        // the layer's name and its operator
	Kernel     string        // the implementation that ran
	Duration   time.Duration // of wall-clock time; 0: the layer is part of another
}

// What users are given is theirs to change, so it is copied.

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
