// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// BigModel is a model of any size, for tests of memory and of large files: a
// table of float32 whose row i has only elements of value i. The model looks
// four rows up by their numbers. In the reference engine, which has no such
// operator, it multiplies the table by a vector.
type BigModel struct {
	Path   string // of the file to load; others are beside it
	Rows   int
	format string
}

// BigFormats are the formats of WriteBigModel. The table of "onnx-external" is
// in a file of its own.
var BigFormats = []string{"openvino", "onnx", "onnx-external", "tflite", "mnn", "reference"}

const (
	bigColumns = 256
	bigRow     = 4 * bigColumns // bytes
)

// WriteBigModel writes a model of about size bytes to dir, a row at a time.
func WriteBigModel(t testing.TB, dir, format string, size int64) BigModel {
	t.Helper()
	rows := int(size / bigRow)
	require.Greater(t, rows, 1)
	require.LessOrEqual(t, rows, 1<<24, "float32 has no other integers")
	b := BigModel{Rows: rows, format: format}
	name := func(file string) string { return filepath.Join(dir, file) }
	switch format {
	case "openvino":
		b.Path = name("big.xml")
		require.NoError(t, os.WriteFile(b.Path, fmt.Appendf(nil, bigIR, rows, rows*bigRow), 0o600))
		writeTable(t, name("big.bin"), make([]byte, 64), rows, nil) // the axis, and room for alignment
	case "onnx":
		b.Path = name("big.onnx")
		writeTable(t, b.Path, bigONNX(rows, ""), rows, nil)
	case "onnx-external":
		b.Path = name("big.onnx")
		require.NoError(t, os.WriteFile(b.Path, bigONNX(rows, "big.data"), 0o600))
		writeTable(t, name("big.data"), nil, rows, nil)
	case "tflite":
		b.Path = name("big.tflite")
		writeTable(t, b.Path, bigFlat(t, "table.tflite", rows, rows*bigRow), rows, nil)
	case "mnn":
		b.Path = name("big.mnn")
		writeTable(t, b.Path, bigFlat(t, "table.mnn", rows, rows*bigColumns), rows, nil)
	case "reference":
		b.Path = name("big.ref")
		before, after := bigReference(rows)
		writeTable(t, b.Path, before, rows, after)
	default:
		t.Fatalf("no format %q, want one of %q", format, BigFormats)
	}
	return b
}

// Inputs are for Model.Run.
func (b BigModel) Inputs(t testing.TB) common.Tensors {
	t.Helper()
	name, x, err := "ids", (*common.Tensor)(nil), error(nil)
	if b.format == "reference" {
		name = "x"
		x, err = common.FromSlice(append([]float32{1}, make([]float32, bigColumns-1)...), 1, bigColumns)
	} else {
		x, err = common.FromSlice(b.ids())
	}
	require.NoError(t, err)
	return common.Tensors{name: x}
}

func (b BigModel) ids() []int32 { return []int32{0, int32(b.Rows - 1), int32(b.Rows / 2), 1} }

// Check fails where out is not what the model computes of Inputs.
func (b BigModel) Check(t testing.TB, out common.Tensors) {
	t.Helper()
	require.NotNil(t, out["rows"])
	got, err := common.Get[float32](out, "rows")
	require.NoError(t, err)
	var want []float32
	if b.format == "reference" {
		for i := range b.Rows {
			want = append(want, float32(i))
		}
	} else {
		for _, i := range b.ids() {
			want = append(want, slices.Repeat([]float32{float32(i)}, bigColumns)...)
		}
	}
	require.Len(t, got, len(want))
	for i, w := range want {
		if got[i] != w {
			t.Fatalf("element %d is %v, want %v", i, got[i], w)
		}
	}
}

// writeTable writes a file with the table between before and after.
func writeTable(t testing.TB, path string, before []byte, rows int, after []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	w.Write(before) // w keeps the first error for Flush
	row := make([]byte, bigRow)
	for i := range rows {
		for c := range bigColumns {
			binary.LittleEndian.PutUint32(row[4*c:], math.Float32bits(float32(i)))
		}
		w.Write(row)
	}
	w.Write(after)
	require.NoError(t, w.Flush())
	require.NoError(t, f.Close())
}

const bigIR = `<?xml version="1.0"?><net name="big" version="11"><layers>
<layer id="0" name="ids" type="Parameter" version="opset1"><data shape="4" element_type="i32"/><output><port id="0" precision="I32" names="ids"><dim>4</dim></port></output></layer>
<layer id="1" name="axis" type="Const" version="opset1"><data element_type="i64" shape="" offset="0" size="8"/><output><port id="0" precision="I64"/></output></layer>
<layer id="2" name="table" type="Const" version="opset1"><data element_type="f32" shape="%[1]d,256" offset="64" size="%[2]d"/><output><port id="0" precision="FP32"><dim>%[1]d</dim><dim>256</dim></port></output></layer>
<layer id="3" name="gather" type="Gather" version="opset8"><data batch_dims="0"/><input><port id="0" precision="FP32"><dim>%[1]d</dim><dim>256</dim></port><port id="1" precision="I32"><dim>4</dim></port><port id="2" precision="I64"/></input><output><port id="3" precision="FP32" names="rows"><dim>4</dim><dim>256</dim></port></output></layer>
<layer id="4" name="result" type="Result" version="opset1"><input><port id="0" precision="FP32"><dim>4</dim><dim>256</dim></port></input></layer>
</layers><edges>
<edge from-layer="2" from-port="0" to-layer="3" to-port="0"/><edge from-layer="0" from-port="0" to-layer="3" to-port="1"/>
<edge from-layer="1" from-port="0" to-layer="3" to-port="2"/><edge from-layer="3" from-port="3" to-layer="4" to-port="0"/></edges></net>`

// bigONNX is an ONNX file up to the content of the table, its last field, or
// with file, where that is, all of it.
func bigONNX(rows int, file string) []byte {
	const float32s, int32s = 1, 6
	number := func(field int, v int) []byte { return binary.AppendUvarint([]byte{byte(field << 3)}, uint64(v)) }
	// message is a message, string or bytes, of which more bytes follow parts.
	message := func(field, more int, parts ...[]byte) []byte {
		content := bytes.Join(parts, nil)
		return append(binary.AppendUvarint([]byte{byte(field<<3 | 2)}, uint64(len(content)+more)), content...)
	}
	text := func(field int, s string) []byte { return message(field, 0, []byte(s)) }
	tensor := func(field int, name string, dtype int, dims ...int) []byte { // a ValueInfoProto
		var shape []byte
		for _, d := range dims {
			shape = append(shape, message(1, 0, number(1, d))...)
		}
		return message(field, 0, text(1, name), message(2, 0, message(1, 0, number(1, dtype), message(2, 0, shape))))
	}
	more := rows * bigRow
	content := message(9, more)
	if file != "" {
		more = 0
		content = append(message(13, 0, text(1, "location"), text(2, file)), number(14, 1)...)
	}
	table := message(5, more, number(1, rows), number(1, bigColumns), number(2, float32s), text(8, "table"), content)
	node := message(1, 0, text(1, "table"), text(1, "ids"), text(2, "rows"), text(4, "Gather"))
	graph := message(7, more, node, text(2, "big"), tensor(11, "ids", int32s, 4), tensor(12, "rows", float32s, 4, bigColumns), table)
	return slices.Concat(number(1, 8), message(8, 0, text(1, ""), number(2, 17)), graph)
}

// bigFlat is a FlatBuffers file of testdata, which ends with a table of two
// rows, up to the content of one with more; its vector has length elements.
func bigFlat(t testing.TB, file string, rows, length int) []byte {
	t.Helper()
	require.Less(t, int64(rows)*bigRow, int64(1)<<31-1<<16, "FlatBuffers files have less than 2 GiB")
	data, err := os.ReadFile(filepath.Join(root(t), "testdata", file))
	require.NoError(t, err)
	data = data[:len(data)-2*bigRow]
	shape := func(rows int) []byte { // with its length before it
		var b []byte
		for _, v := range []int{2, rows, bigColumns} {
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		}
		return b
	}
	require.Equal(t, 1, bytes.Count(data, shape(2)))
	data = bytes.Replace(data, shape(2), shape(rows), 1)
	binary.LittleEndian.PutUint32(data[len(data)-4:], uint32(length))
	return data
}

// bigReference is a file of the reference engine before and after the table's
// content; cinclude/reference/model.h has the layout.
func bigReference(rows int) (before, after []byte) {
	const input, output, constant, float32s, dense = 1, 2, 3, 12, 3
	numbers := func(b []byte, v ...int) []byte {
		for _, v := range v {
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		}
		return b
	}
	tensor := func(b []byte, name string, kind, d0, d1, bytes int) []byte {
		b = append(append(numbers(b, len(name)+1), name...), 0)
		return numbers(b, kind, float32s, 2, d0, d1, 0, 0, bytes) // no scales, their axis
	}
	b := append(numbers([]byte("ANYREF1\n"), 1, 1), 0)      // graphs; its name is empty
	b = tensor(numbers(b, 3), "x", input, 1, bigColumns, 0) // tensors
	b = tensor(b, "rows", output, 1, rows, 0)
	b = tensor(b, "table", constant, rows, bigColumns, rows*bigRow)
	return b, numbers(nil, 1, dense, 0, 2, -1, 1, 0, 0, 0, 0, 0, 0, 0, 0)
}
