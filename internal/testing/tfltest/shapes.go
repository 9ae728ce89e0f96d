// SPDX-License-Identifier: Apache-2.0

// Package tfltest has the tests that the engines for TFLite files share.
package tfltest

import (
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

// Shapes tests what an open engine does about shapes that the file does not have, with the models in dir. Each of
// natives, values of common.Options.Native, selects other kernels.
func Shapes(t *testing.T, e *common.Engine, dir string, natives ...any) {
	s := suite{e, dir}
	t.Run("fixed becomes dynamic", s.fixedBecomesDynamic)
	t.Run("signatures", s.signatureShapes)
	t.Run("aliases", s.aliasShapes)
	t.Run("refused", s.refusedShapes)
	for _, native := range natives {
		t.Run("too small", func(t *testing.T) { s.tooSmall(t, native) })
		t.Run("too small at first", func(t *testing.T) { s.tooSmallAtFirst(t, native) })
		t.Run("reason", func(t *testing.T) { s.reason(t, native) })
	}
}

func fixed(name string, dims ...int) map[string]common.ShapeRange {
	return map[string]common.ShapeRange{name: common.Fixed(dims...)}
}

// fixedBecomesDynamic: Shapes makes the batch dynamic in a model that fixes it.
func (s suite) fixedBecomesDynamic(t *testing.T) {
	m, err := s.load(t, "digits", &common.Options{Shapes: map[string]common.ShapeRange{
		"image": {Min: common.Shape{1, 8, 8, 1}, Opt: common.Shape{2, 8, 8, 1}, Max: common.Shape{4, 8, 8, 1}},
	}})
	require.NoError(t, err)
	sig := m.Signatures()[0]
	require.Equal(t, common.Shape{-1, 8, 8, 1}, sig.Inputs[0].Shape)
	require.Equal(t, common.Shape{-1, -1}, sig.Outputs[0].Shape)
	one, four := filled(t, 1, 8, 8, 1), filled(t, 4, 8, 8, 1)
	copy(four.Bytes()[3*len(one.Bytes()):], one.Bytes())
	scores := func(image *common.Tensor) []float64 {
		out, err := m.Run(t.Context(), common.Tensors{"image": image})
		require.NoError(t, err)
		require.Equal(t, common.Shape{image.Shape()[0], 10}, out["scores"].Shape())
		return values.Float64s(out["scores"])
	}
	require.InDeltaSlice(t, scores(one), scores(four)[30:], 1e-6)
	_, err = m.Run(t.Context(), common.Tensors{"image": filled(t, 5, 8, 8, 1)})
	require.ErrorIs(t, err, common.ErrShape)
}

// signatureShapes: Shapes has inputs of any signature.
func (s suite) signatureShapes(t *testing.T) {
	shapes := map[string]common.ShapeRange{"image": common.Fixed(1, 16, 20, 1), "picture": common.Fixed(2, 8, 8, 1)}
	m, err := s.load(t, "functions", &common.Options{Shapes: shapes})
	require.NoError(t, err)
	for i, name := range []string{"classify", "edges"} {
		sig, want := m.Signatures()[i], []common.Shape{{2, 10}, {1, 8, 10, 1}}[i]
		require.Equal(t, name, sig.Name)
		require.Equal(t, shapes[sig.Inputs[0].Name].Opt, sig.Inputs[0].Shape)
		require.Equal(t, want, sig.Outputs[0].Shape)
		r, err := m.NewSession(t.Context(), name)
		require.NoError(t, err)
		require.NoError(t, r.Run(t.Context()), "the inputs have their shapes")
		require.Equal(t, want, r.Output(0).Shape())
	}
}

// aliasShapes: outputs that are one tensor, or an input, get their shapes.
func (s suite) aliasShapes(t *testing.T) {
	shapes := map[string]common.ShapeRange{"first": common.Fixed(4, 3), "second": common.Fixed(4, 3)}
	m, err := s.load(t, "aliases", &common.Options{Shapes: shapes})
	require.NoError(t, err)
	out, err := m.Run(t.Context(), common.Tensors{"first": filled(t, 4, 3), "second": filled(t, 4, 3)})
	require.NoError(t, err)
	for _, info := range m.Signatures()[0].Outputs {
		require.Equal(t, common.Shape{4, 3}, info.Shape, info.Name)
		require.Equal(t, common.Shape{4, 3}, out[info.Name].Shape(), info.Name)
	}
}

func (s suite) refusedShapes(t *testing.T) {
	wide := int64(1) << 32
	for name, test := range map[string]struct {
		model  string
		shapes map[string]common.ShapeRange
		kind   error
	}{
		"channels":          {"digits", fixed("image", 1, 8, 8, 3), common.ErrShape},
		"rank":              {"digits", fixed("image", 8, 8, 1), common.ErrShape},
		"too large":         {"digits", fixed("image", int(wide), 8, 8, 1), common.ErrShape},
		"the tensor's name": {"functions", fixed("serving_default_image:0", 1, 8, 8, 1), common.ErrName},
		"an output":         {"functions", fixed("edges", 1, 8, 8, 1), common.ErrName},
		"other channels":    {"functions", fixed("image", 1, 8, 8, 3), common.ErrShape},
		"too small":         {"functions", fixed("image", 1, 1, 1, 1), common.ErrShape},
	} {
		_, err := s.load(t, test.model, &common.Options{Shapes: test.shapes})
		require.ErrorIs(t, err, test.kind, name)
	}
}

// tooSmall: a convolution that is left without output is an error, at Load and in Run. XNNPACK by itself would run
// some, and write where it should not.
func (s suite) tooSmall(t *testing.T, native any) {
	for _, small := range []common.Shape{{1, 2, 2, 1}, {1, 16, 1, 1}} {
		_, err := s.load(t, "digits", &common.Options{Native: native, Shapes: fixed("image", small...)})
		require.ErrorIs(t, err, common.ErrShape)
		m, err := s.load(t, "digits", &common.Options{Native: native, Shapes: map[string]common.ShapeRange{
			"image": {Min: common.Shape{1, 1, 1, 1}, Opt: common.Shape{1, 8, 8, 1}, Max: common.Shape{1, 16, 8, 1}},
		}})
		require.NoError(t, err)
		_, err = m.Run(t.Context(), common.Tensors{"image": filled(t, small...)})
		require.ErrorIs(t, err, common.ErrShape)
		out, err := m.Run(t.Context(), common.Tensors{"image": filled(t, 1, 8, 8, 1)})
		require.NoError(t, err, "the next Run is right")
		require.Equal(t, 10, out["scores"].Len())
	}
}

// tooSmallAtFirst: it is an error in subgraphs beyond the first, and for the shape that the file itself has for a
// dynamic input, too.
func (s suite) tooSmallAtFirst(t *testing.T, native any) {
	m, err := s.load(t, "functions", &common.Options{Native: native})
	require.NoError(t, err)
	r, err := m.NewSession(t.Context(), "edges")
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, r.BindInput(0, filled(t, 1, 1, 1, 1)))
		require.ErrorIs(t, r.Run(t.Context()), common.ErrShape)
		require.NoError(t, r.BindInput(0, filled(t, 1, 6, 4, 1)))
		require.NoError(t, r.Run(t.Context()), "the next Run is right")
		require.Equal(t, common.Shape{1, 3, 2, 1}, r.Output(0).Shape())
	}
}

// reason: the library's own words are in the error.
func (s suite) reason(t *testing.T, native any) {
	_, err := s.load(t, "multi", &common.Options{Native: native, Shapes: fixed("a", 4, 3)})
	require.ErrorIs(t, err, common.ErrShape)
	require.ErrorContains(t, err, "[4,3] and [2,3]")
}
