// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// A big model has a table of float32 whose row i has only elements of value i,
// and looks rows up by their numbers. In the reference engine, which has no such
// operator, it multiplies the table by a vector. The table of "onnx-external" is
// in a file of its own.
var bigFormats = []string{"openvino", "onnx", "onnx-external", "tflite", "mnn", "reference"}

const (
	bigColumns = 256
	bigRow     = 4 * bigColumns // bytes
)

// big loads and runs a big model of each format, in a process of its own that
// measures its memory.
func (s *suite) big(t *testing.T) {
	for _, format := range bigFormats {
		if own, _, _ := strings.Cut(format, "-"); slices.Contains(s.Formats, own) {
			s.run(t, format, func(t *testing.T) { alone(t, settings{}, func(t *testing.T) { s.bigModel(t, format) }) })
		}
	}
}

// bigModel checks that a model's weights are not in Go's heap, and that loading it
// takes no more memory than Engine.Memory says, in sizes of its files.
func (s *suite) bigModel(t *testing.T, format string) {
	e, o := s.engine(t), s.oneThread()
	load := func(path string, rows int) (loaded *common.Model, tensors int) {
		loaded, err := e.Load(ctx, common.File(path), &o)
		require.NoError(t, err)
		in, want := bigCase(t, format, rows)
		out, err := loaded.Run(ctx, in)
		require.NoError(t, err)
		got, err := common.Get[float32](out, "rows")
		require.NoError(t, err)
		require.True(t, slices.Equal(want, got), "the outputs are wrong")
		return loaded, len(out["rows"].Bytes())
	}
	small, _ := load(writeBig(t, format, 1000), 1000) // what any model costs
	require.NoError(t, small.Close())
	rows := 62500 * soak(t) // 64 MB
	path := writeBig(t, format, rows)
	before := footprint()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // resets the peak
		t.Skipf("this system does not measure peaks of memory: %v", err)
	}
	loaded, tensors := load(path, rows)
	peak, after := statusLine("/proc/self/status", "VmHWM")<<10, footprint()
	size := float64(rows * bigRow)
	require.NotZero(t, peak)
	factor := float64(peak-before.memory) / size
	t.Logf("%s, %.0f MB: Go's heap %+d kB; peak memory %.2f times the size, %.2f while it is loaded",
		format, size/1e6, (after.heap-before.heap)/1000, factor, float64(after.memory-before.memory)/size)
	require.Less(t, after.heap-before.heap-tensors, 1<<20, "Go's heap has weights")
	if !instrumented {
		const noise = 8e6 // of allocators and threads
		require.Less(t, factor, cmp.Or(s.Memory[format], 1.1)+noise/size, "peak memory, in sizes of the model")
	}
	require.NoError(t, loaded.Close())
	runtime.KeepAlive(loaded)
}

// statusLine is a number in a file of /proc like status; 0 where there is none.
func statusLine(path, name string) (n int) {
	text, _ := os.ReadFile(path)
	for line := range bytes.Lines(text) {
		if _, err := fmt.Sscanf(string(line), name+": %d", &n); err == nil {
			return n
		}
	}
	return 0
}

// bigCase is what to run a big model on, and what that gives.
func bigCase(t *testing.T, format string, rows int) (in common.Tensors, want []float32) {
	if format == "reference" {
		x, err := common.FromSlice(append([]float32{1}, make([]float32, bigColumns-1)...), 1, bigColumns)
		require.NoError(t, err)
		for i := range rows {
			want = append(want, float32(i))
		}
		return common.Tensors{"x": x}, want
	}
	ids := []int32{0, int32(rows - 1), int32(rows / 2), 1}
	x, err := common.FromSlice(ids)
	require.NoError(t, err)
	for _, i := range ids {
		want = append(want, slices.Repeat([]float32{float32(i)}, bigColumns)...)
	}
	return common.Tensors{"ids": x}, want
}

// writeBig writes a big model and returns the file to load.
func writeBig(t *testing.T, format string, rows int) string {
	t.Helper()
	require.LessOrEqual(t, rows, 1<<24, "float32 has no other integers")
	dir := t.TempDir()
	// write writes a file with the table, if rows > 0, between before and after.
	write := func(name string, rows int, before, after []byte) string {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
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
		return path
	}
	switch format {
	case "openvino":
		write("big.bin", rows, make([]byte, 64), nil) // the axis, and bytes for alignment
		return write("big.xml", 0, fmt.Appendf(nil, bigIR, rows, rows*bigRow), nil)
	case "onnx":
		return write("big.onnx", rows, bigONNX(rows, ""), nil)
	case "onnx-external":
		write("big.data", rows, nil, nil)
		return write("big.onnx", 0, bigONNX(rows, "big.data"), nil)
	case "tflite":
		return write("big.tflite", rows, bigFlat(t, "table.tflite", rows, rows*bigRow), nil)
	case "mnn":
		return write("big.mnn", rows, bigFlat(t, "table.mnn", rows, rows*bigColumns), nil)
	}
	before, after := bigReference(rows)
	return write("big.ref", rows, before, after)
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
