// SPDX-License-Identifier: Apache-2.0

package flatcheck

import (
	"encoding/binary"
	"fmt"
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

// scale changes the quantization of a tensor.
func (m model) scale(tensor int64, scale float32) {
	q, _ := sub(m.graph(), "tensors", tensor).Table("quantization")
	q.Vector("scale").Set(0, int64(math.Float32bits(scale)))
}

// operator returns the first operator with the name.
func (m model) operator(t testing.TB, name string) Table {
	for i, v := int64(0), m.graph().Vector("operators"); i < v.Len(); i++ {
		if op := v.Table(i); operators()[builtin(sub(m.Table, "operator_codes", op.Int("opcode_index")))].name == name {
			return op
		}
	}
	t.Fatal("the model has no " + name)
	return Table{}
}

// code changes the code of an operator.
func (m model) code(op Table, n int) {
	m.File().Put(sub(m.Table, "operator_codes", op.Int("opcode_index")).At("deprecated_builtin_code"), 1, 127)
	sub(m.Table, "operator_codes", op.Int("opcode_index")).Set("builtin_code", int64(n))
}

// constant returns the data of the operator's input i.
func (m model) constant(op Table, i int64) Vector {
	tensor := sub(m.graph(), "tensors", op.Vector("inputs").Int(i))
	return sub(m.Table, "buffers", tensor.Int("buffer")).Vector("data")
}

func TestDamagedFiles(t *testing.T) {
	for _, tt := range []struct {
		model, text string
		damage      func(model)
	}{
		{"digits", "it has no TFL3 at byte 4", func(m model) { m.File().Data()[4] = 'X' }},
		{"digits", `the file is not supported: its format is "TFL4", want TFL3`, func(m model) { m.File().Data()[7] = '4' }},
		{"digits", "model: the table at 4294967295 is not in the file", func(m model) { m.File().Put(0, 4, -1) }},
		{"digits", "the schema has version 2, want 3 or later", func(m model) { m.Set("version", 2) }},
		{"digits", "it has no subgraphs", func(m model) { m.Drop("subgraphs") }},
		{"digits", "it has no buffers", func(m model) { m.Drop("buffers") }},
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
		{"digits", "(CONV_2D): its options have an unknown type, and it needs stride_w", func(m model) {
			sub(m.graph(), "operators", 0).Set("builtin_options_type", 127)
		}},
		{"digits", "].builtin_options: the table at", func(m model) {
			op := m.operator(t, "RESHAPE")
			op.Set("builtin_options_type", 127)
			m.File().Put(op.At("builtin_options"), 4, 1<<30)
		}},
		{"digits", "].type is -29", func(m model) {
			sub(m.graph(), "tensors", m.operator(t, "RESHAPE").Vector("inputs").Int(1)).Set("type", -29)
		}},
		{"digits", "(builtin operator 210), input 1 is tensor 99 of", func(m model) {
			op := m.operator(t, "CONV_2D")
			m.code(op, len(operators()))
			op.Vector("inputs").Set(1, 99)
		}},
		{"digits", "model.subgraphs[0].tensors[0].shape[1] is -8", func(m model) { sub(m.graph(), "tensors", 0).Vector("shape").Set(1, -8) }},
		{"digits", "tensor 0 has more than 2147483647 elements", func(m model) { sub(m.graph(), "tensors", 0).Vector("shape").Set(0, math.MaxInt32) }},
		{"digits", "needs 4 bytes, has", func(m model) {
			c := m.operator(t, "CONV_2D").Vector("inputs").Int(1)
			shape := sub(m.graph(), "tensors", c).Vector("shape")
			for i := range shape.Len() {
				shape.Set(i, 1)
			}
		}},
		{"digits_dynamic", "in its signature", func(m model) { sub(m.graph(), "tensors", 0).Vector("shape_signature").Set(3, 5) }},
		{"digits", "has buffer 999 of", func(m model) {
			sub(m.graph(), "tensors", m.operator(t, "CONV_2D").Vector("inputs").Int(1)).Set("buffer", 999)
		}},
		{"digits", "has buffer 8 of 8", func(m model) {
			sub(m.graph(), "tensors", m.operator(t, "CONV_2D").Vector("inputs").Int(1)).Set("buffer", m.Vector("buffers").Len())
		}},
		{"digits_int8", "quantization: scale 0 is 0", func(m model) {
			q, _ := sub(m.graph(), "tensors", 0).Table("quantization")
			q.Vector("scale").Set(0, 0)
		}},
		{"digits_int8", "quantization: zero point 0 is 300", func(m model) {
			q, _ := sub(m.graph(), "tensors", 0).Table("quantization")
			q.Vector("zero_point").Set(0, 300)
		}},
		{"digits_int8", "quantization: 1 scales, 0 zero points", func(m model) {
			q, _ := sub(m.graph(), "tensors", 0).Table("quantization")
			q.Drop("zero_point")
		}},
		{"digits", ": operator code 77 of", func(m model) {
			m.operator(t, "RESHAPE").Set("opcode_index", 77)
		}},
		{"digits", "operator 0 (CONV_2D), input 1 is tensor 99 of", func(m model) { m.operator(t, "CONV_2D").Vector("inputs").Set(1, 99) }},
		{"digits", "(CONV_2D), input 0 is tensor -1 of", func(m model) { m.operator(t, "CONV_2D").Vector("inputs").Set(0, -1) }},
		{"digits", "which no earlier operator writes", func(m model) {
			op := m.operator(t, "CONV_2D")
			op.Vector("inputs").Set(0, op.Vector("outputs").Int(0))
		}},
		{"digits", "which has a value already", func(m model) { m.operator(t, "CONV_2D").Vector("outputs").Set(0, 0) }},
		{"digits", "input 0 is tensor 999 of", func(m model) { m.graph().Vector("inputs").Set(0, 999) }},
		{"digits", "output 0 is tensor 999 of", func(m model) { m.graph().Vector("outputs").Set(0, 999) }},
		{"digits", "(CONV_2D), inputs are 1, fewer than the operator needs", func(m model) { m.operator(t, "CONV_2D").Vector("inputs").SetLen(1) }},
		{"digits", "(CONV_2D): its options lack stride_w", func(m model) { m.operator(t, "CONV_2D").Drop("builtin_options") }},
		{"digits", "(CONV_2D): its options are SoftmaxOptions", func(m model) { m.operator(t, "CONV_2D").Set("builtin_options_type", 9) }},
		{"digits", "stride_w is 0", func(m model) { options(m.operator(t, "CONV_2D")).Set("stride_w", 0) }},
		{"digits", "(CONV_2D): its output has more than 2147483647 elements", func(m model) {
			sub(m.graph(), "tensors", 0).Vector("shape").Set(2, 1<<25)
		}},
		{"digits", "the shapes of its tensors do not fit", func(m model) { sub(m.graph(), "tensors", 0).Vector("shape").Set(3, 3) }},
		{"digits", "whose type or content does not fit", func(m model) { m.constant(m.operator(t, "RESHAPE"), 1).Set(3, 0x80) }},
		{"fivedim", "whose type or content does not fit", func(m model) { m.constant(m.operator(t, "TRANSPOSE"), 1).Set(0, 1) }},
		{"digits_int8", "(RESHAPE), output 0 is tensor", func(m model) {
			sub(m.graph(), "tensors", m.operator(t, "RESHAPE").Vector("outputs").Int(0)).Set("type", 7)
		}},
		{"sums_int8", "quantization: scale 0 is 1e-40", func(m model) { m.scale(0, 1e-40) }},
		{"sums_int8", "(ADD): the quantization of its tensors does not fit", func(m model) { m.scale(2, 1e-9) }},
		{"sums_int8", "(ADD): the quantization of its tensors does not fit", func(m model) { sub(m.graph(), "tensors", 1).Drop("quantization") }},
		{"sums_int8", "(LESS): the quantization of its tensors does not fit", func(m model) { m.scale(0, 1) }},
		{"accumulator", "(ASSIGN_VARIABLE): the variable has another type or size in an earlier operator", func(m model) {
			sub(m.graph(), "tensors", 1).Vector("shape").Set(1, 1)
		}},
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

// TestUnknown makes changes that a later schema may allow. Check accepts such files.
func TestUnknown(t *testing.T) {
	for name, tt := range map[string]struct {
		model  string
		change func(model)
		want   []string
	}{
		"operator": {"digits", func(m model) {
			op := m.operator(t, "CONV_2D")
			op.Set("builtin_options_type", 127)
			m.code(op, len(operators()))
		}, []string{fmt.Sprintf("builtin operator %d", len(operators()))}},
		"options":    {"digits", func(m model) { m.operator(t, "RESHAPE").Set("builtin_options_type", 127) }, nil},
		"activation": {"digits", func(m model) { options(m.operator(t, "CONV_2D")).Set("fused_activation_function", 6) }, nil},
		"stride":     {"digits", func(m model) { options(m.operator(t, "CONV_2D")).Set("stride_w", 1<<20) }, nil},
		"element type": {"digits", func(m model) {
			sub(m.graph(), "tensors", m.operator(t, "RESHAPE").Vector("inputs").Int(1)).Set("type", int64(len(elementBits)))
		}, nil},
		"schema": {"digits", func(m model) { m.Set("version", 4) }, nil},
		"inputs": {"digits", func(m model) {
			op := m.operator(t, "CONV_2D")
			for i, v := int64(0), m.graph().Vector("operators"); i < v.Len(); i++ {
				if other := v.Table(i); other.Int("opcode_index") == op.Int("opcode_index") {
					other.Set("builtin_options_type", 0)
				}
			}
			m.code(op, slices.IndexFunc(operators(), func(k operator) bool { return k.name == "REAL" })) // has one input
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := load(t, tt.model)
			tt.change(m)
			require.NoError(t, Check(m.File().Data()))
			require.Equal(t, tt.want, Unknown(m.File().Data()))
			for i, v := int64(0), m.Vector("operator_codes"); i < v.Len(); i++ {
				require.NotEmpty(t, Operator(v.Table(i)))
			}
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
	require.NoError(t, (&tensor{data: good}).strings(c))
	for _, bad := range [][]byte{good[:7], good[:13], {9, 0, 0, 0, 12, 0, 0, 0, 14, 0, 0, 0, 'h', 'i'}} {
		require.Error(t, (&tensor{data: bad}).strings(c))
	}
}

func TestIsNumberMap(t *testing.T) {
	good := []byte{'a', 0, 1, 3, 1, 1, 1, 7, 4, 2, 36, 1} // {"a": 7}
	require.True(t, isNumberMap(good))
	require.False(t, isNumberMap(nil))
	for n := range len(good) - 1 {
		require.False(t, isNumberMap(good[n+1:]), n)
	}
}

// shaped returns a tensor of the shape, which is constant if content is not nil.
func shaped(content []int32, shape ...int64) *tensor {
	t := &tensor{Table: flatbuf.Absent(schema()["Tensor"]), dtype: int32Type, constant: content != nil}
	for _, n := range content {
		t.data = binary.LittleEndian.AppendUint32(t.data, uint32(n))
	}
	t.shape = flatbuf.Ints(shape...)
	return t
}

func TestShapes(t *testing.T) {
	require.True(t, isBroadcast([]*tensor{shaped(nil, 2, 1, 3), shaped(nil, 4, 1)}, shaped(nil, 2, 4, 3)))
	require.False(t, isBroadcast([]*tensor{shaped(nil, 2, 3)}, shaped(nil, 2, 4)))
	require.False(t, isBroadcast([]*tensor{shaped(nil, 2, 3)}, shaped(nil, 3)))
	require.True(t, isConcatenation([]*tensor{shaped(nil, 2, 3), shaped(nil, 2, 4)}, shaped(nil, 2, 7), -1))
	require.False(t, isConcatenation([]*tensor{shaped(nil, 2, 3), shaped(nil, 2, 4)}, shaped(nil, 2, 8), 1))
	require.False(t, isConcatenation([]*tensor{shaped(nil, 2, 3), shaped(nil, 3, 4)}, shaped(nil, 2, 7), 1))
	require.False(t, isConcatenation([]*tensor{shaped(nil, 2, 3)}, shaped(nil, 2, 3), 2))
	require.True(t, isPadded([]*tensor{shaped(nil, 2, 3), shaped([]int32{0, 0, 1, 2}, 2, 2), shaped(nil, 2, 6)}))
	require.False(t, isPadded([]*tensor{shaped(nil, 2, 3), shaped([]int32{0, 9, 1, 2}, 2, 2), shaped(nil, 2, 6)}))

	slice := flatbuf.Absent(schema()["StridedSliceOptions"])
	cut := func(begin, end, step int32, out ...int64) bool {
		one := func(n int32) *tensor { return shaped([]int32{n}, 1) }
		return isStridedSlice(slice, []*tensor{shaped(nil, 10, 2), one(begin), one(end), one(step), shaped(nil, out...)})
	}
	require.True(t, cut(2, 9, 3, 3, 2))
	require.True(t, cut(-2, 99, 1, 2, 2))
	require.True(t, cut(9, -11, -4, 3, 2))
	require.False(t, cut(2, 9, 3, 4, 2))
	require.False(t, cut(2, 9, 3, 3))
	require.False(t, cut(2, 9, 0, 3, 2))

	order := shaped([]int32{2, 0, -2}, 3)
	require.True(t, order.isPermutation(3))
	require.False(t, order.isPermutation(4))
	require.False(t, shaped([]int32{0, 0}, 2).isPermutation(2))
	require.False(t, shaped([]int32{1 << 20, 1 << 20}, 2).validSizes(0, 1))
}

func TestValidMultipliers(t *testing.T) {
	const tiny, huge = 0x1p-126, math.MaxFloat32
	require.True(t, validMultipliers("ADD", 20, 0.1, 0.2, 0.3))
	require.True(t, validMultipliers("SUB", 20, 1, 1, 1e-8), "the multiplier may exceed 1")
	require.False(t, validMultipliers("SUB", 20, 1, 1, 0x1p-19), "the multiplier may not be 1")
	for _, name := range []string{"ADD", "SUB", "SQUARED_DIFFERENCE"} {
		for _, s := range [][3]float32{{0, 0, 0}, {0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {huge, 1, 1}, {1, huge, 1}, {1, 1, huge}} {
			require.False(t, validMultipliers(name, 20, s[0], s[1], s[2]), "%s %v", name, s)
		}
	}
	require.False(t, validMultipliers("ADD", 15, 1, 1, tiny))
	require.False(t, validMultipliers("SQUARED_DIFFERENCE", 14, 1, 100, 0.1))
}

func TestValidGates(t *testing.T) {
	lstm := func(left ...int) Vector {
		v := flatbuf.Ints(make([]int64, 24)...)
		for _, i := range left {
			v.Set(int64(i), -1)
		}
		return v
	}
	require.True(t, validGates(lstm()))
	require.True(t, validGates(lstm(9, 10, 11, 16, 17, 20, 21, 22, 23)))
	require.True(t, validGates(lstm(1, 5, 9, 12, 20)))
	require.False(t, validGates(lstm(12)))
	require.False(t, validGates(lstm(10)))
	require.False(t, validGates(lstm(16)))
	require.False(t, validGates(lstm(22)))
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
