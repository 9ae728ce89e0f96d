// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
)

func TestInspect(t *testing.T) {
	requireEngines(t)
	code, stdout, stderr := command(t, "inspect", "--json", fixtures+"digits_int8.tflite", "missing.onnx", fixtures+"edges.xml", fixtures+"edges.bin")
	require.Equal(t, 1, code)
	require.Equal(t, "anyinfer: there is no file \"missing.onnx\"\n", stderr)
	var all struct {
		Models []map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &all))
	require.Len(t, all.Models, 3)
	tensor := func(model int, side string) map[string]any {
		signatures := all.Models[model]["signatures"].([]any)
		require.Len(t, signatures, 1)
		return signatures[0].(map[string]any)[side].([]any)[0].(map[string]any)
	}
	require.Equal(t, map[string]any{
		"name": "image", "dtype": "int8", "shape": []any{1.0, 8.0, 8.0, 1.0}, "labels": []any{},
		"quantization": map[string]any{"scale": []any{0.003921569}, "zero_point": []any{-128.0}, "axis": 0.0},
	}, tensor(0, "inputs"))
	require.Equal(t, []any{1.0, 1.0, -1.0, -1.0}, tensor(2, "outputs")["shape"])
	require.Nil(t, tensor(2, "outputs")["quantization"])
	require.Equal(t, "openvino", all.Models[2]["engine"])
	require.Equal(t, []any{fixtures + "edges.xml", fixtures + "edges.bin"}, all.Models[2]["files"])
	require.Equal(t, `there is no file "missing.onnx"`, all.Models[1]["error"])
	require.NotContains(t, all.Models[0], "error")
	for _, m := range all.Models {
		delete(m, "error")
		require.Len(t, m, 12, "the same keys in all: %v", m)
	}

	code, stdout, stderr = command(t, "inspect", fixtures+"digits_int8.tflite", "--engine", "tflite")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, fixtures+"digits_int8.tflite\ntflite ")
	require.Regexp(t, `\nout scores +int8 +\[1 10\] +scale 0.003906, zero point -128\n$`, stdout)
}

// TestInspectMetadata checks that long metadata is cut, and whole in JSON.
func TestInspectMetadata(t *testing.T) {
	long := strings.Repeat("é\t\n{ ", 100)
	i := inspection{Metadata: map[string]string{"license": long, strings.Repeat("k", 200): "v", "author": "a\x1b[1m  b"}}
	var out strings.Builder
	require.NoError(t, i.print(&out))
	require.Contains(t, out.String(), "\n  author: a?[1m b\n")
	require.Regexp(t, `(?m)^  license: [é{ ]+\.\.\. \(600 bytes\)$`, out.String())
	require.Regexp(t, `(?m)^  k+\.\.\. \(200 bytes\): v$`, out.String())
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), tableWidth+1)
	}

	requireEngines(t)
	code, stdout, stderr := command(t, "inspect", "--json", "--engine", "openvino", fixtures+"classes.onnx")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, `"names": "{0: 'person', `)
	require.Contains(t, stdout, `"driver's seat"`)
}

func TestDescribe(t *testing.T) {
	nan := float32(math.NaN())
	text, err := json.Marshal(describe([]common.TensorInfo{
		{Name: "x", DType: common.Int8, Labels: []string{"a"}, Quant: &common.Quantization{Scale: []float32{0.5, nan}, ZeroPoint: []int64{0, 1}, Axis: 3}},
	}))
	require.NoError(t, err)
	require.JSONEq(t, `[{"name": "x", "dtype": "int8", "shape": null, "quantization": {"scale": [0.5, null], "zero_point": [0, 1], "axis": 3}, "labels": ["a"]}]`, string(text))

	a, b := float32(0.25), float32(4)
	require.Equal(t, "3 scales from 0.25 to 4 along axis 2", (&quantizationDescription{Scale: []*float32{&a, &b, &a}, Axis: 2}).String())
	require.Equal(t, "2 scales, not all finite, along axis 0", (&quantizationDescription{Scale: []*float32{&a, nil}}).String())
	require.Equal(t, "scale not finite, zero point 1", (&quantizationDescription{Scale: []*float32{nil}, ZeroPoint: []int64{1}}).String())
}

// TestInspectShape fixes the shapes of a dynamic model.
func TestInspectShape(t *testing.T) {
	for engine, test := range map[string]struct{ model, shape string }{
		"openvino": {"digits_dynamic.onnx", "3,1,8,8"}, "tflite": {"digits_dynamic.tflite", "3,8,8,1"}, "tensorrt": {"digits_dynamic.onnx", "3,1,8,8"},
	} {
		t.Run(engine, func(t *testing.T) {
			enginetest.Require(t, engine)
			code, stdout, stderr := command(t, "inspect", fixtures+test.model, "--engine", engine, "--shape", "image="+test.shape)
			require.Zero(t, code, stderr)
			require.Contains(t, stdout, "["+strings.ReplaceAll(test.shape, ",", " ")+"]")
			require.Regexp(t, `out scores +float32 +\[3 10\]`, stdout)
		})
	}
	requireEngines(t)
	code, _, stderr := command(t, "inspect", fixtures+"digits_dynamic.onnx", "--engine", "openvino", "--shape", "imag=3,1,8,8")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, `no input "imag"; the inputs are "image"`)
	code, _, stderr = command(t, "inspect", fixtures+"digits_dynamic.onnx", "--shape", "image=3,?,8,8")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "--shape image=3,?,8,8: want NAME=1,3,224,224")
}
