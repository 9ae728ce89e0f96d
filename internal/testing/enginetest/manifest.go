// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"encoding/json"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/stretchr/testify/require"
)

// entry is a model of testdata/models.json, or one of its signatures.
type entry struct {
	Name            string
	Engines         []string // which can run it; nil: all that read one of its files
	Files           map[string][]string
	Inputs, Outputs []info
	// Shapes are those that differ in a format, by format and tensor. The
	// elements are the same and in the same order.
	Shapes    map[string]map[string]common.Shape
	Tolerance struct {
		Abs, Rel float64
		Steps    *float64 // for quantized integers
	}
	Quant map[string]map[string]struct {
		Scale     []float32
		ZeroPoint []int64 `json:"zero_point"`
		Axis      int
	}
	Metadata   map[string]string
	Signatures []entry
	Cases      []struct{ Inputs, Outputs map[string]array }
	// Stream has the outputs of the cases where one session runs them in a row,
	// in a model that keeps a state.
	Stream []map[string]array
}

type info struct {
	Name   string
	DType  string
	Shape  common.Shape
	NPY    string // dtype in .npy files where they cannot have DType: the bits
	Labels []string
}

// array is a tensor's elements: an .npy file or a vector of strings.
type array struct {
	file    string
	strings []string
}

func (a *array) UnmarshalJSON(text []byte) error {
	if text[0] == '[' {
		return json.Unmarshal(text, &a.strings)
	}
	return json.Unmarshal(text, &a.file)
}

// readManifest is what there is for the engine.
func readManifest(t *testing.T, root, engine string) []entry {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "testdata", "models.json"))
	require.NoError(t, err)
	var manifest struct{ Models []entry }
	require.NoError(t, json.Unmarshal(text, &manifest))
	require.NotEmpty(t, manifest.Models)
	return slices.DeleteFunc(manifest.Models, func(e entry) bool { return e.Engines != nil && !slices.Contains(e.Engines, engine) })
}

// file is the model on disk.
func (e entry) file(root, format string) common.Source { return common.File(e.paths(root, format)[0]) }

func (e entry) paths(root, format string) []string {
	var paths []string
	for _, f := range e.Files[format] {
		paths = append(paths, filepath.Join(root, "testdata", filepath.FromSlash(f)))
	}
	return paths
}

// bytes are the model's files.
func (e entry) bytes(t *testing.T, root, format string) [][]byte {
	t.Helper()
	var all [][]byte
	for _, p := range e.paths(root, format) {
		b, err := os.ReadFile(p)
		require.NoError(t, err)
		all = append(all, b)
	}
	return all
}

// shape is the shape of a tensor in a format.
func (e entry) shape(format string, i info) common.Shape {
	if s, ok := e.Shapes[format][i.Name]; ok {
		return s
	}
	return i.Shape
}

// tensors reads the inputs or outputs of a case.
func (e entry) tensors(t *testing.T, root, format string, infos []info, arrays map[string]array) common.Tensors {
	t.Helper()
	all := common.Tensors{}
	for _, i := range infos {
		if i.DType == common.String.String() {
			x, err := common.FromSlice(arrays[i.Name].strings)
			require.NoError(t, err)
			all[i.Name] = x
			continue
		}
		x, err := npy.ReadFile(filepath.Join(root, "testdata", filepath.FromSlash(path.Clean(arrays[i.Name].file))))
		require.NoError(t, err)
		dt, err := common.ParseDType(i.DType)
		require.NoError(t, err)
		shape := concrete(t, e.shape(format, i), i.Shape, x.Shape())
		y, err := common.NewTensor(dt, shape...)
		require.NoError(t, err)
		require.Equal(t, len(y.Bytes()), copy(y.Bytes(), x.Bytes()))
		require.Len(t, x.Bytes(), len(y.Bytes()))
		all[i.Name] = y
	}
	return all
}

// concrete is shape with its dynamic dimensions as actual has those of base.
func concrete(t *testing.T, shape, base, actual common.Shape) common.Shape {
	t.Helper()
	require.True(t, base.Accepts(actual), "%v for %v", actual, base)
	if !shape.Dynamic() && base.Dynamic() {
		return actual // it was asked for, with options
	}
	shape = append(common.Shape{}, shape...)
	for i, d := range base {
		if d == -1 {
			j := slices.Index(shape, -1)
			require.GreaterOrEqual(t, j, 0)
			shape[j] = actual[i]
		}
	}
	return shape
}

// needed is nil, or for a model with dynamic dimensions what a Bounded engine
// wants.
func (s *suite) needed(t *testing.T, e entry, format string) *common.Options {
	t.Helper()
	if !s.Bounded {
		return nil
	}
	return s.suited(t, e, format, nil)
}

// oneThread are options for a Run that takes one.
func (s *suite) oneThread() *common.Options {
	if s.Threadless {
		return &common.Options{}
	}
	return &common.Options{Threads: 1}
}

// suited are options with the shapes of all cases, for inputs that are dynamic
// but not in this format, whose files have no dynamic dimensions, or not for
// this engine.
func (s *suite) suited(t *testing.T, e entry, format string, o *common.Options) *common.Options {
	t.Helper()
	shapes := map[string]common.ShapeRange{}
	for _, info := range e.Inputs {
		if !info.Shape.Dynamic() || e.shape(format, info).Dynamic() && !s.Bounded {
			continue
		}
		var r common.ShapeRange
		for n := range e.Cases {
			shape := s.in(t, e, format, n)[info.Name].Shape()
			if n == 0 {
				r = common.ShapeRange{Min: slices.Clone(shape), Opt: shape, Max: slices.Clone(shape)}
			}
			for i, d := range shape {
				r.Min[i], r.Max[i] = min(r.Min[i], d), max(r.Max[i], d)
			}
		}
		shapes[info.Name] = r
	}
	if len(shapes) == 0 {
		return o
	}
	with := common.Options{}
	if o != nil {
		with = *o
	}
	with.Shapes = shapes
	return &with
}

func (s *suite) in(t *testing.T, e entry, format string, n int) common.Tensors {
	t.Helper()
	return e.tensors(t, s.root, format, e.Inputs, e.Cases[n].Inputs)
}

func (s *suite) want(t *testing.T, e entry, format string, n int) common.Tensors {
	t.Helper()
	return e.tensors(t, s.root, format, e.Outputs, e.Cases[n].Outputs)
}

// check fails where got is not want within the entry's tolerance.
func (e entry) check(t *testing.T, want, got common.Tensors, note ...any) {
	t.Helper()
	require.Len(t, got, len(want), note...)
	for name, w := range want {
		if diff := e.differ(w, got[name]); diff != "" {
			t.Fatalf("output %q: %s %v", name, diff, note)
		}
	}
}

// differ says how got differs from want; "" where it is right.
func (e entry) differ(want, got *common.Tensor) string {
	if !got.Is(want.DType(), want.Shape()) {
		return "it is " + got.DType().String() + got.Shape().String() + ", not " + want.DType().String() + want.Shape().String()
	}
	limit := func(ref float64) float64 { return e.Tolerance.Abs + e.Tolerance.Rel*math.Abs(ref) }
	if e.Tolerance.Steps != nil {
		limit = func(float64) float64 { return *e.Tolerance.Steps }
	}
	return differ(want, got, limit)
}
