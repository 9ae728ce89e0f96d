// SPDX-License-Identifier: Apache-2.0

// Package flatcheck checks the structure of TFLite files and reads them: every offset,
// count, size and index in a file that passes lies within the file or its tables, and no
// subgraph calls itself. It knows no operators, so an operator with inputs or options
// that its kernel does not expect can still crash the SDK.
package flatcheck

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// Table and Vector read a file that Check accepted.
type (
	Table  = flatbuf.Table
	Vector = flatbuf.Vector
)

const maxNesting = 32 // of calls of subgraphs, which the SDK's stack limits

// Check returns an Error of kind ErrModel if a TFLite file must not be passed to an
// SDK. Its time is linear in the file's size without constants, and it uses little
// memory in comparison.
func Check(model []byte) error {
	c := &checker{File: flatbuf.New(model, 1<<16+16*int64(len(model)))}
	if err := c.check(); err != nil {
		return flatbuf.Refuse(err)
	}
	return nil
}

// Model returns the root of a file that Check accepted.
func Model(model []byte) Table { return flatbuf.New(model, 0).Root(schema()["Model"]) }

// Metadata returns the root of a model's TFLite Metadata, from the content of its
// buffer of that name.
func Metadata(content []byte) (Table, error) {
	if len(content) < 8 || string(content[4:8]) != "M001" {
		return Table{}, fmt.Errorf("it has no M001 at byte 4")
	}
	t := flatbuf.New(content, 1<<16+int64(len(content))).Root(schema()["ModelMetadata"])
	return t, t.Verify()
}

// Content returns the bytes of a buffer of the model.
func Content(buffer Table) []byte {
	b := buffer.Vector("data").Bytes()
	if offset := buffer.Int("offset"); b == nil && offset > 1 {
		b = buffer.File().Data()[offset:][:buffer.Int("size")]
	}
	return b
}

// Operator returns the number of an operator code's builtin operator, which older files
// have in a field of one byte.
func Operator(code Table) int64 {
	return max(code.Int("deprecated_builtin_code"), code.Int("builtin_code"))
}

type checker struct {
	*flatbuf.File
	codes, buffers Vector
	graphs         Vector
	calls          [][]int64 // the subgraphs that each one calls
}

func (c *checker) check() error {
	if data := c.Data(); len(data) < 8 || string(data[4:8]) != "TFL3" {
		if len(data) >= 8 && string(data[4:7]) == "TFL" {
			return flatbuf.Unsupported(fmt.Sprintf("its format is %q, want TFL3", data[4:8]))
		}
		return fmt.Errorf("it has no TFL3 at byte 4")
	}
	m := c.Root(schema()["Model"])
	if err := m.Verify(); err != nil {
		return fmt.Errorf("model%w", err)
	}
	for _, name := range []string{"operator_codes", "subgraphs", "buffers"} {
		if !m.Has(name) {
			return fmt.Errorf("it has no %s", name)
		}
	}
	c.codes, c.buffers, c.graphs = m.Vector("operator_codes"), m.Vector("buffers"), m.Vector("subgraphs")
	for i := range c.codes.Len() {
		if n := Operator(c.codes.Table(i)); n < 0 {
			return fmt.Errorf("operator code %d is negative: %d", i, n)
		}
	}
	for i := range c.buffers.Len() {
		if b := c.buffers.Table(i); !inRange(b.Int("offset"), b.Int("size"), c.Size()) {
			return fmt.Errorf("buffer %d is not in the file", i)
		}
	}
	if c.graphs.Len() == 0 {
		return fmt.Errorf("it has no subgraph")
	}
	c.calls = make([][]int64, c.graphs.Len())
	for i := range c.graphs.Len() {
		if err := c.graph(i); err != nil {
			return fmt.Errorf("subgraph %d%w", i, err)
		}
	}
	depths := make([]int, c.graphs.Len())
	for i := range c.graphs.Len() {
		if !c.setCallDepth(i, depths, 0) {
			return fmt.Errorf("subgraph %d calls itself or others more than %d deep", i, maxNesting)
		}
	}
	for i, v := int64(0), m.Vector("metadata"); i < v.Len(); i++ {
		if b := v.Table(i).Int("buffer"); b >= c.buffers.Len() {
			return fmt.Errorf("metadata %d has buffer %d of %d", i, b, c.buffers.Len())
		}
	}
	for i, v := int64(0), m.Vector("signature_defs"); i < v.Len(); i++ {
		if err := c.signature(v.Table(i)); err != nil {
			return fmt.Errorf("signature %d%w", i, err)
		}
	}
	return nil
}

// inRange reports whether n bytes at offset are inside a file of size bytes.
func inRange(offset, n, size int64) bool {
	return offset >= 0 && n >= 0 && offset <= size && n <= size-offset
}

// setCallDepth sets the depth of the calls from subgraph i. It returns false if
// subgraphs call themselves or are nested too deeply. A depth is 0 while it is not
// known, and -1 while it is computed.
func (c *checker) setCallDepth(i int64, depths []int, level int) bool {
	if depths[i] != 0 || level > maxNesting {
		return depths[i] > 0
	}
	depths[i] = -1
	depth := 1
	for _, callee := range c.calls[i] {
		if !c.setCallDepth(callee, depths, level+1) {
			return false
		}
		depth = max(depth, depths[callee]+1)
	}
	depths[i] = depth
	return depth <= maxNesting
}

func (c *checker) signature(s Table) error {
	g := s.Int("subgraph_index")
	if g >= c.graphs.Len() {
		return fmt.Errorf(": it is of subgraph %d of %d", g, c.graphs.Len())
	}
	for _, name := range []string{"signature_key", "inputs", "outputs"} {
		if !s.Has(name) {
			return fmt.Errorf(" has no %s", name)
		}
	}
	for _, name := range []string{"inputs", "outputs"} {
		all, named := c.graphs.Table(g).Vector(name), s.Vector(name)
		if err := c.Spend(all.Len() + named.Len()); err != nil {
			return err
		}
		count := map[int64]int{}
		for i := range all.Len() {
			count[all.Int(i)] = 0
		}
		for i := range named.Len() {
			t := named.Table(i)
			n, ok := count[t.Int("tensor_index")]
			if !t.Has("name") || !ok || n > 0 && name == "inputs" {
				return fmt.Errorf(", %s %d has no name, or tensor %d is not one of subgraph %d or is listed twice", name, i, t.Int("tensor_index"), g)
			}
			count[t.Int("tensor_index")]++
		}
		if name == "inputs" && int64(len(count)) != named.Len() {
			return fmt.Errorf(" lacks inputs of subgraph %d", g)
		}
	}
	return nil
}

// graph checks a subgraph.
func (c *checker) graph(index int64) error {
	g := c.graphs.Table(index)
	if !g.Has("tensors") {
		return fmt.Errorf(" has no tensors")
	}
	tensors, constant := g.Vector("tensors"), make([]bool, g.Vector("tensors").Len())
	for i := range tensors.Len() {
		var err error
		if constant[i], err = c.tensor(tensors.Table(i)); err != nil {
			return fmt.Errorf(", tensor %d%w", i, err)
		}
	}
	if err := c.tensorIndices(g, 0, tensors.Len(), "inputs", "outputs"); err != nil {
		return err
	}
	for i, v := int64(0), g.Vector("inputs"); i < v.Len(); i++ {
		if constant[v.Int(i)] {
			return fmt.Errorf(", inputs %d is tensor %d, a constant, which callers cannot write", i, v.Int(i))
		}
	}
	for i, v := int64(0), g.Vector("operators"); i < v.Len(); i++ {
		op := v.Table(i)
		err := c.tensorIndices(op, -1, tensors.Len(), "inputs", "outputs", "intermediates")
		if code := op.Int("opcode_index"); code >= c.codes.Len() {
			err = fmt.Errorf(": operator code %d of %d", code, c.codes.Len())
		} else if !inRange(op.Int("large_custom_options_offset"), op.Int("large_custom_options_size"), c.Size()) {
			err = fmt.Errorf(": its options are not in the file")
		}
		for _, name := range []string{"builtin_options", "builtin_options_2"} {
			if o, kind := op.Table(name); err == nil && kind != 0 {
				err = c.subgraphs(index, o)
			}
		}
		if err != nil {
			return fmt.Errorf(", operator %d%w", i, err)
		}
	}
	return nil
}

// tensorIndices checks that all elements of the vectors of t are indices of n tensors, or
// at least low: an operator has -1 for a tensor that it does without.
func (c *checker) tensorIndices(t Table, low, n int64, names ...string) error {
	for _, name := range names {
		v := t.Vector(name)
		if err := c.Spend(v.Len()); err != nil { // because many operators may share it
			return err
		}
		for i := range v.Len() {
			if k := v.Int(i); k < low || k >= n {
				return fmt.Errorf(", %s %d is tensor %d of %d", name, i, k, n)
			}
		}
	}
	return nil
}

// subgraphs checks that the subgraphs that an operator's options name exist.
func (c *checker) subgraphs(caller int64, options Table) error {
	for _, column := range options.Layout().Columns {
		if column.Type != "graph" {
			continue
		}
		n, number := int64(1), func(int64) int64 { return options.Int(column.Name) }
		if column.IsVector {
			v := options.Vector(column.Name)
			n, number = v.Len(), v.Int
		}
		if err := c.Spend(n); err != nil {
			return err
		}
		for i := range n {
			g := number(i)
			if g < 0 || g >= c.graphs.Len() {
				return fmt.Errorf(": %s is subgraph %d of %d", column.Name, g, c.graphs.Len())
			}
			c.calls[caller] = append(c.calls[caller], g)
		}
	}
	return nil
}

// elementBits has the size of an element by TensorType; 0 if it is not fixed.
var elementBits = [...]int64{32, 16, 32, 8, 64, 0, 8, 16, 64, 8, 64, 128, 64, 0, 0, 32, 16, 4, 16, 2, 4, 8, 8}

const stringType = 5

// tensor checks a tensor, and reports whether it is a constant.
func (c *checker) tensor(t Table) (constant bool, err error) {
	dtype, shape, sig := t.Int("type"), t.Vector("shape"), t.Vector("shape_signature")
	if dtype < 0 {
		return false, fmt.Errorf(" is of type %d", dtype)
	}
	if sig.Len() != 0 && sig.Len() != shape.Len() {
		return false, fmt.Errorf(" has %d dimensions and %d in its signature", shape.Len(), sig.Len())
	}
	if err := c.Spend(shape.Len()); err != nil {
		return false, err
	}
	n, positive := int64(1), int64(1) // the product without dimensions of 0, which SDKs also compute
	for i := range shape.Len() {
		d := shape.Int(i)
		if d < 0 || sig.Len() != 0 && sig.Int(i) != -1 && sig.Int(i) != d {
			return false, fmt.Errorf(" has %d for dimension %d, which is negative or another one in its signature", d, i)
		}
		n *= d
		if positive *= max(d, 1); positive > math.MaxInt32 { // SDKs count elements in 32 bits
			return false, flatbuf.Unsupported(fmt.Sprintf(" has more than %d elements", math.MaxInt32))
		}
	}
	if err := c.quantization(t, shape); err != nil {
		return false, fmt.Errorf(", quantization: %w", err)
	}
	b := t.Int("buffer")
	if b >= c.buffers.Len() && b != 0 {
		return false, fmt.Errorf(" has buffer %d of %d", b, c.buffers.Len())
	} else if b == 0 {
		return false, nil
	}
	data := Content(c.buffers.Table(b))
	switch {
	case len(data) == 0:
		return false, nil
	case dtype == stringType:
		return true, c.strings(data)
	case t.Has("sparsity") || dtype >= int64(len(elementBits)) || elementBits[dtype] == 0: // the size is not known
	case (n*elementBits[dtype]+7)/8 != int64(len(data)):
		return true, fmt.Errorf(" needs %d bytes, has %d", (n*elementBits[dtype]+7)/8, len(data))
	}
	return true, nil
}

// quantization checks what common.Quantization takes from the file.
func (c *checker) quantization(t Table, shape Vector) error {
	q, _ := t.Table("quantization")
	scale, zero, axis := q.Vector("scale"), q.Vector("zero_point"), q.Int("quantized_dimension")
	if scale.Len() == 0 {
		return nil
	}
	if zero.Len() != scale.Len() {
		return fmt.Errorf("%d scales, %d zero points", scale.Len(), zero.Len())
	}
	if details, _ := q.Table("details"); details.Layout() == flatbuf.Unknown {
		return c.Spend(scale.Len())
	}
	if axis < 0 || scale.Len() > 1 && (axis >= shape.Len() || shape.Int(axis) != scale.Len()) {
		return fmt.Errorf("%d scales for dimension %d", scale.Len(), axis)
	}
	for i := range scale.Len() {
		if s := math.Float32frombits(uint32(scale.Int(i))); !(s >= 0 && s <= math.MaxFloat32) {
			return fmt.Errorf("scale %d is %v", i, s)
		}
	}
	return c.Spend(scale.Len())
}

// strings checks the strings of a constant: their number, their offsets and the end.
func (c *checker) strings(data []byte) error {
	size := int64(len(data))
	at := func(i int64) int64 { return int64(binary.LittleEndian.Uint32(data[4*i:])) }
	if size < 8 || at(0) > size/4-2 || at(1) != 4*(at(0)+2) || at(at(0)+1) != size {
		return fmt.Errorf(" has strings that are not in its buffer")
	}
	for i := range at(0) {
		if at(i+1) > at(i+2) {
			return fmt.Errorf(", string %d is not in its buffer", i)
		}
	}
	return c.Spend(at(0))
}
