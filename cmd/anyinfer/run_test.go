// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	suite "github.com/anyinfer/anyinfer/internal/enginetest"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

const models = "../../testdata/"

// enginetest needs both engines.
func enginetest(t *testing.T) {
	t.Helper()
	suite.Require(t, "openvino")
	suite.Require(t, "tflite")
}

func TestRunOneEngine(t *testing.T) {
	enginetest(t)
	out := t.TempDir()
	code, stdout, stderr := command(t, "run", models+"digits.onnx", "--engine", "openvino",
		"--input", "image="+models+"expected/digits_0_image.npy", "--out", out)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, filepath.Join(out, "scores.npy"))
	got, err := npy.ReadFile(filepath.Join(out, "scores.npy"))
	require.NoError(t, err)
	want, err := npy.ReadFile(models + "expected/digits_0_scores.npy")
	require.NoError(t, err)
	require.InDeltaSlice(t, values.Float64s(want), values.Float64s(got), 1e-6)
}

func TestRunSideBySide(t *testing.T) {
	enginetest(t)
	out := t.TempDir()
	code, stdout, stderr := command(t, "run", "--engine", "openvino,tflite", "--json", "--out", out, "--threads", "1",
		models+"digits.xml", models+"digits.bin", models+"digits.tflite")
	require.Zero(t, code, stderr)
	var result struct {
		Engines     []outcome
		Differences []difference
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &result))
	require.Len(t, result.Engines, 2)
	require.Equal(t, "openvino", result.Engines[0].Format)
	require.Equal(t, "tflite", result.Engines[1].Format)
	require.Equal(t, []int{1, 1, 8, 8}, result.Engines[0].Inputs[0].Shape)
	require.Equal(t, []int{1, 8, 8, 1}, result.Engines[1].Inputs[0].Shape)
	require.Len(t, result.Differences, 1)
	require.Empty(t, result.Differences[0].Why)
	require.Less(t, result.Differences[0].Abs, 2e-6)
	require.FileExists(t, filepath.Join(out, "openvino", "scores.npy"))
	require.FileExists(t, filepath.Join(out, "tflite", "scores.npy"))
	require.Equal(t, *result.Engines[0].Inputs[0].Mean, *result.Engines[1].Inputs[0].Mean, "the same random data")

}

func TestRunRefuses(t *testing.T) {
	enginetest(t)
	dir := t.TempDir()
	text := filepath.Join(dir, "text.npy")
	require.NoError(t, os.WriteFile(text, []byte("no array"), 0o666))
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"run"}, 2, "requires at least 1 arg"},
		{[]string{"run", "missing.onnx"}, 1, "missing.onnx"},
		{[]string{"run", models + "photo.png"}, 1, "cannot tell its format"},
		{[]string{"run", models + "digits.onnx", "--engine", "nope"}, 1, `no engine of that name; there are: openvino, tflite`},
		{[]string{"run", models + "digits.onnx", "--engine", "tflite"}, 1, "model not usable"},
		{[]string{"run", models + "digits.onnx", "--input", "image"}, 2, "want NAME=FILE.npy"},
		{[]string{"run", models + "digits.onnx", "--input", "image=" + text}, 1, "--input image"},
		{[]string{"run", models + "digits.onnx", "--input", "picture=" + models + "expected/digits_0_image.npy"}, 1, `no input "picture"; there are "image"`},
		{[]string{"run", models + "digits.onnx", "--input", "image=" + models + "expected/digits_0_scores.npy"}, 1, "takes the shape [1 1 8 8], not [1 10]"},
		{[]string{"run", models + "digits.onnx", "--device", "TPU"}, 1, `no device "TPU"; there are: CPU`},
		{[]string{"run", models + "digits.onnx", "--threads", "-1"}, 1, "Threads is -1"},
	} {
		code, _, stderr := command(t, test.args...)
		require.Equal(t, test.code, code, "%v: %s", test.args, stderr)
		require.Contains(t, stderr, test.want, test.args)
	}
}

func TestFit(t *testing.T) {
	scan, err := common.FromSlice(make([]float32, 64), 1, 1, 8, 8)
	require.NoError(t, err)
	for _, test := range []struct {
		want, got common.Shape
	}{
		{common.Shape{1, 8, 8, 1}, common.Shape{1, 8, 8, 1}},
		{common.Shape{-1, 1, 8, 8}, common.Shape{1, 1, 8, 8}},
		{common.Shape{1, 64}, common.Shape{1, 1, 8, 8}}, // not the same thing: common refuses it
	} {
		fitted, err := fit(scan, test.want)
		require.NoError(t, err)
		require.Equal(t, test.got, fitted.Shape())
	}
}

func TestLargestDifference(t *testing.T) {
	nan := values.Float64s(must(common.FromSlice([]float32{1, 2})))
	nan[0] = math.NaN()
	abs, rel := largestDifference([]float64{1, 2, 0}, []float64{1, 2.5, 1e-9})
	require.Equal(t, 0.5, abs)
	require.Equal(t, 0.2, rel)
	abs, _ = largestDifference(nan, []float64{1, 2})
	require.Greater(t, abs, 1e300)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
