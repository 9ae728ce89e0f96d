// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

const fixtures = "../../testdata/"

// requireEngines skips a test without these two engines.
func requireEngines(t *testing.T) {
	t.Helper()
	enginetest.Require(t, "openvino")
	enginetest.Require(t, "tflite")
}

// requireAllEngines skips a test where an engine is missing.
func requireAllEngines(t *testing.T) {
	t.Helper()
	for _, e := range common.Engines() {
		enginetest.Require(t, e)
	}
}

func TestRunOneEngine(t *testing.T) {
	requireEngines(t)
	out := t.TempDir()
	code, stdout, stderr := command(t, "run", fixtures+"digits.onnx", "--engine", "openvino",
		"--input", "image="+fixtures+"expected/digits_0_image.npy", "--out", out)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, filepath.Join(out, "scores.npy"))
	got, err := npy.ReadFile(filepath.Join(out, "scores.npy"))
	require.NoError(t, err)
	want, err := npy.ReadFile(fixtures + "expected/digits_0_scores.npy")
	require.NoError(t, err)
	require.InDeltaSlice(t, values.Float64s(want), values.Float64s(got), 1e-6)
}

func TestRunSideBySide(t *testing.T) {
	requireEngines(t)
	out := t.TempDir()
	code, stdout, stderr := command(t, "run", "--engine", "openvino,tflite", "--json", "--out", out, "--threads", "1",
		fixtures+"digits.xml", fixtures+"digits.bin", fixtures+"digits.tflite")
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
	requireEngines(t)
	dir := t.TempDir()
	text := filepath.Join(dir, "text.npy")
	require.NoError(t, os.WriteFile(text, []byte("no array"), 0o666))
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"run"}, 2, "name a model: anyinfer run MODEL..., a file that ends in .onnx, .xml, .tflite"},
		{[]string{"run", "missing.onnx"}, 1, `anyinfer: there is no file "missing.onnx"` + "\n"},
		{[]string{"run", fixtures + "digit.onnx"}, 1, "; did you mean " + fixtures + "digits.onnx?"},
		{[]string{"run", "--", fixtures + "digits.onnx", "--json"}, 1, `there is no file "--json"; write flags before --`},
		{[]string{"run", fixtures + "photo.png"}, 1, "name its engine with --engine"},
		{[]string{"run", fixtures + "digits.bin"}, 1, "name its .xml file before it"},
		{[]string{"run", "model.plan"}, 1, `there is no file "model.plan"`},
		{[]string{"run", fixtures + "digits.tnnmodel"}, 1, "name its .tnnproto file before it"},
		{[]string{"run", fixtures + "digits.onnx", "--engine", "nope"}, 2, `there is no engine "nope" (there are: `},
		{[]string{"run", fixtures + "digits.onnx", "--engine", "openvno"}, 2, `there is no engine "openvno"; did you mean openvino?`},
		{[]string{"run", fixtures + "digits.onnx", "--engine", "openvino,openvino"}, 2, "the engine openvino is named twice"},
		{[]string{"run", fixtures + "digits.onnx", "--engine", "tflite"}, 1, "tflite does not read " + fixtures + "digits.onnx; it reads files that end in .tflite; try --engine onnxruntime,openvino"},
		{[]string{"run", fixtures + "digits.onnx", "--input", "image"}, 2, "want NAME=FILE.npy"},
		{[]string{"run", fixtures + "digits.onnx", "--input", "image=" + text}, 1, "--input image"},
		{[]string{"run", fixtures + "digits.onnx", "--input", "imgae=" + fixtures + "expected/digits_0_image.npy"}, 1, `no input "imgae"; did you mean image?`},
		{[]string{"run", fixtures + "digits.onnx", "--input", "picture=" + fixtures + "expected/digits_0_image.npy"}, 1, `no input "picture"; there are: image`},
		{[]string{"run", fixtures + "digits.onnx", "--input", "image=" + fixtures + "expected/digits_0_scores.npy"}, 1, "takes the shape [1 1 8 8], not [1 10]"},
		{[]string{"run", fixtures + "digits.onnx", "--device", "TPU"}, 1, `no device "TPU"; the devices are: CPU`},
		{[]string{"run", fixtures + "digits.onnx", "--threads", "-1"}, 2, "--threads is -1"},
		{[]string{"run", fixtures + "digits.onnx", "--signature", "x"}, 1, `only one signature, without a name; leave out "x"`},
	} {
		code, _, stderr := command(t, test.args...)
		require.Equal(t, test.code, code, "%v: %s", test.args, stderr)
		require.Contains(t, stderr, test.want, test.args)
	}
}

func TestLargestDifference(t *testing.T) {
	nan := []float64{math.NaN(), 2}
	abs, rel := largestDifference([]float64{1, 2, 0}, []float64{1, 2.5, 1e-9})
	require.Equal(t, 0.5, abs)
	require.Equal(t, 0.2, rel)
	abs, _ = largestDifference(nan, []float64{1, 2})
	require.Greater(t, abs, 1e300)
}

func TestRunSignature(t *testing.T) {
	requireEngines(t)
	code, stdout, stderr := command(t, "run", fixtures+"functions.tflite", "--engine", "tflite", "--json", "--signature", "edges", "--shape", "image=1,16,8,1")
	require.Zero(t, code, stderr)
	var result struct{ Engines []outcome }
	require.NoError(t, json.Unmarshal([]byte(stdout), &result))
	require.Equal(t, "edges", result.Engines[0].Signature)
	require.Equal(t, []int{1, 8, 4, 1}, result.Engines[0].Outputs[0].Shape)
	for _, test := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--signature", "edge"}, `the model has no signature "edge"; did you mean edges?`},
		{[]string{"--signature", "edges", "--shape", "picture=1,8,8,1"}, `--shape: the model has no input "picture"; there are: image`},
		{[]string{"--shape", "picture=1,0"}, "--shape picture=1,0: want NAME=1,3,224,224"},
		{[]string{"--shape", "picture=1,8,8,3"}, "takes the shape [? 8 8 1], not [1 8 8 3]"},
	} {
		code, _, stderr := command(t, append([]string{"run", fixtures + "functions.tflite", "--engine", "tflite"}, test.flags...)...)
		require.NotZero(t, code)
		require.Contains(t, stderr, test.want)
	}
}

func TestRunContents(t *testing.T) {
	requireEngines(t)
	code, stdout, stderr := command(t, "run", fixtures+"labels.tflite", "--engine", "tflite", "--input", "image="+fixtures+"expected/digits_0_image.npy")
	require.Zero(t, code, stderr)
	require.Regexp(t, `\nENGINE +TENSOR +HOLDS\ntflite +out scores +two \(1\), three \(`, stdout)

	dir := t.TempDir()
	words, picks := filepath.Join(dir, "words.txt"), filepath.Join(dir, "picks.npy")
	require.NoError(t, os.WriteFile(words, []byte("one\ntwo\n"), 0o666))
	numbers, err := common.FromSlice([]int32{1, 0, 1})
	require.NoError(t, err)
	require.NoError(t, npy.WriteFile(picks, numbers))
	code, _, stderr = command(t, "run", fixtures+"strings.tflite", "--engine", "tflite", "--input", "words="+words, "--input", "picks="+picks, "--out", dir)
	require.Zero(t, code, stderr)
	chosen, err := os.ReadFile(filepath.Join(dir, "chosen.json"))
	require.NoError(t, err)
	require.JSONEq(t, `["two", "one", "two"]`, string(chosen))
}

// TestRunQuiet: messages of an SDK about its own set-up are not printed.
func TestRunQuiet(t *testing.T) {
	requireEngines(t)
	for engine, model := range map[string]string{"onnxruntime": "digits.onnx", "openvino": "digits.tflite", "tflite": "digits.tflite", "litert": "digits.tflite"} {
		enginetest.Require(t, engine)
		code, _, stderr := process(t, "run", fixtures+model, "--engine", engine)
		require.Zero(t, code, stderr)
		require.Empty(t, stderr, engine)
	}
}

func TestNotInstalled(t *testing.T) {
	t.Setenv("ANYINFER_SDK_DIR", t.TempDir())
	for _, e := range common.Engines() {
		t.Setenv(dylib.Spec{Engine: e}.Env(), "")
	}
	if _, engines := doctorJSON(t); engines["tflite"].Status != "missing" {
		t.Skip("the system's loader has TFLite")
	}
	for _, args := range [][]string{
		{"run", fixtures + "digits.tflite", "--engine", "tflite"}, {"inspect", fixtures + "digits.tflite", "--engine", "tflite"},
		{"bench", fixtures + "digits.tflite", "--engine", "tflite"},
	} {
		code, stdout, stderr := process(t, args...)
		require.Equal(t, 1, code)
		require.Equal(t, "anyinfer: tflite is not installed; type 'anyinfer sdk install tflite' ('anyinfer doctor tflite' lists the places searched)\n", stderr)
		require.Empty(t, stdout)
	}
	_, _, stderr := process(t, "run", fixtures+"digits.tflite")
	require.Regexp(t, `^anyinfer: none of .*tflite.* is installed; type 'anyinfer sdk install `, stderr)

	t.Setenv("ANYINFER_TFLITE_LIBRARY", "/nowhere")
	_, _, stderr = process(t, "run", fixtures+"digits.tflite", "--engine", "tflite")
	require.Contains(t, stderr, "tried /nowhere (ANYINFER_TFLITE_LIBRARY)", "the error has all details, since more is wrong")
}

// TestCutLast: the name of a tensor may contain what separates it from the file.
func TestCutLast(t *testing.T) {
	for flag, want := range map[string][2]string{"x=a.npy": {"x", "a.npy"}, "a=b=c.npy": {"a=b", "c.npy"}, "x": {"x", ""}} {
		before, after, found := cutLast(flag, "=")
		require.Equal(t, want, [2]string{before, after})
		require.Equal(t, after != "", found)
	}
}
