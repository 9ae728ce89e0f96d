// SPDX-License-Identifier: Apache-2.0

package mnncheck

import (
	"encoding/binary"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/flatbuf"
	"github.com/stretchr/testify/require"
)

const testdata = "../../testdata"

func files(t testing.TB) []string {
	var all []string
	for _, pattern := range []string{testdata + "/*.mnn", testdata + "/dtypes/*.mnn", testdata + "/../../shared/models/*.mnn"} {
		some, err := filepath.Glob(pattern)
		require.NoError(t, err)
		all = append(all, some...)
	}
	require.NotEmpty(t, all)
	return all
}

func read(t testing.TB, name string) []byte {
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return data
}

func TestValidFiles(t *testing.T) {
	for _, name := range files(t) {
		require.NoError(t, Check(read(t, name)), name)
	}
}

func TestTruncatedFiles(t *testing.T) {
	data := read(t, testdata+"/multi.mnn")
	for n := range len(data) - 3 { // the last 3 bytes pad a string
		require.ErrorIs(t, Check(data[:n:n]), common.ErrModel, "%d bytes", n)
	}
}

// object holds the fields of a FlatBuffers table by name.
type object map[string]any

// with returns a copy of o with the fields of others added; nil removes a field.
func (o object) with(others object) object {
	o = maps.Clone(o)
	maps.Copy(o, others)
	maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
	return o
}

// writer writes a FlatBuffer from its root on, with all objects aligned to 8 bytes.
type writer []byte

// alloc appends n bytes and returns their position.
func (w *writer) alloc(n int) int {
	*w = append(*w, make([]byte, -len(*w)&7)...)
	at := len(*w)
	*w = append(*w, make([]byte, n)...)
	return at
}

func (w writer) put(at, size int, n int64) {
	var all [8]byte
	binary.LittleEndian.PutUint64(all[:], uint64(n))
	copy(w[at:at+size], all[:])
}

// write returns a FlatBuffer whose root is o.
func write(layout string, o object) []byte {
	var w writer
	at := w.alloc(8)
	w.put(at, 4, int64(w.table(schema()[layout], o)))
	return w
}

// table writes a table and returns its position.
func (w *writer) table(l *flatbuf.Layout, o object) int {
	for name := range o {
		if !slices.ContainsFunc(l.Columns, func(c flatbuf.Column) bool { return c.Name == name }) {
			panic(l.Name + " has no " + name)
		}
	}
	n := len(l.Columns)
	vt := w.alloc(4 + 2*n)
	at := w.alloc(8 + 8*n)
	w.put(vt, 2, int64(4+2*n))
	w.put(vt+2, 2, int64(8+8*n))
	w.put(at, 4, int64(at-vt))
	for i, c := range l.Columns {
		v, ok := o[c.Name]
		if !ok {
			continue
		}
		slot := at + 8 + 8*i
		w.put(vt+4+2*i, 2, int64(slot-at))
		switch v := v.(type) {
		case int:
			w.put(slot, 8, int64(v))
		case float32:
			w.put(slot, 4, int64(math.Float32bits(v)))
		default:
			if c.Type == "OpParameter" {
				of := c.Of[o["main_type"].(int)-1]
				w.put(slot, 4, int64(w.table(of, v.(object))-slot))
			} else {
				w.put(slot, 4, int64(w.value(c, v)-slot))
			}
		}
	}
	return at
}

var sizes = map[string]int{"i8": 1, "u8": 1, "u16": 2, "i32": 4, "u32": 4, "f32": 4, "i64": 8}

// value writes a string, vector or table and returns its position.
func (w *writer) value(c flatbuf.Column, v any) int {
	switch v := v.(type) {
	case string:
		at := w.alloc(4 + len(v) + 1)
		w.put(at, 4, int64(len(v)))
		copy((*w)[at+4:], v)
		return at
	case []int64:
		at := w.alloc(4+len(v)*sizes[c.Type]) + 4*(sizes[c.Type]/8)
		if sizes[c.Type] == 8 {
			w.alloc(8)
		}
		w.put(at, 4, int64(len(v)))
		for i, n := range v {
			w.put(at+4+i*sizes[c.Type], sizes[c.Type], n)
		}
		return at
	case []string:
		at := w.alloc(4 + 4*len(v))
		w.put(at, 4, int64(len(v)))
		for i, s := range v {
			w.put(at+4+4*i, 4, int64(w.value(c, s)-(at+4+4*i)))
		}
		return at
	case []object:
		at := w.alloc(4 + 4*len(v))
		w.put(at, 4, int64(len(v)))
		for i, o := range v {
			w.put(at+4+4*i, 4, int64(w.table(c.Of[0], o)-(at+4+4*i)))
		}
		return at
	}
	return w.table(c.Of[0], v.(object))
}

// operation returns an Op.
func operation(kind, parameter string, main object, in, out []int64) object {
	o := object{"name": kind, "inputIndexes": in, "outputIndexes": out}
	for code, k := range operators() {
		if k.name == kind {
			o["type"] = int(code)
		}
	}
	if parameter != "" {
		for i, c := range schema()["Op"].Columns[2].Of {
			if c.Name == parameter {
				o["main_type"] = i + 1
			}
		}
		o["main"] = main
	}
	return o
}

func shape(dims ...int64) object { return object{"dims": dims, "dformat": 0} }

// packedShape is a shape in the format NC4HW4.
func packedShape(dims ...int64) object { return object{"dims": dims, "dformat": nc4hw4} }

func ints(n ...int64) object {
	return object{"dims": []int64{int64(len(n))}, "dataType": int32Type, "int32s": n}
}

func floats(dims ...int64) object {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return object{"dims": dims, "float32s": make([]int64, n)}
}

func zeros(n int64) []int64 { return make([]int64, n) }

// names returns the names of n tensors.
func names(n int) []string {
	var all []string
	for i := range n {
		all = append(all, string(rune('a'+i)))
	}
	return all
}

// net returns a model of one operator, whose inputs are Inputs or constants.
func net(kind, parameter string, main object, outputs int, inputs ...object) object {
	var ops []object
	var in, out []int64
	for i, o := range inputs {
		if _, ok := o["dformat"]; ok {
			ops = append(ops, operation("Input", "Input", o, nil, []int64{int64(i)}))
		} else {
			ops = append(ops, operation("Const", "Blob", o, nil, []int64{int64(i)}))
		}
		in = append(in, int64(i))
	}
	for i := range outputs {
		out = append(out, int64(len(in)+i))
	}
	return object{"oplists": append(ops, operation(kind, parameter, main, in, out)), "tensorName": names(len(in) + outputs)}
}

// TestInvalidOperators checks that operators with an invalid field are refused. Without
// the change, Check accepts each file.
func TestInvalidOperators(t *testing.T) {
	image, nchw := packedShape(1, 4, 8, 8), shape(1, 4, 8, 8)
	square := object{"kernelX": 3, "kernelY": 3, "outputCount": 6, "inputCount": 4}
	conv := object{"common": square, "weight": zeros(6 * 4 * 9), "bias": zeros(6)}
	quantized := func(q object) object { return object{"common": square, "bias": zeros(6), "quanParameter": q} }
	coded := append([]int64{2, 6, 0, 36, 0, 3, 1, 2, 3}, zeros(54)...) // 6x36 weights, each one of 3 samples
	sparse := append(append(append([]int64{2, 6, 0, 36, 0, 2, 0, 0, 0, 8}, 100, 115), 2, 5, 7), 0)
	common3 := object{"kernels": []int64{2, 2, 2}, "strides": []int64{1, 1, 1}, "dilates": []int64{1, 1, 1}, "pads": []int64{0, 0, 0}, "outputCount": 2, "inputCount": 4}
	volume := object{"common": common3, "weight": zeros(64), "bias": zeros(2)}
	deep := shape(1, 1, 1, 1, 1, 1, 1, 1, 1)
	pool := object{"kernelX": 2, "kernelY": 2, "strideX": 2, "strideY": 2}
	pool3 := object{"kernels": []int64{2, 2, 2}, "strides": []int64{1, 1, 1}, "pads": []int64{0, 0, 0}}
	lstm := []object{shape(7, 1, 6), floats(1, 20, 6), floats(1, 20, 5), floats(1, 40)}
	gru := []object{shape(7, 1, 6), floats(11, 10), floats(10), floats(11, 5), floats(5), floats(5)}
	for _, tt := range []struct {
		kind, parameter string
		good, change    object
		outputs         int
		inputs          []object
		text            string
	}{
		{"Input", "Input", object{"dims": []int64{1, 4}}, object{"dims": []int64{1, -2}}, 1, nil, "dimension 1 is -2"},
		{"Input", "Input", object{"dims": []int64{1, 4}}, object{"dims": zeros(10)}, 1, nil, "it has 10 dimensions, and MNN's tensors at most 9"},
		{"Input", "Input", object{"dims": []int64{1, 4}}, object{"dims": []int64{1 << 20, 1 << 20}}, 1, nil, "it has more than 536870912 elements"},
		{"Input", "Input", object{"dims": []int64{1, -1}}, object{"dims": []int64{1 << 24, -1}}, 1, nil, "it has more than 536870912 elements"},
		{"Input", "Input", object{"dims": []int64{1, 4}}, object{"dtype": -1}, 1, nil, ".dtype is -1"},
		{"Input", "Input", shape(4), object{"dformat": nc4hw4}, 1, nil, "it has 1 dimension, and its format needs channels"},
		{"Const", "Blob", floats(2, 3), object{"dims": []int64{2, 4}}, 1, nil, "it needs 8 elements in float32s, and has 6"},
		{"Const", "Blob", floats(2, 3), object{"dims": []int64{2, -3}}, 1, nil, "dimension 1 is -3"},
		{"Const", "Blob", floats(2, 3), object{"dataType": 9}, 1, nil, "its elements are of type 9"},
		{"Const", "Blob", floats(2, 3), object{"external": []int64{0, 12}}, 1, nil, "external does not have the size of its content"},
		{"UnaryOp", "UnaryOp", object{"opType": 1}, object{"opType": -1}, 1, []object{nchw}, "opType is -1"},
		{"BinaryOp", "BinaryOp", object{"opType": 2}, object{"opType": 18}, 1, []object{nchw, nchw}, "opType is 18"},
		{"BinaryOp", "BinaryOp", object{"opType": 2}, object{"opType": 21}, 1, []object{nchw, nchw}, "opType is 21"},
		{"BinaryOp", "BinaryOp", object{}, nil, 1, []object{nchw, ints(1)}, "its inputs have elements of types 1 and 3"},
		{"Convolution", "Convolution2D", conv, object{"common": nil}, 1, []object{image}, "it has no common"},
		{"Convolution", "Convolution2D", conv, object{"common": square.with(object{"strideX": 0})}, 1, []object{image}, "strideX is 0"},
		{"Convolution", "Convolution2D", conv, object{"common": square.with(object{"pads": []int64{1, 1}})}, 1, []object{image}, "pads has 2 elements"},
		{"Convolution", "Convolution2D", conv, object{"common": square.with(object{"pads": []int64{1, 1, 1, 1 << 20}})}, 1, []object{image}, "pads[3] is 1048576"},
		{"Convolution", "Convolution2D", conv, object{"common": square.with(object{"outputCount": 7})}, 1, []object{image}, "it has 216 weights"},
		{"Convolution", "Convolution2D", conv, object{"common": square.with(object{"group": 4})}, 1, []object{image}, "it has 216 weights"},
		{"Convolution", "Convolution2D", conv, object{"weight": zeros(215)}, 1, []object{image}, "it has 215 weights"},
		{"Convolution", "Convolution2D", conv, object{"bias": zeros(5)}, 1, []object{image}, "it has 5 biases"},
		{"Convolution", "Convolution2D", conv, object{"external": []int64{0, 864, 20}}, 1, []object{image}, "it has 864 bytes of weights and 20 of biases in another file"},
		{"Convolution", "Convolution2D", conv, nil, 1, []object{packedShape(1, 5, 8, 8)}, "it has 216 weights"},
		{"Convolution", "Convolution2D", conv, nil, 1, []object{nchw}, "its input has format 0, not 2"},
		{"Convolution", "Convolution2D", conv, nil, 1, []object{image.with(object{"dtype": 4})}, "input 0 has elements of type 4"},
		{"Convolution", "Convolution2D", conv, nil, 1, []object{packedShape(1, 4, 8, 8, 8)}, "its input has 5 dimensions"},
		{"Convolution", "Convolution2D", conv, nil, 1, []object{packedShape(1, 4, 1<<12, 1<<13)}, ""},
		{"Convolution", "Convolution2D", object{"common": object{"outputCount": 64, "inputCount": 1}, "weight": zeros(64), "bias": zeros(64)}, nil, 1, []object{packedShape(1, 1, 1<<13, 1<<13)}, "its output has more than 536870912 elements"},
		{"Deconvolution", "Convolution2D", conv, object{"common": square.with(object{"hasOutputShape": 1})}, 1, []object{image}, "it has no input for the shape of its output"},
		{"ConvolutionDepthwise", "Convolution2D", object{"common": square.with(object{"outputCount": 4, "group": 4}), "weight": zeros(36), "bias": zeros(4)}, object{"weight": zeros(72)}, 1, []object{image}, "it has 72 weights"},
		{"Convolution", "Convolution2D", quantized(object{"type": 1, "buffer": coded, "alpha": zeros(6)}), quantized(object{"type": 1, "buffer": coded[:62], "alpha": zeros(6)}), 1, []object{image}, "the buffer has 62 bytes"},
		{"Convolution", "Convolution2D", quantized(object{"type": 1, "buffer": coded, "alpha": zeros(6)}), quantized(object{"type": 1, "buffer": append(slices.Clone(coded[:62]), 3), "alpha": zeros(6)}), 1, []object{image}, "weight 215 is sample 3 of 3"},
		{"Convolution", "Convolution2D", quantized(object{"type": 1, "buffer": coded, "alpha": zeros(6)}), quantized(object{"type": 1, "buffer": coded, "alpha": zeros(5)}), 1, []object{image}, "it has 5 scales for 6 channels"},
		{"Convolution", "Convolution2D", quantized(object{"type": 2, "buffer": sparse, "alpha": zeros(6)}), quantized(object{"type": 2, "buffer": append(append(slices.Clone(sparse[:11]), 116), sparse[12:]...), "alpha": zeros(6)}), 1, []object{image}, "weight 216 of 216 is stored"},
		{"Convolution", "Convolution2D", quantized(object{"type": 3, "buffer": zeros(432)}), quantized(object{"type": 3, "buffer": zeros(430)}), 1, []object{image}, "it has 215 weights"},
		{"Convolution", "Convolution2D", quantized(object{"type": 3, "buffer": zeros(432)}), quantized(object{"type": 3, "buffer": zeros(432), "has_scaleInt": 1}), 1, []object{image}, "its weights are floats, and it computes with integers"},
		{"Convolution", "Convolution2D", quantized(object{"type": 4, "buffer": zeros(216), "alpha": zeros(12)}), quantized(object{"type": 0, "buffer": zeros(216), "alpha": zeros(12)}), 1, []object{image}, "type 0"},
		{"Convolution", "Convolution2D", quantized(object{"index": []int64{0, 215}, "alpha": zeros(2), "weightSize": 216}), quantized(object{"index": []int64{0, 216}, "alpha": zeros(2), "weightSize": 216}), 1, []object{image}, "index[1] is 216 of 216"},
		{"Convolution3D", "Convolution3D", volume, object{"weight": zeros(63)}, 1, []object{shape(1, 4, 6, 6, 6)}, "it has 63 weights"},
		{"Convolution3D", "Convolution3D", volume, object{"bias": zeros(3)}, 1, []object{shape(1, 4, 6, 6, 6)}, "it has 3 biases"},
		{"Convolution3D", "Convolution3D", volume, object{"common": common3.with(object{"dilates": nil})}, 1, []object{shape(1, 4, 6, 6, 6)}, "dilates has 0 elements"},
		{"Pooling", "Pool", pool, object{"strideX": 0}, 1, []object{image}, "strideX is 0"},
		{"Pooling", "Pool", pool, object{"pads": []int64{1}}, 1, []object{image}, "pads has 1 elements"},
		{"Pooling", "Pool", pool, object{"padType": -1}, 1, []object{image}, "padType is -1"},
		{"Pooling3D", "Pool3D", pool3, object{"pads": nil}, 1, []object{packedShape(1, 4, 6, 6, 6)}, "pads has 0 elements"},
		{"Pooling3D", "Pool3D", pool3, object{"strides": []int64{1, 0, 1}}, 1, []object{packedShape(1, 4, 6, 6, 6)}, "strides[1] is 0"},
		{"Scale", "Scale", object{"scaleData": zeros(4), "biasData": zeros(4)}, object{"biasData": zeros(3)}, 1, []object{image}, "it has 4 scales and 3 biases"},
		{"Scale", "Scale", object{"scaleData": zeros(4)}, object{"scaleData": zeros(3)}, 1, []object{image}, "it has 3 scales for 4 channels"},
		{"PReLU", "PRelu", object{"slopeCount": 4, "slope": zeros(4)}, object{"slopeCount": 5}, 1, []object{image}, "slopeCount is 5 for 4 slopes"},
		{"LayerNorm", "LayerNorm", object{"axis": []int64{-1}, "gamma": zeros(8), "beta": zeros(8)}, object{"beta": zeros(7)}, 1, []object{nchw}, "gamma has 8 elements, beta 7"},
		{"LayerNorm", "LayerNorm", object{"axis": []int64{-1}, "gamma": zeros(8), "beta": zeros(8)}, object{"axis": []int64{-2, -1}}, 1, []object{nchw}, "gamma has 8 elements for 64"},
		{"LayerNorm", "LayerNorm", object{"axis": []int64{-1}}, object{"group": 0}, 1, []object{nchw}, "group is 0"},
		{"LayerNorm", "LayerNorm", object{"axis": []int64{-1}}, object{"axis": []int64{4}}, 1, []object{nchw}, "axis[0] is 4"},
		{"FloatToInt8", "QuantizedFloatParam", object{"tensorScale": zeros(1)}, object{"tensorScale": nil}, 1, []object{nchw}, "it has no tensorScale"},
		{"Softmax", "Axis", object{"axis": -1}, object{"axis": 4}, 1, []object{nchw}, "axis is 4 for a rank of 4"},
		{"CumSum", "CumSum", object{}, nil, 1, []object{nchw, ints(4)}, "axis is [4] for a rank of 4"},
		{"Concat", "Axis", object{"axis": 1}, object{"axis": -5}, 1, []object{nchw, nchw}, "axis is -5 for a rank of 4"},
		{"Concat", "Axis", object{"axis": 1}, nil, 1, []object{nchw, shape(1, 4, 8)}, "input 1 has 3 dimensions, not 4"},
		{"Pack", "PackParam", object{"axis": 4}, object{"axis": 5}, 1, []object{nchw, nchw}, "axis is 5 for a rank of 5"},
		{"Unpack", "Axis", object{"axis": 1}, object{"axis": 4}, 4, []object{nchw}, "axis is 4 for a rank of 4"},
		{"Slice", "Slice", object{"axis": 1, "sourceType": 1}, object{"axis": 7}, 2, []object{nchw}, "axis is 7 for a rank of 4"},
		{"Slice", "Slice", object{"axis": 1, "sourceType": 1, "slicePoints": []int64{2}}, object{"slicePoints": []int64{0}}, 2, []object{nchw}, "slicePoints[0] is 0"},
		{"Slice", "Slice", object{"axis": 1, "sourceType": 1, "slicePoints": []int64{2}}, object{"slicePoints": []int64{3}}, 2, []object{nchw}, "slicePoints are [3] for 2 outputs"},
		{"Slice", "Slice", object{"axis": 1, "slicePoints": []int64{2}}, object{"slicePoints": []int64{1, 2}}, 2, []object{nchw}, "slicePoints has 2 elements for 2 outputs"},
		{"ExpandDims", "ExpandDims", object{"axis": 4}, object{"axis": 5}, 1, []object{nchw}, "axis is 5 for a rank of 5"},
		{"Reshape", "Reshape", object{"dims": []int64{-1, 4}}, object{"dims": zeros(10)}, 1, []object{nchw}, "dims has 10 elements"},
		{"Reshape", "Reshape", object{"dims": []int64{-1, 4}}, object{"dims": nil}, 1, []object{nchw}, "dims has 0 elements"},
		{"Permute", "Permute", object{"dims": []int64{0, 2, 3, 1}}, object{"dims": []int64{0, 2, 2, 1}}, 1, []object{nchw}, "dims[2] is 2"},
		{"Permute", "Permute", object{"dims": []int64{0, 2, 3, 1}}, object{"dims": []int64{0, 2, 1}}, 1, []object{nchw}, "dims has 3 elements for a rank of 4"},
		{"Squeeze", "SqueezeParam", object{"squeezeDims": []int64{0}}, object{"squeezeDims": []int64{9}}, 1, []object{nchw}, "squeezeDims[0] is 9"},
		{"Reduction", "ReductionParam", object{"dim": []int64{-4}}, object{"dim": []int64{-5}}, 1, []object{nchw}, "dim[0] is -5"},
		{"Reduction", "ReductionParam", object{}, object{"operation": -1}, 1, []object{nchw}, "operation -1"},
		{"Flatten", "Flatten", object{"axis": 1}, object{"axis": 5}, 1, []object{nchw}, "axis 5, endAxis 0"},
		{"StridedSlice", "StridedSliceParam", object{"fromType": 1}, object{"fromType": 0}, 1, []object{nchw, ints(0), ints(1)}, "fromType is 0 with 3 inputs"},
		{"StridedSlice", "StridedSliceParam", object{"fromType": 1}, nil, 1, []object{nchw, ints(0), ints(1), ints(4)}, "axes[0] is 4"},
		{"StridedSlice", "StridedSliceParam", object{"fromType": 1}, nil, 1, []object{nchw, ints(0), ints(1, 2)}, "input 2 has 2 elements, not 1"},
		{"SliceTf", "", nil, nil, 1, []object{nchw, ints(0, 0, 0), ints(1, 1, 1, 1)}, "input 1 has 3 elements"},
		{"Tile", "", nil, nil, 1, []object{nchw, floats(4)}, "input 1 has elements of type 1"},
		{"Tile", "", nil, nil, 1, []object{nchw, ints(1, 1, 1, -1)}, "its repetitions are [1 1 1 -1]"},
		{"ROIAlign", "RoiParameters", object{"pooledWidth": 2, "pooledHeight": 2}, nil, 1, []object{image, shape(3, 4), ints(0, 0)}, "input 2 has 2 elements"},
		{"ROIAlign", "RoiParameters", object{"pooledWidth": 2, "pooledHeight": 2}, nil, 1, []object{image, shape(2, 4), ints(0, 1)}, "region 1 is of batch 1"},
		{"Deconvolution", "Convolution2D", quantized(object{"type": 4, "buffer": zeros(216), "alpha": zeros(12)}), quantized(object{"type": 4, "buffer": zeros(216), "alpha": zeros(12), "has_scaleInt": 1}), 1, []object{image}, "it computes with integers"},
		{"TopKV2", "TopKV2", object{}, nil, 2, []object{nchw, ints(9)}, "k is 9"},
		{"TopKV2", "TopKV2", object{}, nil, 2, []object{nchw, ints(1), ints(4)}, "axis is 4 for a rank of 4"},
		{"Interp", "Interp", object{"outputWidth": 4, "outputHeight": 4, "resizeType": 2}, object{"outputWidth": -4}, 1, []object{image}, "outputWidth is -4"},
		{"Interp", "Interp", object{"widthScale": float32(2), "heightScale": float32(2)}, object{"widthScale": float32(math.NaN())}, 1, []object{image}, "widthScale is NaN"},
		{"BatchToSpaceND", "SpaceBatch", object{"blockShape": ints(2, 2), "padding": ints(0, 0, 0, 0)}, object{"blockShape": ints(2, 0)}, 1, []object{nchw}, "block 1 is 0"},
		{"BatchToSpaceND", "SpaceBatch", object{"blockShape": ints(2, 2), "padding": ints(0, 0, 0, 0)}, object{"padding": ints(0, 0, 0)}, 1, []object{nchw}, "it has 2 block sizes and 3 paddings"},
		{"DepthToSpace", "DepthSpaceParam", object{"blockSize": 2}, object{"blockSize": 0}, 1, []object{nchw}, "blockSize is 0"},
		{"GatherV2", "Axis", object{"axis": 1}, object{"axis": 4}, 1, []object{nchw, ints(0)}, "axis is 4"},
		{"InnerProduct", "InnerProduct", object{"outputCount": 2, "weight": zeros(8), "bias": zeros(2)}, object{"bias": zeros(3)}, 1, []object{shape(1, 4)}, "it has 8 weights and 3 biases for 2 outputs"},
		{"ArgMax", "ArgMax", object{"axis": 1}, object{"axis": 4}, 1, []object{nchw}, "axis is 4"},
		{"OneHot", "OneHotParam", object{}, object{"axis": 10}, 1, []object{shape(3), ints(5), ints(1), ints(0)}, "axis is 10"},
		{"OneHot", "OneHotParam", object{}, nil, 1, []object{shape(3), ints(5), ints(1), floats(1)}, "its values are of types 3 and 1"},
		{"Crop", "Crop", object{"offset": zeros(2)}, object{"offset": nil}, 1, []object{nchw, nchw}, "it has no offset"},
		{"Padding", "PadParam", object{"mode": 1}, object{"mode": -1}, 1, []object{shape(1, 4), ints(0, 0, 1, 1)}, "mode is -1"},
		{"Padding", "PadParam", object{"mode": 0}, object{"mode": 1}, 1, []object{shape(1, 4), ints(0, 0, 4, 1)}, "padding 2 is 4"},
		{"ROIAlign", "RoiParameters", object{"pooledWidth": 2, "pooledHeight": 2}, object{"samplingRatio": 1000}, 1, []object{image, shape(2, 4)}, "samplingRatio is 1000"},
		{"ROIAlign", "RoiParameters", object{"pooledWidth": 2, "pooledHeight": 2}, object{"outputGrad": 1}, 1, []object{image, shape(2, 4)}, "it has 2 inputs"},
		{"GridSample", "GridSample", object{}, object{"backward": 1}, 1, []object{image, shape(1, 5, 5, 2)}, "it has 2 inputs"},
		{"Stft", "StftParam", object{"n_fft": 8, "hop_length": 2}, object{"hop_length": 0}, 1, []object{shape(100), floats(8)}, "hop_length is 0"},
		{"Shape", "", nil, nil, 1, []object{shape()}, "its input has no dimensions"},
		{"LSTM", "LSTM", object{"outputCount": 5}, object{"outputCount": 6}, 3, lstm, "its weights are [1 20 6] and [1 20 5] for 6 units"},
		{"LSTM", "LSTM", object{"outputCount": 5}, nil, 3, append([]object{shape(7, 1, 7)}, lstm[1:]...), "it has weights for 6 features, not 7"},
		{"LSTM", "LSTM", object{"outputCount": 2, "weightI": floats(8)}, object{"weightI": floats(7)}, 1, []object{image}, "weightI has 7 elements for 2 units"},
		{"RNNSequenceGRU", "RNNParam", object{"numUnits": 5}, object{"numUnits": 6}, 1, gru, "input 1 has 110 elements for 6 units"},
		{"Raster", "Extra", rasterOf(0, 8, 4, 1), object(rasterOf(1, 8, 4, 1)), 1, []object{shape(4, 8)}, "region 0 has elements 1 to 32 of a tensor of 32"},
		{"Const", "Blob", floats(2, 3), object{"external": []int64{-1, 24}}, 1, nil, "external does not have the size of its content"},
		{"Reshape", "Reshape", object{}, nil, 1, []object{nchw, ints(1, 1, 1, 1, 1, 1, 1, 1, 1, 256)}, "dims has 10 elements"},
		{"Reshape", "", nil, nil, 1, []object{nchw, ints(-1)}, "it has no parameter"},
		{"While", "Axis", object{}, nil, 1, []object{nchw}, "its parameter is Axis"},
		{"Raster", "", nil, nil, 1, []object{nchw}, "it has no parameter"},
		{"ExpandDims", "", nil, nil, 1, []object{nchw}, "it has no parameter"},
		{"ExpandDims", "ExpandDims", object{}, nil, 1, []object{deep}, "its input has 9 dimensions"},
		{"Pack", "PackParam", object{}, nil, 1, []object{deep}, "its input has 9 dimensions"},
		{"OneHot", "OneHotParam", object{}, nil, 1, []object{deep, ints(5), ints(1), ints(0)}, "its input has 9 dimensions"},
		{"SpaceToBatchND", "", nil, nil, 1, []object{nchw}, "it has no parameter"},
		{"SpaceToBatchND", "SpaceBatch", object{"blockShape": ints(2), "padding": ints(0, 0)}, object{"padding": floats(2)}, 1, []object{nchw}, "padding is not a valid Blob of int32"},
		{"SpaceToBatchND", "SpaceBatch", object{"blockShape": ints(2), "padding": ints(0, 0)}, object{"padding": ints(0, 1<<20)}, 1, []object{nchw}, "padding 1 is 1048576"},
		{"GatherV2", "", nil, nil, 1, []object{nchw}, "it has no parameter"},
		{"GatherV2", "", nil, nil, 1, []object{nchw, shape(1, 1, 1, 1, 1, 1, 1)}, "its output has 10 dimensions"},
		{"GatherV2", "", nil, nil, 1, []object{nchw, ints(0), floats(1)}, "input 2 has elements of type 1"},
		{"TensorArray", "TensorArray", object{"element_shape": zeros(9)}, object{"element_shape": zeros(10)}, 2, []object{nchw}, "element_shape has 10 dimensions"},
		{"ImageProcess", "ImageProcessParam", object{"shape": zeros(4)}, object{"shape": zeros(3)}, 1, []object{nchw}, "shape has 3 dimensions"},
		{"GridSample", "GridSample", object{}, nil, 1, []object{image, shape(1, 5, 2)}, "input 1 has 3 dimensions"},
		{"SliceTf", "", nil, nil, 1, []object{nchw, shape(4, 1), ints(1, 1, 1, 1)}, "input 1 has 2 dimensions"},
		{"CumSum", "CumSum", object{}, nil, 1, []object{shape(), ints(0)}, "its input has no dimensions"},
		{"StridedSlice", "StridedSliceParam", object{"fromType": 1}, nil, 1, []object{nchw, ints(zeros(10)...), ints(zeros(10)...)}, "input 1 has 10 elements"},
		{"Interp", "Interp", object{"outputWidth": 4, "outputHeight": 4}, object{"resizeType": -1}, 1, []object{image}, "resizeType is -1"},
		{"InnerProduct", "InnerProduct", object{"outputCount": 2, "weight": zeros(8), "bias": zeros(2)}, object{"outputCount": 0}, 1, []object{shape(1, 4)}, "outputCount is 0"},
		{"LSTM", "LSTM", object{"outputCount": 5}, object{"outputCount": 0}, 3, lstm, "outputCount is 0"},
		{"LSTM", "LSTM", object{"outputCount": 5}, nil, 3, append([]object{shape(7, 6)}, lstm[1:]...), "its inputs have 2, 3, 3 and 2 dimensions"},
		{"LSTM", "LSTM", object{"outputCount": 5}, nil, 3, append(slices.Clone(lstm[:3]), floats(1, 19)), "it has 19 biases"},
		{"LSTM", "LSTM", object{"outputCount": 2, "weightI": floats(8)}, nil, 2, []object{image}, "it has 1 inputs and 2 outputs"},
		{"LSTM", "LSTM", object{"outputCount": 2, "weightI": floats(8)}, object{"weightI": ints(8)}, 1, []object{image}, "weightI is not a valid Blob of float32"},
		{"RNNSequenceGRU", "RNNParam", object{"numUnits": 5}, object{"isBidirectionalRNN": 1}, 1, gru, "it has 5 units and 6 inputs"},
		{"RNNSequenceGRU", "RNNParam", object{"numUnits": 5}, nil, 1, append([]object{shape(7, 6)}, gru[1:]...), "its input has 2 dimensions"},
		{"Raster", "Extra", rasterOf(0, 8, 4, 1), object{"attr": nil}, 1, []object{shape(4, 8)}, "it has no attr"},
		{"Raster", "Extra", rasterOf(0, 8, 4, 1), object{"attr": []object{{"key": "shape"}}}, 1, []object{shape(4, 8)}, "attr[0] has no key or no list"},
		{"Raster", "Extra", rasterOf(0, 8, 4, 1), object{"attr": []object{{"key": "bits", "i": 7}}}, 1, []object{shape(4, 8)}, "bits is 7"},
		{"Raster", "Extra", rasterOf(0, 8, 4, 1), nil, 1, []object{shape(4, 8), shape(4, 8)}, "region has 11 elements for 2 inputs"},
		{"Raster", "Extra", rasterOf(0, 8, 4, 1), rasterOf(0, 8, 0, 1), 1, []object{shape(4, 8)}, "region 0 has size 0"},
		{"Convolution", "Convolution2D", conv, object{"common": square.with(object{"kernelX": 1 << 15, "kernelY": 1 << 15})}, 1, []object{image}, "it has more than 2147483647 weights"},
		{"Convolution", "Convolution2D", object{"common": square, "external": []int64{0, 864, 24}}, object{"external": []int64{0, -864, 24}}, 1, []object{image}, "external[1] is -864"},
		{"Convolution", "Convolution2D", object{"common": square, "external": []int64{0, 864, 24}}, object{"external": []int64{0, 864}}, 1, []object{image}, "external has 2 elements"},
		{"Convolution", "Convolution2D", object{"common": square, "external": []int64{0, 864, 24, 24}, "quanParameter": object{}}, object{"external": []int64{0, 864, 24}}, 1, []object{image}, "it has no biases"},
		{"Scale", "Scale", object{"external": []int64{0, 16, 16}}, object{"external": []int64{0, 16, 20}}, 1, []object{image}, "external is [0 16 20]"},
		{"LayerNorm", "LayerNorm", object{"external": []int64{0, 32, 32}}, object{"external": []int64{0, 32}}, 1, []object{nchw}, "external has 2 elements"},
		{"ConvInt8", "Convolution2D", object{"common": square, "symmetricQuan": object{"weight": zeros(216), "bias": zeros(6), "scale": zeros(6)}}, object{"symmetricQuan": object{"weight": zeros(215), "bias": zeros(6), "scale": zeros(6)}}, 1, []object{image}, "it has 215 weights"},
		{"ConvInt8", "Convolution2D", object{"common": square, "symmetricQuan": object{"weight": zeros(216), "bias": zeros(6), "scale": zeros(6)}}, object{"symmetricQuan": object{"weight": zeros(216), "bias": zeros(6), "scale": zeros(5)}}, 1, []object{image}, "symmetricQuan has 5 of scale"},
		{"Convolution", "Convolution2D", quantized(object{"type": 1, "buffer": coded, "scaleStorage": 1, "alphaFp16": zeros(6)}), quantized(object{"type": 1, "buffer": coded, "scaleStorage": 1}), 1, []object{image}, "it has no alphaFp16"},
		{"Convolution", "Convolution2D", quantized(object{"index": []int64{0}, "alpha": zeros(1), "weightSize": 216}), quantized(object{"index": []int64{0}, "alpha": zeros(2), "weightSize": 216}), 1, []object{image}, "it has 2 values and 1 indexes"},
		{"Convolution", "Convolution2D", quantized(object{"type": 3, "buffer": zeros(432)}), quantized(object{"type": 3, "buffer": zeros(433)}), 1, []object{image}, "the buffer has 433 bytes"},
		{"Convolution", "Convolution2D", quantized(object{"type": 2, "buffer": sparse, "alpha": zeros(6)}), quantized(object{"type": 2, "buffer": sparse[:14], "alpha": zeros(6)}), 1, []object{image}, "the buffer has 14 bytes for 2 of 216 weights"},
		{"Convolution3D", "Convolution3D", volume, object{"common": nil}, 1, []object{shape(1, 4, 6, 6, 6)}, "it has no common"},
		{"Convolution3D", "Convolution3D", volume, nil, 1, []object{nchw}, "its input has 4 dimensions"},
		{"Convolution3D", "Convolution3D", volume, object{"common": common3.with(object{"kernels": []int64{2, 2, 0}})}, 1, []object{shape(1, 4, 6, 6, 6)}, "kernels[2] is 0"},
		{"Convolution3D", "Convolution3D", volume, object{"common": common3.with(object{"group": 0})}, 1, []object{shape(1, 4, 6, 6, 6)}, "inputCount is 4, outputCount 2, group 0"},
		{"Convolution3D", "Convolution3D", volume, object{"external": zeros(3)}, 1, []object{shape(1, 4, 6, 6, 6)}, "its weights are in another file"},
		{"Pooling", "Pool", pool, object{"padX": 1 << 20}, 1, []object{image}, "padX is 1048576"},
		{"Pooling", "Pool", pool, object{"pads": []int64{0, 1 << 20}}, 1, []object{image}, "pads[1] is 1048576"},
		{"Pooling", "Pool", pool, nil, 1, []object{packedShape(1, 4)}, "its input has 2 dimensions"},
		{"Pooling3D", "Pool3D", object{"isGlobal": 1}, nil, 1, []object{packedShape(1, 4)}, "its input has 2 dimensions"},
		{"Pooling3D", "Pool3D", pool3, nil, 1, []object{image}, "its input has 4 dimensions"},
	} {
		t.Run(tt.kind+" "+tt.text, func(t *testing.T) {
			if tt.change != nil || tt.text == "" {
				require.NoError(t, Check(write("Net", net(tt.kind, tt.parameter, tt.good, tt.outputs, tt.inputs...))))
			}
			if tt.text == "" {
				return
			}
			err := Check(write("Net", net(tt.kind, tt.parameter, tt.good.with(tt.change), tt.outputs, tt.inputs...)))
			require.ErrorIs(t, err, common.ErrModel)
			require.ErrorContains(t, err, tt.text)
		})
	}
}

// rasterOf returns a parameter that copies 4 rows of 8 elements.
func rasterOf(offset, row, rows, step int64) object {
	region := []int64{offset, 0, row, step, 0, 0, row, step, 1, rows, row}
	return object{"attr": []object{{"key": "shape", "list": object{"i": []int64{4, 8}}}, {"key": "region", "list": object{"i": region}}}}
}

// named returns a subgraph of one operator.
func named(name string, in, out int, op object) object {
	inputs, outputs := op["inputIndexes"].([]int64)[:in], op["outputIndexes"].([]int64)[:out]
	return object{"name": name, "tensors": names(len(op["inputIndexes"].([]int64)) + len(op["outputIndexes"].([]int64))),
		"inputs": inputs, "outputs": outputs, "nodes": []object{op}}
}

// TestInvalidGraphs checks that graphs whose fields contradict each other are refused.
// Without the change, Check accepts each file.
func TestInvalidGraphs(t *testing.T) {
	strings := func(all ...string) object { return object{"data": all} }
	relu := func() object { return operation("ReLU", "", nil, []int64{0}, []int64{1}) }
	less := func() object {
		return operation("BinaryOp", "BinaryOp", object{"opType": 12}, []int64{0, 1}, []int64{2})
	}
	unary := func() object { return net("ReLU", "", nil, 1, shape(4)) }
	constant := func() object { return net("ReLU", "", nil, 1, floats(1)) }
	branch := func() object {
		m := net("If", "IfParam", object{"then_graph": "one", "else_graph": "two", "aliases_inputs": []object{{}, strings("a")},
			"aliases_outputs": []object{strings("b", "b")}}, 1, shape(), shape(4))
		return m.with(object{"subgraphs": []object{named("one", 1, 1, relu()), named("two", 1, 1, relu())}})
	}
	repeat := func() object {
		m := net("While", "WhileParam", object{"cond_graph": "cond", "body_graph": "body", "aliases_inputs": []object{strings("a"), strings("b")},
			"aliases_updates": []object{strings("b", "a")}, "aliases_outputs": []string{"b"}}, 1, shape(4), shape(4))
		return m.with(object{"subgraphs": []object{named("cond", 2, 1, less()), named("body", 1, 1, relu())}})
	}
	counted := func() object {
		m := net("While", "WhileParam", object{"body_graph": "body"}, 1, shape(), shape(), shape(4))
		body := named("body", 2, 1, less())
		body["tensors"], body["inputs"], body["outputs"] = names(4), []int64{0, 1, 3}, []int64{2, 0}
		return m.with(object{"subgraphs": []object{body}})
	}
	view := func(strides ...int64) object { return object{"stride": strides} }
	loop := func() object {
		command := object{"op": operation("UnaryOp", "", nil, nil, nil), "size": []int64{1, 1, 4}, "indexes": []int64{1, 0}, "iterIndexes": []int64{-1, -1},
			"steps": []int64{4, 4}, "view": []object{view(4, 4, 1), view(4, 4, 1)}}
		return net("While", "LoopParam", object{"tensorNumber": 2, "inputIndexes": []int64{0}, "outputIndexes": []int64{1}, "loopNumber": 2,
			"extraTensorInfos": []object{{"blob": object{"dims": []int64{2, 4}}}}, "commands": []object{command}}, 1, shape(2, 4))
	}
	last := func(m object) object { all := m["oplists"].([]object); return all[len(all)-1] }
	main := func(m object) object { return last(m)["main"].(object) }
	first := func(m object, name string) object { return m[name].([]object)[0] }
	for _, tt := range []struct {
		text   string
		good   func() object
		damage func(object)
	}{
		{"net: the table at", unary, nil},
		{"it has no oplists", unary, func(m object) { delete(m, "oplists") }},
		{"it has no tensorName", unary, func(m object) { delete(m, "tensorName") }},
		{"extraInfo: the table at", unary, func(m object) { m["extraInfo"] = object{"buffer": []int64{99, 0, 0, 0}} }},
		{"net has no extraTensorDescribe", unary, func(m object) { m["usage"] = 2 }},
		{"extraTensorDescribe 0 is of tensor 2, which is not one of 2", unary, func(m object) { m["extraTensorDescribe"] = []object{{"index": 2}} }},
		{`no operator produces the output "z"`, unary, func(m object) { m["outputName"] = []string{"z"} }},
		{`tensors 0 and 1 have the same name "a"`, unary, func(m object) { m["tensorName"] = []string{"a", "a"} }},
		{"operator 1 (type 605): MNN has operators up to type 604", unary, func(m object) { last(m)["type"] = 605 }},
		{"operator 1 (type -1): no operator has this type", unary, func(m object) { last(m)["type"] = -1 }},
		{"operator 1 (type 307), inputs: tensor 9 is not one of 2", unary, func(m object) { last(m)["type"], last(m)["inputIndexes"] = 307, []int64{9} }},
		{"(ReLU): it has 0 inputs, want at least 1", unary, func(m object) { delete(last(m), "inputIndexes") }},
		{"(ReLU), inputs: tensor -1 is not one of 2", unary, func(m object) { last(m)["inputIndexes"] = []int64{-1} }},
		{"(ReLU), outputs: tensor 2 is not one of 2", unary, func(m object) { last(m)["outputIndexes"] = []int64{2} }},
		{"(ReLU): its input is tensor 1, which no earlier operator produces", unary, func(m object) { last(m)["inputIndexes"] = []int64{1} }},
		{"(ReLU): its output is tensor 0, which is not an input, or is an output already", unary, func(m object) { last(m)["outputIndexes"] = []int64{0} }},
		{"(ReLU): it has no name", unary, func(m object) { delete(last(m), "name") }},
		{"(ReLU): it has an externalPath, which is not supported", unary, func(m object) { last(m)["externalPath"] = "/etc/passwd" }},
		{"(Const): it has an externalPath, which is not supported", constant, func(m object) { first(m, "oplists")["externalPath"] = "/etc/passwd" }},
		{"(ReLU): its parameter is Blob, want Relu", unary, func(m object) { last(m)["main_type"], last(m)["main"] = 7, floats(1) }},
		{"(ReLU): its parameter has the type 7, present: false", unary, func(m object) { last(m)["main_type"] = 7 }},
		{"(Identity): its parameter is Blob", unary, func(m object) { last(m)["type"], last(m)["main_type"], last(m)["main"] = 262, 7, floats(1) }},
		{"(Pooling): it has no Pool", unary, func(m object) { last(m)["type"] = 47 }},
		{"(Const), outputs: tensor 9 is not one of 2", constant, func(m object) { first(m, "oplists")["outputIndexes"] = []int64{9} }},
		{"(Const): it has 0 outputs, want 1", constant, func(m object) { delete(first(m, "oplists"), "outputIndexes") }},
		{"(Const): tensor 0 is an output already", constant, func(m object) { m["oplists"] = append(m["oplists"].([]object), first(m, "oplists")) }},
		{"(Squeeze): squeezeDims has 10 elements", func() object {
			return net("Squeeze", "SqueezeParam", object{"squeezeDims": zeros(1)}, 1, shape(1))
		}, func(m object) { main(m)["squeezeDims"] = zeros(10) }},
		{"no operator produces tensor 2, an output", branch, func(m object) {
			first(m, "subgraphs")["tensors"], first(m, "subgraphs")["outputs"] = names(3), []int64{2}
		}},
		{"subgraph 0 has no name", branch, func(m object) { delete(first(m, "subgraphs"), "name") }},
		{"subgraph 0, inputs: tensor 9 is not one of 2", branch, func(m object) { first(m, "subgraphs")["inputs"] = []int64{9} }},
		{"subgraph 0, outputs: tensor 9 is not one of 2", branch, func(m object) { first(m, "subgraphs")["outputs"] = []int64{9} }},
		{"subgraph 0, operator 0 (Copy) is an operator that MNN does not compute", branch, func(m object) { first(first(m, "subgraphs"), "nodes")["type"] = 6 }},
		{`then_graph is "one", which is not an earlier subgraph`, branch, func(m object) { first(m, "subgraphs")["name"] = "x" }},
		{`else_graph is "", which is not an earlier subgraph`, branch, func(m object) { delete(main(m), "else_graph") }},
		{`aliases_inputs lacks "a"`, branch, func(m object) { main(m)["aliases_inputs"] = []object{{}, {}} }},
		{"aliases_inputs has 3 elements for 2 inputs", branch, func(m object) { main(m)["aliases_inputs"] = []object{{}, {}, {}} }},
		{"aliases_outputs[0] does not name outputs of the subgraphs", branch, func(m object) { main(m)["aliases_outputs"] = []object{strings("b", "a")} }},
		{"aliases_outputs has 0 elements for 1 outputs", branch, func(m object) { main(m)["aliases_outputs"] = []object{} }},
		{"it has 2 outputs, and its subgraphs have 1 and 1", branch, func(m object) {
			delete(main(m), "aliases_outputs")
			last(m)["outputIndexes"], m["tensorName"] = []int64{2, 3}, names(4)
		}},
		{"cond_graph has no output", repeat, func(m object) { first(m, "subgraphs")["outputs"] = []int64{} }},
		{"it has no aliases_updates", repeat, func(m object) { delete(main(m), "aliases_updates") }},
		{"aliases_inputs[0] has no data", repeat, func(m object) { main(m)["aliases_inputs"] = []object{{}, strings("a", "b")} }},
		{"aliases_updates[0] has 1 names", repeat, func(m object) { main(m)["aliases_updates"] = []object{strings("b")} }},
		{"aliases_outputs has 2 elements for 1 outputs", repeat, func(m object) { main(m)["aliases_outputs"] = []string{"b", "b"} }},
		{"it has 3 inputs and 1 outputs, and its body has 2 and 2", counted, func(m object) { first(m, "subgraphs")["inputs"] = []int64{0, 1} }},
		{"(While): it has no parameter", loop, func(m object) { delete(last(m), "main"); delete(last(m), "main_type") }},
		{"tensorNumber is 3", loop, func(m object) { main(m)["tensorNumber"] = 3 }},
		{"inputIndexes[0] is 2, which is not one of 2", loop, func(m object) { main(m)["inputIndexes"] = []int64{2} }},
		{"outputIndexes has 0 elements for 1 tensors", loop, func(m object) { delete(main(m), "outputIndexes") }},
		{"loopNumber is -1", loop, func(m object) { main(m)["loopNumber"] = -1 }},
		{"it has no commands", loop, func(m object) { delete(main(m), "commands") }},
		{"extraTensorInfos has 0 elements for 1 outputs", loop, func(m object) { delete(main(m), "extraTensorInfos") }},
		{"extraTensorInfos[0] has no blob", loop, func(m object) { main(m)["extraTensorInfos"] = []object{{}} }},
		{"commands[0]: it has no op", loop, func(m object) { delete(first(main(m), "commands"), "op") }},
		{`commands[0]: its operator is "Pooling" with a parameter ""`, loop, func(m object) { first(main(m), "commands")["op"].(object)["type"] = 47 }},
		{"commands[0]: opType is 35", loop, func(m object) {
			first(main(m), "commands")["op"] = operation("UnaryOp", "UnaryOp", object{"opType": 35}, nil, nil)
		}},
		{"commands[0]: opType is 18", loop, func(m object) {
			first(main(m), "commands")["op"] = operation("BinaryOp", "BinaryOp", object{"opType": 18}, nil, nil)
		}},
		{"commands[0]: size is more than 536870912", loop, func(m object) { first(main(m), "commands")["size"] = []int64{1 << 15, 1 << 15, 4} }},
		{"extraTensorInfos[0]: dimension 0 is -2", loop, func(m object) {
			main(m)["extraTensorInfos"] = []object{{"blob": object{"dims": []int64{-2, 4}}}}
		}},
		{"commands[0]: fuse is 99", loop, func(m object) { first(main(m), "commands")["fuse"] = 99 }},
		{"commands[0]: size has 2 dimensions", loop, func(m object) { first(main(m), "commands")["size"] = []int64{1, 4} }},
		{"commands[0]: size[1] is -1", loop, func(m object) { first(main(m), "commands")["size"] = []int64{1, -1, 4} }},
		{"commands[0]: it has 2 indexes and 1 views", loop, func(m object) { first(main(m), "commands")["view"] = []object{view(4, 4, 1)} }},
		{"commands[0]: indexes[1] is 2", loop, func(m object) { first(main(m), "commands")["indexes"] = []int64{1, 2} }},
		{"commands[0]: it has 2 iterIndexes, 1 steps and 2 indexes", loop, func(m object) { first(main(m), "commands")["steps"] = []int64{4} }},
		{"commands[0]: iterIndexes[0] is 7", loop, func(m object) { first(main(m), "commands")["iterIndexes"] = []int64{7, -1} }},
		{"commands[0]: view[0] has 2 strides", loop, func(m object) { first(first(main(m), "commands"), "view")["stride"] = []int64{4, 1} }},
		{"commands[0]: view[0] has elements 1 to 8 of a tensor of 8", loop, func(m object) { first(first(main(m), "commands"), "view")["offset"] = 1 }},
		{"commands[0]: view[1] has elements 0 to 8 of a tensor of 8", loop, func(m object) { first(main(m), "commands")["steps"] = []int64{4, 5} }},
	} {
		t.Run(tt.text, func(t *testing.T) {
			m := tt.good()
			file := write("Net", m)
			require.NoError(t, Check(file))
			if tt.damage == nil {
				file[0] = 255
			} else {
				tt.damage(m)
				file = write("Net", m)
			}
			err := Check(file)
			require.ErrorIs(t, err, common.ErrModel)
			require.ErrorContains(t, err, tt.text)
		})
	}
}

// TestUnknown makes changes that a later MNN may allow.
func TestUnknown(t *testing.T) {
	op := func(root flatbuf.Table, kind string) flatbuf.Table {
		for i, ops := int64(0), root.Vector("oplists"); i < ops.Len(); i++ {
			if k, _ := operatorOf(ops.Table(i)); k.name == kind {
				return ops.Table(i)
			}
		}
		t.Fatal("the model has no " + kind)
		return flatbuf.Table{}
	}
	field := func(kind, name string, n int64) func(flatbuf.Table) {
		return func(root flatbuf.Table) { p, _ := op(root, kind).Table("main"); p.Set(name, n) }
	}
	for name, tt := range map[string]struct {
		change func(flatbuf.Table)
		want   []string
	}{
		"operator": {func(root flatbuf.Table) { op(root, "Pooling").Set("type", 307) }, []string{"type 307"}}, // RoPE is 306
		"operator and parameter": {func(root flatbuf.Table) {
			o := op(root, "Pooling")
			o.Set("type", 157) // Stft is 156
			o.Set("main_type", int64(len(root.Layout().Columns[3].Of[0].Columns[2].Of)+1))
		}, []string{"type 157"}},
		"format":  {field("ConvertTensor", "dest", formats), nil},
		"pooling": {field("Pooling", "type", 3), nil},
		"usage":   {func(root flatbuf.Table) { root.Set("usage", 3) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			root := flatbuf.New(read(t, testdata+"/digits.mnn"), 0).Root(schema()["Net"])
			tt.change(root)
			require.NoError(t, Check(root.File().Data()))
			require.Equal(t, tt.want, Unknown(root.File().Data()))
			External(root.File().Data())
		})
	}
}

// TestUnsupported checks that shapes which exceed MNN's limits are reported as
// unsupported, not as damaged.
func TestUnsupported(t *testing.T) {
	for _, dims := range [][]int64{zeros(10), {1 << 20, 1 << 20}} {
		err := Check(write("Net", net("ReLU", "", nil, 1, shape(dims...))))
		require.ErrorIs(t, err, common.ErrModel)
		require.ErrorContains(t, err, "the file is not supported: net, operator 0 (Input): it has ")
	}
}

func FuzzCheck(f *testing.F) {
	for _, name := range files(f) {
		if data := read(f, name); len(data) < 1<<16 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := Check(data); err != nil {
			require.ErrorIs(t, err, common.ErrModel)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	for _, name := range files(b) {
		if data := read(b, name); len(data) > 1<<12 {
			b.Run(filepath.Base(name), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					require.NoError(b, Check(data))
				}
			})
		}
	}
}
