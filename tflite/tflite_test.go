// SPDX-License-Identifier: Apache-2.0

package tflite_test

import (
	"runtime"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/testing/tfltest"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/anyinfer/anyinfer/tflite"
	"github.com/stretchr/testify/require"
)

func open(t *testing.T) *common.Engine {
	t.Helper()
	return enginetest.Open(t, "tflite", nil)
}

// run runs the model digits on seeded numbers and returns its scores.
func run(t *testing.T, m *common.Model) []float64 {
	t.Helper()
	out, err := m.Run(t.Context(), tfltest.Inputs(t, m, 1))
	require.NoError(t, err)
	return values.Float64s(out["scores"])
}

func TestXNNPACK(t *testing.T) {
	e := open(t)
	with := tfltest.Load(t, e, "digits", nil)
	if runtime.GOARCH == "arm" {
		require.Empty(t, with.Info().Details, "the build at hand has none")
		return
	}
	without := tfltest.Load(t, e, "digits", &common.Options{Native: tflite.Options{NoXNNPACK: true}})
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
	} {
		_, err := e.Load(t.Context(), enginetest.File(t, "digits.tflite"), &test.options)
		require.ErrorIs(t, err, test.kind, name)
	}
	_, err := e.Load(t.Context(), enginetest.File(t, "digits.tflite"), &common.Options{Native: &tflite.Options{}})
	require.ErrorIs(t, err, common.ErrOption)
	require.ErrorContains(t, err, "Native is *tflite.Options; it takes tflite.Options, not a pointer")
	_, err = common.Open("tflite", &common.Config{Native: 1})
	require.ErrorIs(t, err, common.ErrOption)
}

func TestScaleOne(t *testing.T) { tfltest.RefusesScaleOne(t, open(t)) }
