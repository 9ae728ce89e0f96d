// SPDX-License-Identifier: Apache-2.0

package flatcheck

import (
	"encoding/binary"
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
	for _, pattern := range []string{testdata + "/*.tflite", testdata + "/dtypes/*.tflite", testdata + "/../../shared/models/*.tflite"} {
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
	data := read(t, testdata+"/digits.tflite")
	for n := range data {
		require.ErrorIs(t, Check(data[:n:n]), common.ErrModel, "%d bytes", n)
	}
}

// model is the root table of a file. Its methods find and change parts of it.
type model struct{ Table }

func load(t testing.TB, name string) model {
	return model{Model(read(t, filepath.Join(testdata, name+".tflite")))}
}

// sub returns element i of a vector of tables.
func sub(t Table, name string, i int64) Table { return t.Vector(name).Table(i) }

func (m model) graph() Table { return sub(m.Table, "subgraphs", 0) }

const (
	conv    = 3
	reshape = 22
	unknown = 5000 // the number of an operator that no schema has
)

// operator returns the first operator with the number.
func (m model) operator(t testing.TB, number int64) Table {
	for i, v := int64(0), m.graph().Vector("operators"); i < v.Len(); i++ {
		if op := v.Table(i); Operator(sub(m.Table, "operator_codes", op.Int("opcode_index"))) == number {
			return op
		}
	}
	t.Fatalf("the model has no operator %d", number)
	return Table{}
}

// callOnce makes a subgraph call the one with the number.
func (m model) callOnce(t testing.TB, number int64) {
	op := m.operator(t, reshape) // its options begin with a number of 4 bytes, too: an offset
	columns := schema()["Operator"].Columns
	of := columns[slices.IndexFunc(columns, func(c flatbuf.Column) bool { return c.Name == "builtin_options" })].Of
	op.Set("builtin_options_type", 1+int64(slices.Index(of, schema()["CallOnceOptions"])))
	options, _ := op.Table("builtin_options")
	options.Set("init_subgraph_index", number)
}

// code changes the code of an operator.
func (m model) code(op Table, n int64) {
	code := sub(m.Table, "operator_codes", op.Int("opcode_index"))
	m.File().Put(code.At("deprecated_builtin_code"), 1, min(n, 127))
	code.Set("builtin_code", n)
}

// weights returns the tensor of the weights of the first convolution.
func (m model) weights(t testing.TB) Table {
	return sub(m.graph(), "tensors", m.operator(t, conv).Vector("inputs").Int(1))
}

// shape returns the tensor of int32 that the first RESHAPE has for its shape.
func (m model) shape(t testing.TB) Table {
	return sub(m.graph(), "tensors", m.operator(t, reshape).Vector("inputs").Int(1))
}

func TestDamagedFiles(t *testing.T) {
	for _, tt := range []struct {
		model, text string
		damage      func(model)
	}{
		{"digits", "it has no TFL3 at byte 4", func(m model) { m.File().Data()[4] = 'X' }},
		{"digits", `the file is not supported: its format is "TFL4", want TFL3`, func(m model) { m.File().Data()[7] = '4' }},
		{"digits", "model: the table at 4294967295 is not in the file", func(m model) { m.File().Put(0, 4, -1) }},
		{"digits", "it has no subgraphs", func(m model) { m.Drop("subgraphs") }},
		{"digits", "it has no subgraph", func(m model) { m.Vector("subgraphs").SetLen(0) }},
		{"digits", "it has no buffers", func(m model) { m.Drop("buffers") }},
		{"digits", "operator code 0 is negative: -1", func(m model) {
			m.File().Put(sub(m.Table, "operator_codes", 0).At("deprecated_builtin_code"), 1, -1)
			sub(m.Table, "operator_codes", 0).Set("builtin_code", -1)
		}},
		{"digits", "subgraph 0 has no tensors", func(m model) { m.graph().Drop("tensors") }},
		{"digits", "model.subgraphs[0].tensors[1].name: the string at", func(m model) {
			m.File().Put(m.File().Target(sub(m.graph(), "tensors", 1).At("name")), 4, 1<<30)
		}},
		{"digits", "model.subgraphs[0].tensors[1].name: the string at", func(m model) { // a string must end in a NUL
			name := m.File().Target(sub(m.graph(), "tensors", 1).At("name"))
			m.File().Put(name+4+int64(len(sub(m.graph(), "tensors", 1).Text("name"))), 1, 'x')
		}},
		{"digits", "model.subgraphs[0].operators[0].inputs: the vector at", func(m model) {
			sub(m.graph(), "operators", 0).Vector("inputs").SetLen(math.MaxInt32)
		}},
		{"digits", "].builtin_options: the table at", func(m model) {
			op := m.operator(t, reshape)
			op.Set("builtin_options_type", 127)
			m.File().Put(op.At("builtin_options"), 4, 1<<30)
		}},
		{"digits", "].builtin_options: field 1 of the table at", func(m model) { // the schema has no fields of these options
			options := m.File().Target(m.operator(t, conv).At("builtin_options"))
			m.File().Put(options-int64(int32(binary.LittleEndian.Uint32(m.File().Data()[options:])))+6, 2, 1<<15)
		}},
		{"digits", " is of type -29", func(m model) { m.shape(t).Set("type", -29) }},
		{"digits", "tensor 0 has -8 for dimension 1", func(m model) { sub(m.graph(), "tensors", 0).Vector("shape").Set(1, -8) }},
		{"digits", "tensor 0 has more than 2147483647 elements", func(m model) { sub(m.graph(), "tensors", 0).Vector("shape").Set(0, math.MaxInt32) }},
		{"digits", "needs 4 bytes, has", func(m model) {
			shape := m.weights(t).Vector("shape")
			for i := range shape.Len() {
				shape.Set(i, 1)
			}
		}},
		{"digits_dynamic", "in its signature", func(m model) { sub(m.graph(), "tensors", 0).Vector("shape_signature").Set(3, 5) }},
		{"digits_dynamic", "has 4 dimensions and 3 in its signature", func(m model) { sub(m.graph(), "tensors", 0).Vector("shape_signature").SetLen(3) }},
		{"digits", "has buffer 999 of", func(m model) { m.weights(t).Set("buffer", 999) }},
		{"digits", "has buffer 8 of 8", func(m model) { m.weights(t).Set("buffer", m.Vector("buffers").Len()) }},
		{"digits_int8", "quantization: scale 0 is NaN", func(m model) {
			q, _ := sub(m.graph(), "tensors", 0).Table("quantization")
			q.Vector("scale").Set(0, int64(math.Float32bits(float32(math.NaN()))))
		}},
		{"digits_int8", "quantization: 1 scales, 0 zero points", func(m model) {
			q, _ := sub(m.graph(), "tensors", 0).Table("quantization")
			q.Drop("zero_point")
		}},
		{"channels", "scales for dimension 4", func(m model) {
			for i := range m.graph().Vector("tensors").Len() {
				if q, _ := sub(m.graph(), "tensors", i).Table("quantization"); q.Vector("scale").Len() > 1 && q.Has("quantized_dimension") {
					q.Set("quantized_dimension", 4)
				}
			}
		}},
		{"digits", ": operator code 77 of", func(m model) { m.operator(t, reshape).Set("opcode_index", 77) }},
		{"digits", "operator 0, inputs 1 is tensor 99 of", func(m model) { m.operator(t, conv).Vector("inputs").Set(1, 99) }},
		{"digits", "operator 0, inputs 0 is tensor -2 of", func(m model) { m.operator(t, conv).Vector("inputs").Set(0, -2) }},
		{"digits", "operator 0, inputs 1 is tensor 99 of", func(m model) { // that no SDK knows
			m.code(m.operator(t, conv), unknown)
			m.operator(t, unknown).Vector("inputs").Set(1, 99)
		}},
		{"digits", "operator 0, outputs 0 is tensor 99 of", func(m model) { m.operator(t, conv).Vector("outputs").Set(0, 99) }},
		{"digits", "inputs 0 is tensor 999 of", func(m model) { m.graph().Vector("inputs").Set(0, 999) }},
		{"digits", "outputs 0 is tensor -1 of", func(m model) { m.graph().Vector("outputs").Set(0, -1) }},
		{"digits", "a constant, which callers cannot write", func(m model) {
			m.graph().Vector("inputs").Set(0, m.operator(t, conv).Vector("inputs").Int(1))
		}},
		{"digits", ": init_subgraph_index is subgraph 1 of 1", func(m model) { m.callOnce(t, 1) }},
		{"digits", ": init_subgraph_index is subgraph -1 of 1", func(m model) { m.callOnce(t, -1) }},
		{"digits", "subgraph 0 calls itself or others more than 32 deep", func(m model) { m.callOnce(t, 0) }},
		{"labels", "has buffer 99 of", func(m model) { sub(m.Table, "metadata", 0).Set("buffer", 99) }},
		{"multi_signatures", "signature 1: it is of subgraph 9 of", func(m model) { sub(m.Table, "signature_defs", 1).Set("subgraph_index", 9) }},
		{"multi_signatures", "signature 0 has no signature_key", func(m model) { sub(m.Table, "signature_defs", 0).Drop("signature_key") }},
		{"multi_signatures", "signature 0, inputs 0 has no name", func(m model) {
			sub(sub(m.Table, "signature_defs", 0), "inputs", 0).Drop("name")
		}},
		{"multi_signatures", "tensor 0 is not one of subgraph 0 or is listed twice", func(m model) {
			sub(sub(m.Table, "signature_defs", 0), "outputs", 0).Drop("tensor_index")
		}},
		{"multi_signatures", "tensor 0 is not one of subgraph 1 or is listed twice", func(m model) {
			sub(sub(m.Table, "signature_defs", 1), "inputs", 1).Drop("tensor_index")
		}},
		{"multi_signatures", "lacks inputs of subgraph 0", func(m model) {
			sub(m.Table, "signature_defs", 0).Vector("inputs").SetLen(1)
		}},
	} {
		t.Run(tt.model+" "+tt.text, func(t *testing.T) {
			m := load(t, tt.model)
			tt.damage(m)
			err := Check(m.File().Data())
			require.ErrorIs(t, err, common.ErrModel)
			require.ErrorContains(t, err, tt.text)
		})
	}
}

// TestUnknown makes changes that a later schema may allow, or that only a kernel can judge. Check accepts such files.
func TestUnknown(t *testing.T) {
	for name, tt := range map[string]struct {
		model  string
		change func(model)
	}{
		"operator": {"digits", func(m model) {
			op := m.operator(t, conv)
			op.Set("builtin_options_type", 127)
			m.code(op, unknown)
		}},
		"options":           {"digits", func(m model) { m.operator(t, reshape).Set("builtin_options_type", 127) }},
		"another's options": {"digits", func(m model) { m.operator(t, conv).Set("builtin_options_type", 9) }},
		"no options":        {"digits", func(m model) { m.operator(t, conv).Drop("builtin_options") }},
		"element type":      {"digits", func(m model) { m.shape(t).Set("type", int64(len(elementBits))) }},
		"schema":            {"digits", func(m model) { m.Set("version", 4) }},
		"optional input":    {"digits", func(m model) { m.operator(t, conv).Vector("inputs").Set(0, -1) }},
		"fewer inputs":      {"digits", func(m model) { m.operator(t, conv).Vector("inputs").SetLen(1) }},
		"order": {"digits", func(m model) {
			m.operator(t, conv).Vector("inputs").Set(0, m.operator(t, conv).Vector("outputs").Int(0))
		}},
		"shapes": {"digits", func(m model) { sub(m.graph(), "tensors", 0).Vector("shape").Set(3, 3) }},
		"scales": {"sums_int8", func(m model) {
			q, _ := sub(m.graph(), "tensors", 0).Table("quantization")
			q.Vector("scale").Set(0, 0)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m := load(t, tt.model)
			tt.change(m)
			require.NoError(t, Check(m.File().Data()))
		})
	}
}

func TestCallDepth(t *testing.T) {
	c := &checker{calls: [][]int64{{1, 2}, {2}, {}}}
	require.True(t, c.setCallDepth(0, make([]int, 3), 0))
	c.calls[2] = []int64{0}
	require.False(t, c.setCallDepth(0, make([]int, 3), 0))
	c.calls = make([][]int64, 100)
	for i := range 99 {
		c.calls[i] = []int64{int64(i + 1)}
	}
	require.False(t, c.setCallDepth(0, make([]int, 100), 0))
}

func TestStringTensor(t *testing.T) {
	c := &checker{File: flatbuf.New(nil, 100)}
	good := []byte{1, 0, 0, 0, 12, 0, 0, 0, 14, 0, 0, 0, 'h', 'i'}
	require.NoError(t, c.strings(good))
	for _, bad := range [][]byte{good[:7], good[:13], {9, 0, 0, 0, 12, 0, 0, 0, 14, 0, 0, 0, 'h', 'i'}} {
		require.Error(t, c.strings(bad))
	}
}

// TestVerifyLimit checks that the work of Verify is bounded by the file's size even if
// objects are shared.
func TestVerifyLimit(t *testing.T) {
	m := load(t, "digits")
	require.ErrorContains(t, flatbuf.New(m.File().Data(), 10).Root(m.Layout()).Verify(), "too many shared objects")
}

func FuzzCheck(f *testing.F) {
	for _, name := range files(f) {
		if data := read(f, name); len(data) < 1<<16 {
			f.Add(data)
		}
	}
	m := load(f, "digits")
	m.callOnce(f, 1)
	f.Add(m.File().Data())
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := Check(data); err != nil {
			require.ErrorIs(t, err, common.ErrModel)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	for _, name := range files(b) {
		if data := read(b, name); len(data) > 1<<16 {
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
