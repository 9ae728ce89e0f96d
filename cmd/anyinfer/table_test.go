// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/bench"
)

// fits checks that text fits a terminal, and returns its lines.
func fits(t *testing.T, text string) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for _, l := range lines {
		require.LessOrEqual(t, utf8.RuneCountInString(l), 100, text)
	}
	return lines
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	table := newTable(&b, "A", "LONGER", "C")
	table.row("1", "", "é\t3")
	table.row("second", "an answer that reaches behind its column")
	require.NoError(t, table.flush())
	require.Equal(t, "A       LONGER  C\n1               é?3\nsecond  an answer that reaches behind its column\n", b.String())

	require.Equal(t, []string{"one two", "three", "seventeen/", "nine. x"}, wrap("one two three seventeen/nine. x", 10))
	require.Equal(t, []string{"/bb/", "cccd", "dd"}, wrap("/bb/cccddd", 4))
	require.Equal(t, []string{"abcd", "efgh"}, wrap("abcdefgh", 4))
	require.Equal(t, []string{""}, wrap("", 4))

	require.Equal(t, "/a/b/c", shortPath("/a/b/c", 6))
	require.Equal(t, ".../c", shortPath("/aa/b/c", 6))
	require.Equal(t, "/aaa/long", shortPath("/aaa/long", 7), "the file name is not cut")
	require.Equal(t, `...\b.dll`, shortPath(`C:\folder\b.dll`, 10))
}

// TestTableWidth: tables fit 100 columns with the longest values.
func TestTableWidth(t *testing.T) {
	names := append(common.Engines(), "onnxruntime") // as long as a name may get

	var b bytes.Buffer
	r := &bench.Report{Warnings: []string{"onnxruntime: a short one", strings.Repeat("a long one ", 11)}}
	for _, e := range names {
		r.Engines = append(r.Engines, bench.Result{
			Engine: e, Loaded: bench.Loaded{Version: "2026.4.1-22982-e213a147257-releases/2026/4", Device: "GPU.0", File: "models/a model.onnx", Threads: 128,
				Details: map[string]string{"delegates": "XNNPACK in part", "plan": "/var/cache/plans/" + strings.Repeat("0123456789abcdef", 2), "streams": "16"},
				LoadMS:  12345.6, FirstRunMS: 1234.5},
			Latency:  bench.Latencies{Min: 123456, P50: 12.3456, P90: 1234567, P99: 1.23456, Max: 123456789},
			RunsPerS: 1234567, PeakMemory: 123456e6, Ratio: 12345.678,
		})
	}
	require.NoError(t, printBench(&b, r))
	require.Len(t, fits(t, b.String()), 2*len(names)+1+1+len(names)+1+3, "a line an engine in the table: %s", b.String())

	b.Reset()
	var all []health
	for _, e := range names {
		all = append(all,
			health{Engine: e, Status: "missing", Fix: "x", installable: true}, health{Engine: e, Status: "broken"},
			health{Engine: e, Status: "ready", Version: "2026.4.1-22982-e213a147257", Library: "/home/a longer name/.cache/anyinfer/sdk/" + e + "/2026.4.1/linux-amd64/lib/libanyinfer_" + e + ".so.2641",
				Devices: []common.Device{{Name: "CPU"}, {Name: "GPU.0"}, {Name: "GPU.1"}, {Name: "GPU.2"}, {Name: "NPU"}}})
	}
	require.NoError(t, printHealth(&b, all, false, false))
	lines := fits(t, b.String())
	require.Len(t, lines, 1+len(all), "a line an engine: %s", b.String())
	require.Regexp(t, `^onnxruntime  ready    2026\.4\.1  CPU,GPU\.0,GPU\.1,\.\.\.  \.\.\./lib/libanyinfer_onnxruntime\.so\.2641$`, lines[len(lines)-1])

	b.Reset()
	float := float32(0.00012345678)
	i := inspection{Files: []string{"x.tflite"}, Engine: "openvino", Version: "2026.4.1", Device: "CPU", Format: "tensorflow", Threads: 128, Precision: "bfloat16",
		Details: r.Engines[0].Details}
	for _, name := range []string{"serving_default", "a_signature_with_a_name_that_somebody_made_longer_than_need_be"} {
		i.Signatures = append(i.Signatures, signatureDescription{Name: name, Inputs: []tensorDescription{{
			Name: "StatefulPartitionedCall/functional_1/block_12_expand_relu/Relu6;functional_1/block_12_expand_BN/FusedBatchNormV3", DType: "bfloat16",
			Shape: []int{-1, 1024, 1024, 1024, 1024}, Labels: []string{strings.Repeat("label", 8), "b", "c", "d", strings.Repeat("e", 60), "f"},
			Quantization: &quantizationDescription{Scale: []*float32{&float, &float}, ZeroPoint: []int64{1, 2}, Axis: 3},
		}}})
	}
	require.NoError(t, i.print(&b))
	fits(t, b.String())

	b.Reset()
	value := -1.2345678e-10
	o := &outcome{Engine: "onnxruntime", Version: "1.2.3", Device: "CPU", Format: "onnx", Outputs: []tensorReport{{
		Name: i.Signatures[0].Inputs[0].Name, DType: "bfloat16", Shape: []int{1, 1024, 1024, 1024}, Min: &value, Max: &value, Mean: &value,
		Top: [][]labelled{{{Label: strings.Repeat("label ", 9), Value: 1}, {Label: strings.Repeat("x", 80), Value: 1}}}, File: "out.npy",
	}}}
	require.NoError(t, printOutcomes(&b, []*outcome{o, o}, []difference{{Output: o.Outputs[0].Name, Engine: "onnxruntime", Against: "openvino", Why: "shapes [1 1024 1024 1024] and [1 1024 1024 1024]"}}))
	fits(t, b.String())
	require.Contains(t, b.String(), "\nwritten: out.npy\n")
}
