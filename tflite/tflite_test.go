// SPDX-License-Identifier: Apache-2.0

package tflite_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/anyinfer/anyinfer/tflite"
	"github.com/stretchr/testify/require"
)

func open(t *testing.T) *common.Engine {
	t.Helper()
	enginetest.Require(t, "tflite")
	e, err := common.Open("tflite", nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func load(t *testing.T, e *common.Engine, model string, o *common.Options) *common.Model {
	t.Helper()
	m, err := e.Load(context.Background(), common.File("../testdata/"+model+".tflite"), o)
	require.NoError(t, err)
	return m
}

// run runs digits on seeded data.
func run(t *testing.T, m *common.Model) []float64 {
	t.Helper()
	image, err := common.NewTensor(common.Float32, 1, 8, 8, 1)
	require.NoError(t, err)
	values.Fill(image, 1)
	out, err := m.Run(context.Background(), common.Tensors{"image": image})
	require.NoError(t, err)
	return values.Float64s(out["scores"])
}

func TestXNNPACK(t *testing.T) {
	e := open(t)
	with := load(t, e, "digits", nil)
	if runtime.GOARCH == "arm" {
		require.Empty(t, with.Info().Details, "the build at hand has none")
		return
	}
	without := load(t, e, "digits", &common.Options{Native: tflite.Options{NoXNNPACK: true}})
	require.Equal(t, map[string]string{"delegates": "XNNPACK"}, with.Info().Details)
	require.Empty(t, without.Info().Details)
	require.InDeltaSlice(t, run(t, with), run(t, without), 1e-6)
}

func TestRefusedOptions(t *testing.T) {
	e := open(t)
	for name, test := range map[string]struct {
		options common.Options
		kind    error
	}{
		"cache":     {common.Options{CacheDir: t.TempDir()}, common.ErrOption},
		"profile":   {common.Options{Profile: true}, common.ErrOption},
		"precision": {common.Options{Precision: common.Float16}, common.ErrOption},
		"native":    {common.Options{Native: "fast"}, common.ErrOption},
		"device":    {common.Options{Device: "GPU"}, common.ErrDevice},
		"channels":  {common.Options{Shapes: map[string]common.ShapeRange{"image": common.Fixed(1, 8, 8, 3)}}, common.ErrShape},
		"rank":      {common.Options{Shapes: map[string]common.ShapeRange{"image": common.Fixed(8, 8, 1)}}, common.ErrShape},
	} {
		_, err := e.Load(context.Background(), common.File("../testdata/digits.tflite"), &test.options)
		require.ErrorIs(t, err, test.kind, name)
	}
	_, err := e.Load(context.Background(), common.File("../testdata/digits.tflite"), &common.Options{Native: &tflite.Options{}})
	require.ErrorIs(t, err, common.ErrOption)
	require.ErrorContains(t, err, "Native is *tflite.Options; it takes tflite.Options, not a pointer")
	_, err = common.Open("tflite", &common.Config{Native: 1})
	require.ErrorIs(t, err, common.ErrOption)
}

// TestFixedBecomesDynamic: Shapes frees the batch of a model that fixes it.
func TestFixedBecomesDynamic(t *testing.T) {
	m := load(t, open(t), "digits", &common.Options{Shapes: map[string]common.ShapeRange{
		"image": {Min: common.Shape{1, 8, 8, 1}, Opt: common.Shape{2, 8, 8, 1}, Max: common.Shape{4, 8, 8, 1}},
	}})
	sig := m.Signatures()[0]
	require.Equal(t, common.Shape{-1, 8, 8, 1}, sig.Inputs[0].Shape)
	require.Equal(t, common.Shape{-1, -1}, sig.Outputs[0].Shape)
	one := run(t, m)
	image, err := common.NewTensor(common.Float32, 4, 8, 8, 1)
	require.NoError(t, err)
	first, err := common.NewTensor(common.Float32, 1, 8, 8, 1)
	require.NoError(t, err)
	values.Fill(first, 1)
	copy(image.Bytes()[3*len(first.Bytes()):], first.Bytes())
	out, err := m.Run(context.Background(), common.Tensors{"image": image})
	require.NoError(t, err)
	require.Equal(t, common.Shape{4, 10}, out["scores"].Shape())
	require.InDeltaSlice(t, one, values.Float64s(out["scores"])[30:], 1e-6)
	image, err = common.NewTensor(common.Float32, 5, 8, 8, 1)
	require.NoError(t, err)
	_, err = m.Run(context.Background(), common.Tensors{"image": image})
	require.ErrorIs(t, err, common.ErrShape)
}

// TestReportedText: TFLite's own words, which come with a va_list, are in the error.
func TestReportedText(t *testing.T) {
	_, err := open(t).Load(context.Background(), common.File("../testdata/multi.tflite"), &common.Options{
		Shapes: map[string]common.ShapeRange{"a": common.Fixed(4, 3)},
		Native: tflite.Options{NoXNNPACK: true},
	})
	require.ErrorIs(t, err, common.ErrShape)
	require.ErrorContains(t, err, "[4,3] and [2,3]")
}

// TestShapeTooSmall: a convolution that is left without output is an error,
// at Load and in Run, on XNNPACK and without.
func TestShapeTooSmall(t *testing.T) {
	e := open(t)
	for _, native := range []tflite.Options{{}, {NoXNNPACK: true}} {
		small := common.Shape{1, 2, 2, 1}
		_, err := e.Load(context.Background(), common.File("../testdata/digits.tflite"), &common.Options{
			Native: native, Shapes: map[string]common.ShapeRange{"image": common.Fixed(small...)},
		})
		require.ErrorIs(t, err, common.ErrShape)
		m := load(t, e, "digits", &common.Options{Native: native, Shapes: map[string]common.ShapeRange{
			"image": {Min: small, Opt: common.Shape{1, 8, 8, 1}, Max: common.Shape{1, 8, 8, 1}},
		}})
		image, err := common.NewTensor(common.Float32, small...)
		require.NoError(t, err)
		_, err = m.Run(context.Background(), common.Tensors{"image": image})
		require.ErrorIs(t, err, common.ErrShape)
		require.Len(t, run(t, m), 10, "the next Run is right")
	}
}
