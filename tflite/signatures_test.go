// SPDX-License-Identifier: Apache-2.0

package tflite_test

import (
	"context"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/anyinfer/anyinfer/tflite"
	"github.com/stretchr/testify/require"
)

func fixed(name string, dims ...int) map[string]common.ShapeRange {
	return map[string]common.ShapeRange{name: common.Fixed(dims...)}
}

func tensor(t *testing.T, dims ...int) *common.Tensor {
	t.Helper()
	x, err := common.NewTensor(common.Float32, dims...)
	require.NoError(t, err)
	values.Fill(x, 1)
	return x
}

// TestSignatureShapes: Options.Shapes has inputs of any signature.
func TestSignatureShapes(t *testing.T) {
	e := open(t)
	m := load(t, e, "functions", &common.Options{Shapes: map[string]common.ShapeRange{
		"image": common.Fixed(1, 16, 20, 1), "picture": common.Fixed(2, 8, 8, 1),
	}})
	classify, edges := m.Signatures()[0], m.Signatures()[1]
	require.Equal(t, common.Shape{2, 8, 8, 1}, classify.Inputs[0].Shape)
	require.Equal(t, common.Shape{2, 10}, classify.Outputs[0].Shape)
	require.Equal(t, common.Shape{1, 16, 20, 1}, edges.Inputs[0].Shape)
	require.Equal(t, common.Shape{1, 8, 10, 1}, edges.Outputs[0].Shape)
	for _, name := range []string{"classify", "edges"} {
		s, err := m.NewSession(context.Background(), name)
		require.NoError(t, err)
		require.NoError(t, s.Run(context.Background()), "the inputs have their shapes")
		require.Equal(t, s.Signature().Outputs[0].Shape, s.Output(0).Shape())
	}
	for name, test := range map[string]struct {
		shapes map[string]common.ShapeRange
		kind   error
	}{
		"the tensor's name": {fixed("serving_default_image:0", 1, 8, 8, 1), common.ErrName},
		"an output":         {fixed("edges", 1, 8, 8, 1), common.ErrName},
		"channels":          {fixed("image", 1, 8, 8, 3), common.ErrShape},
		"too small":         {fixed("image", 1, 1, 1, 1), common.ErrShape},
	} {
		_, err := e.Load(context.Background(), common.File("../testdata/functions.tflite"), &common.Options{Shapes: test.shapes})
		require.ErrorIs(t, err, test.kind, name)
	}
}

// TestSignatureShapeTooSmall: it is an error in subgraphs beyond the first,
// too, on XNNPACK and without.
func TestSignatureShapeTooSmall(t *testing.T) {
	e := open(t)
	for _, native := range []tflite.Options{{}, {NoXNNPACK: true}} {
		m := load(t, e, "functions", &common.Options{Native: native})
		s, err := m.NewSession(context.Background(), "edges")
		require.NoError(t, err)
		for range 2 {
			require.NoError(t, s.BindInput(0, tensor(t, 1, 1, 1, 1)))
			require.ErrorIs(t, s.Run(context.Background()), common.ErrShape)
			require.NoError(t, s.BindInput(0, tensor(t, 1, 6, 4, 1)))
			require.NoError(t, s.Run(context.Background()), "the next Run is right")
			require.Equal(t, common.Shape{1, 3, 2, 1}, s.Output(0).Shape())
		}
	}
}
