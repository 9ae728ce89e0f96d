// SPDX-License-Identifier: Apache-2.0

package onnxfile

import (
	"bytes"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// number returns a field with a number below 128.
func number(field, n byte) []byte { return []byte{field << 3, n} }

// inputOf returns the field of a graph's input with these fields of dimensions.
func inputOf(name string, dims ...[]byte) []byte {
	var shape []byte
	for _, d := range dims {
		shape = append(shape, field(shapeDim, d...)...)
	}
	typ := field(valueType, field(typeTensor, append(number(1, 1), field(typeShape, shape...)...)...)...)
	return field(graphInput, append(field(valueName, []byte(name)...), typ...)...)
}

func entry(key, value string) []byte {
	return field(modelMetadata, append(field(entryKey, []byte(key)...), field(entryValue, []byte(value)...)...)...)
}

func TestDescribe(t *testing.T) {
	text := func(number uint64, s string) []byte { return field(number, []byte(s)...) }
	for name, c := range map[string]struct {
		model, graph [][]byte
		want         Description
	}{
		"nothing": {},
		"all": {
			model: [][]byte{
				text(modelProducer, "pytorch"), text(modelProducerVersion, "2.1"), text(modelDomain, "org.example"), number(modelVersion, 7),
				text(modelDoc, "Counts sheep."), entry("stride", "32"), entry("stride", "64"), entry("empty", ""),
			},
			graph: [][]byte{text(graphName, "main"), text(graphDoc, "not this")},
			want: Description{Metadata: map[string]string{
				"producer": "pytorch 2.1", "domain": "org.example", "version": "7", "description": "Counts sheep.", "stride": "32", "name": "main",
			}},
		},
		"the file's own entries count": {
			model: [][]byte{text(modelDoc, "a"), number(modelVersion, 1), entry("name", "b"), entry("version", "8.3"), entry("description", "c")},
			graph: [][]byte{text(graphName, "main")},
			want:  Description{Metadata: map[string]string{"name": "b", "version": "8.3", "description": "c"}},
		},
		"the graph's description": {
			graph: [][]byte{text(graphDoc, "d")}, want: Description{Metadata: map[string]string{"description": "d"}},
		},
		"inputs": {
			graph: [][]byte{
				field(graphInitializer, text(tensorName, "w")...), inputOf("w", number(dimValue, 3)),
				inputOf("x", number(dimValue, 2), text(dimParam, "rows"), nil, []byte{dimValue << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}),
				inputOf("scalar"), field(graphInput, text(valueName, "unknown")...),
				inputOf("s"), field(graphSparse, field(sparseValues, text(tensorName, "s")...)...),
			},
			want: Description{Inputs: []Input{
				{"x", []Dim{{Value: 2}, {Value: -1, Param: "rows"}, {Value: -1}, {Value: -1}}}, {"scalar", []Dim{}}, {Name: "unknown"},
			}},
		},
	} {
		got, err := Describe(append(bytes.Join(c.model, nil), field(modelGraph, bytes.Join(c.graph, nil)...)...))
		require.NoError(t, err, name)
		if len(got.Inputs) == 0 {
			got.Inputs = nil
		}
		require.Equal(t, c.want, got, name)
	}
}

func TestDescribeFile(t *testing.T) {
	model, err := os.ReadFile("../../testdata/digits_dynamic.onnx")
	require.NoError(t, err)
	d, err := Describe(model)
	require.NoError(t, err)
	require.Equal(t, []Input{{"image", []Dim{{-1, "image_0"}, {1, ""}, {8, ""}, {8, ""}}}}, d.Inputs)
	require.Equal(t, map[string]string{"name": "model", "producer": "anyinfer"}, d.Metadata)
	for n := range model {
		if _, err := Describe(model[:n]); err != nil {
			require.ErrorIs(t, err, common.ErrModel)
		}
	}
}

// TestDescriptionIsBounded checks that a file of short fields, which need far more memory than their bytes, is refused.
func TestDescriptionIsBounded(t *testing.T) {
	large := func(number byte, content []byte) []byte {
		return slices.Concat([]byte{number<<3 | 2, byte(len(content)&127 | 128), byte(len(content)>>7&127 | 128), byte(len(content)>>14&127 | 128), byte(len(content) >> 21)}, content)
	}
	var entries []byte
	for i := range maxMetadata + 1 {
		entries = append(entries, entry(strconv.Itoa(i), "x")...)
	}
	for what, model := range map[string][]byte{
		"metadata":   entries,
		"inputs":     large(modelGraph, bytes.Repeat(field(graphInput), 10<<20)),
		"dimensions": large(modelGraph, large(graphInput, large(valueType, large(typeTensor, large(typeShape, bytes.Repeat(field(shapeDim), 10<<20)))))),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Describe(model)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, common.ErrModel, what)
		require.ErrorContains(t, err, what)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20), what)
	}
}

func FuzzDescribe(f *testing.F) {
	model, err := os.ReadFile("../../testdata/digits_dynamic.onnx")
	require.NoError(f, err)
	f.Add(model)
	f.Fuzz(func(_ *testing.T, model []byte) { Describe(model) })
}
