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

// numbers of operators
const (
	input    = 34
	constant = 11
	relu     = 69
	pooling  = 47
	branch   = 601
)

// operation returns an Op.
func operation(kind int, parameter string, main object, in, out []int64) object {
	o := object{"name": "op", "type": kind, "inputIndexes": in, "outputIndexes": out}
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

func shape(dims ...int64) object { return object{"dims": dims} }

func floats(dims ...int64) object {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return object{"dims": dims, "float32s": make([]int64, n)}
}

// names returns the names of n tensors.
func names(n int) []string {
	var all []string
	for i := range n {
		all = append(all, string(rune('a'+i)))
	}
	return all
}

// net returns a model of an operator that makes a tensor, and one that computes with it.
func net(kind int, parameter string, main object) object {
	return object{"oplists": []object{operation(kind, parameter, main, nil, []int64{0}), operation(relu, "", nil, []int64{0}, []int64{1})}, "tensorName": names(2)}
}

// TestDamagedFiles changes valid files in one place.
func TestDamagedFiles(t *testing.T) {
	one := func() object { return net(input, "Input", shape(4)) }
	blob := func() object { return net(constant, "Blob", floats(2, 3)) }
	sub := func(name string) object {
		return object{"name": name, "tensors": names(2), "inputs": []int64{0}, "outputs": []int64{1}, "nodes": []object{operation(relu, "", nil, []int64{0}, []int64{1})}}
	}
	calls := func() object {
		return net(branch, "IfParam", object{"then_graph": "one", "else_graph": "two"}).with(object{"subgraphs": []object{sub("one"), sub("two")}})
	}
	conv := func() object {
		return net(input, "Convolution2D", object{"external": []int64{0, 100, 20}})
	}
	first := func(m object, name string) object { return m[name].([]object)[0] }
	last := func(m object) object { all := m["oplists"].([]object); return all[len(all)-1] }
	main := func(m object) object { return first(m, "oplists")["main"].(object) }
	for _, tt := range []struct {
		text   string
		good   func() object
		damage func(object)
	}{
		{"net: the table at", one, nil},
		{"net has no oplists", one, func(m object) { delete(m, "oplists") }},
		{"net has no tensorName", one, func(m object) { delete(m, "tensorName") }},
		{"extraInfo: the table at", one, func(m object) { m["extraInfo"] = object{"buffer": []int64{99, 0, 0, 0}} }},
		{"extraTensorDescribe 0 is of tensor 2, which is not one of 2", one, func(m object) { m["extraTensorDescribe"] = []object{{"index": 2}} }},
		{`no tensor has the name of the output "z"`, one, func(m object) { m["outputName"] = []string{"a", "z"} }},
		{"operator 1 (type 605): MNN has operators up to type 604", one, func(m object) { last(m)["type"] = 605 }},
		{"operator 1 (type -1): no operator has this type", one, func(m object) { last(m)["type"] = -1 }},
		{"operator 1 (type 307), inputIndexes: tensor 9 is not one of 2", one, func(m object) { last(m)["type"], last(m)["inputIndexes"] = 307, []int64{9} }},
		{"operator 1 (type 69), inputIndexes: tensor -1 is not one of 2", one, func(m object) { last(m)["inputIndexes"] = []int64{-1} }},
		{"operator 1 (type 69), outputIndexes: tensor 2 is not one of 2", one, func(m object) { last(m)["outputIndexes"] = []int64{2} }},
		{"it has an externalPath, which is not supported", one, func(m object) { last(m)["externalPath"] = "/etc/passwd" }},
		{"the file is not supported: net, operator 0 (type 34): it has 10 dimensions, and MNN's tensors at most 9", one, func(m object) { main(m)["dims"] = make([]int64, 10) }},
		{"the file is not supported: net, operator 0 (type 34): it has more than 536870912 elements", one, func(m object) { main(m)["dims"] = []int64{1 << 20, 1 << 20} }},
		{"dimension 1 is -2", one, func(m object) { main(m)["dims"] = []int64{-1, -2} }},
		{"dimension 1 is -3", blob, func(m object) { main(m)["dims"] = []int64{2, -3} }},
		{"it needs 32 bytes in float32s or external, and has 24", blob, func(m object) { main(m)["dims"] = []int64{2, 4} }},
		{"it needs 24 bytes in float32s or external, and has 12", blob, func(m object) { delete(main(m), "float32s"); main(m)["external"] = []int64{0, 12} }},
		{"its elements are of type 9, which MNN does not read", blob, func(m object) { main(m)["dataType"] = 9 }},
		{"external[1] is -1", conv, func(m object) { main(m)["external"] = []int64{0, -1} }},
		{"external[1] is 4611686018427387904", conv, func(m object) { main(m)["external"] = []int64{0, 1 << 62} }},
		{"subgraph 0 has no name", calls, func(m object) { delete(first(m, "subgraphs"), "name") }},
		{"subgraph 0 has no nodes", calls, func(m object) { delete(first(m, "subgraphs"), "nodes") }},
		{"subgraph 0, inputs: tensor 9 is not one of 2", calls, func(m object) { first(m, "subgraphs")["inputs"] = []int64{9} }},
		{"subgraph 0, outputs: tensor 9 is not one of 2", calls, func(m object) { first(m, "subgraphs")["outputs"] = []int64{9} }},
		{"subgraph 0, operator 0 (type 69), inputIndexes: tensor 9 is not one of 2", calls, func(m object) {
			first(first(m, "subgraphs"), "nodes")["inputIndexes"] = []int64{9}
		}},
		{`then_graph is "one", which is not an earlier subgraph`, calls, func(m object) { first(m, "subgraphs")["name"] = "x" }},
		{`body_graph is "one", which is not an earlier subgraph`, calls, func(m object) { // it contains itself
			first(m, "subgraphs")["nodes"] = []object{operation(600, "WhileParam", object{"body_graph": "one"}, nil, nil)}
		}},
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

func TestExternal(t *testing.T) {
	m := net(input, "Convolution2D", object{"external": []int64{8, 100, 20}})
	require.EqualValues(t, 128, External(write("Net", m)))
	require.Zero(t, External(write("Net", net(input, "Input", shape(4)))))
	sub := object{"name": "x", "tensors": names(2), "outputs": []int64{}, "nodes": m["oplists"]}
	require.EqualValues(t, 128, External(write("Net", net(input, "Input", shape(4)).with(object{"subgraphs": []object{sub}}))))
}

// TestUnknown makes changes that a later MNN may allow, or that only a kernel can judge. Check accepts such files.
func TestUnknown(t *testing.T) {
	op := func(root flatbuf.Table, kind int64) flatbuf.Table {
		for i, ops := int64(0), root.Vector("oplists"); i < ops.Len(); i++ {
			if ops.Table(i).Int("type") == kind {
				return ops.Table(i)
			}
		}
		t.Fatalf("the model has no operator %d", kind)
		return flatbuf.Table{}
	}
	for name, change := range map[string]func(flatbuf.Table){
		"operator": func(root flatbuf.Table) { op(root, pooling).Set("type", 307) }, // RoPE is 306
		"operator and parameter": func(root flatbuf.Table) {
			o := op(root, pooling)
			o.Set("type", 157) // Stft is 156
			o.Set("main_type", int64(len(schema()["Op"].Columns[2].Of)+1))
		},
		"another's parameter": func(root flatbuf.Table) { op(root, pooling).Set("main_type", 1) },
		"no parameter":        func(root flatbuf.Table) { op(root, pooling).Drop("main") },
		"order": func(root flatbuf.Table) {
			op(root, pooling).Vector("inputIndexes").Set(0, op(root, pooling).Vector("outputIndexes").Int(0))
		},
		"usage": func(root flatbuf.Table) { root.Set("usage", 3) },
	} {
		t.Run(name, func(t *testing.T) {
			root := flatbuf.New(read(t, testdata+"/digits.mnn"), 0).Root(schema()["Net"])
			change(root)
			require.NoError(t, Check(root.File().Data()))
			External(root.File().Data())
		})
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
			return
		}
		BizCode(data)
		require.GreaterOrEqual(t, External(data), int64(0))
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
