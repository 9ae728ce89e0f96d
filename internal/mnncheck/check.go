// SPDX-License-Identifier: Apache-2.0

// Package mnncheck checks the structure of MNN files: every offset, count, size and index
// in a file that passes lies within the file or its tables, and no subgraph contains
// itself. It knows no operators, so an operator with inputs or a parameter that its kernel
// does not expect can still crash MNN.
package mnncheck

import (
	"fmt"
	"math"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

const (
	maxRank     = 9              // of MNN's tensors
	maxElements = int64(1) << 29 // of a tensor, as MNN counts their bytes, 4 each, in an int
	lastType    = 604            // of operators; MNN reads beyond its tables for higher ones, and adds new ones below
)

type (
	table  = flatbuf.Table
	vector = flatbuf.Vector
)

// Check returns an Error of kind ErrModel if a file must not be passed to MNN. Its
// time is linear in the file's size without weights.
func Check(file []byte) error {
	c := &checker{File: flatbuf.New(file, 1<<16+16*int64(len(file))), subgraphs: map[string]bool{}}
	if err := c.check(); err != nil {
		return flatbuf.Refuse(err)
	}
	return nil
}

// BizCode returns the text in a file, which Check must have accepted, for the file's
// users.
func BizCode(file []byte) string { return flatbuf.New(file, 0).Root(schema()["Net"]).Text("bizCode") }

// External returns the size that the file of external weights must have, or 0 if the
// model has none. Check must have accepted the file. If the file of weights is missing
// or too short, MNN computes with uninitialized memory.
func External(file []byte) (size int64) {
	net := flatbuf.New(file, 0).Root(schema()["Net"])
	graphs := []vector{net.Vector("oplists")}
	for i, v := int64(0), net.Vector("subgraphs"); i < v.Len(); i++ {
		graphs = append(graphs, v.Table(i).Vector("nodes"))
	}
	for _, ops := range graphs {
		for i := range ops.Len() {
			p, _ := ops.Table(i).Table("main")
			e := p.Vector("external") // the offset, then the size of each part
			var end int64
			for k := range e.Len() {
				end += e.Int(k)
			}
			size = max(size, end)
		}
	}
	return size
}

type checker struct {
	*flatbuf.File
	subgraphs map[string]bool // the names of those checked so far
}

func (c *checker) check() error {
	net := c.Root(schema()["Net"])
	if err := net.Verify(); err != nil {
		return fmt.Errorf("net%w", err)
	}
	if err := has(net, "oplists", "tensorName"); err != nil {
		return fmt.Errorf("net%w", err)
	}
	if info, _ := net.Table("extraInfo"); info.Has("buffer") { // a FlatBuffer, which MNN's verifier skips
		b := info.Vector("buffer").Bytes()
		if err := flatbuf.New(b, 1<<10+16*int64(len(b))).Root(schema()["Extra"]).Verify(); err != nil {
			return fmt.Errorf("extraInfo%w", err)
		}
	}
	for i, v := int64(0), net.Vector("subgraphs"); i < v.Len(); i++ {
		g := v.Table(i)
		err := has(g, "name", "outputs", "tensors", "nodes")
		if err == nil {
			err = c.graph(g, g.Vector("nodes"), g.Vector("tensors").Len())
		}
		if err != nil {
			return fmt.Errorf("subgraph %d%w", i, err)
		}
		c.subgraphs[g.Text("name")] = true
	}
	names := net.Vector("tensorName")
	if err := c.graph(net, net.Vector("oplists"), names.Len()); err != nil {
		return fmt.Errorf("net%w", err)
	}
	known := make(map[string]bool, names.Len())
	for i := range names.Len() {
		known[names.Text(i)] = true
	}
	for i, v := int64(0), net.Vector("outputName"); i < v.Len(); i++ {
		if !known[v.Text(i)] {
			return fmt.Errorf("net, no tensor has the name of the output %q", v.Text(i))
		}
	}
	return nil
}

// has checks that t has all of the fields.
func has(t table, fields ...string) error {
	for _, name := range fields {
		if !t.Has(name) {
			return fmt.Errorf(" has no %s", name)
		}
	}
	return nil
}

// graph checks the net or a subgraph, which has n tensors.
func (c *checker) graph(g table, ops vector, n int64) error {
	if err := c.tensorIndices(g, n, "inputs", "outputs"); err != nil {
		return err
	}
	for i := range ops.Len() {
		op := ops.Table(i)
		err := c.tensorIndices(op, n, "inputIndexes", "outputIndexes")
		if err == nil {
			err = c.operator(op)
		}
		if err != nil {
			return fmt.Errorf(", operator %d (type %d)%w", i, op.Int("type"), err)
		}
	}
	v := g.Vector("extraTensorDescribe")
	if err := c.Spend(v.Len()); err != nil { // because many subgraphs may share it
		return err
	}
	for i := range v.Len() {
		if k := v.Table(i).Int("index"); k < 0 || k >= n {
			return fmt.Errorf(", extraTensorDescribe %d is of tensor %d, which is not one of %d", i, k, n)
		}
	}
	return nil
}

// tensorIndices checks that all elements of the vectors of t are indices of n tensors.
func (c *checker) tensorIndices(t table, n int64, names ...string) error {
	for _, name := range names {
		v := t.Vector(name)
		if err := c.Spend(v.Len()); err != nil {
			return err
		}
		for i := range v.Len() {
			if k := v.Int(i); k < 0 || k >= n {
				return fmt.Errorf(", %s: tensor %d is not one of %d", name, k, n)
			}
		}
	}
	return nil
}

// operator checks an operator's type, and what its parameter refers to.
func (c *checker) operator(op table) error {
	if code := op.Int("type"); code < 0 {
		return fmt.Errorf(": no operator has this type")
	} else if code > lastType {
		return flatbuf.Unsupported(fmt.Sprintf(": MNN has operators up to type %d", lastType))
	}
	if op.Has("externalPath") {
		return fmt.Errorf(": it has an externalPath, which is not supported")
	}
	p, _ := op.Table("main")
	for _, field := range []string{"then_graph", "else_graph", "cond_graph", "body_graph"} {
		// MNN reads subgraphs in the file's order, so none of them can contain itself.
		if name := p.Text(field); p.Has(field) && !c.subgraphs[name] {
			return fmt.Errorf(": %s is %q, which is not an earlier subgraph", field, name)
		}
	}
	external := p.Vector("external")
	if err := c.Spend(external.Len()); err != nil {
		return err
	}
	for i := range external.Len() {
		if k := external.Int(i); k < 0 || k > math.MaxInt64/(1+external.Len()) { // so that their sum does not overflow
			return fmt.Errorf(": external[%d] is %d", i, k)
		}
	}
	switch p.Layout() {
	case schema()["Input"]:
		_, err := c.elements(p.Vector("dims"), -1)
		return err
	case schema()["Blob"]:
		return c.blob(p)
	}
	return nil
}

// elements returns the number of elements of a tensor with these dimensions, which must
// be at least low. It returns an error if MNN does not support such a tensor.
func (c *checker) elements(dims vector, low int64) (int64, error) {
	if dims.Len() > maxRank {
		return 0, flatbuf.Unsupported(fmt.Sprintf(": it has %d dimensions, and MNN's tensors at most %d", dims.Len(), maxRank))
	}
	n, positive := int64(1), int64(1) // the product without dimensions of 0, which MNN also computes
	for i := range dims.Len() {
		d := dims.Int(i)
		if d < low {
			return 0, fmt.Errorf(": dimension %d is %d", i, d)
		}
		n *= d
		if positive *= max(d, 1); positive > maxElements {
			return 0, flatbuf.Unsupported(fmt.Sprintf(": it has more than %d elements", maxElements))
		}
	}
	return n, nil
}

// storage has, for each element type, the field of a Blob with the elements, and the
// bytes of one element.
var storage = map[int64]struct {
	field string
	bytes int64
}{1: {"float32s", 4}, 3: {"int32s", 4}, 4: {"uint8s", 1}, 6: {"int8s", 1}, 12: {"uint8s", 1}, 14: {"uint8s", 2}, 19: {"uint8s", 2}}

// blob checks that a constant has as many bytes as its dimensions need.
func (c *checker) blob(b table) error {
	n, err := c.elements(b.Vector("dims"), 0)
	if err != nil || n == 0 {
		return err
	}
	s, ok := storage[b.Int("dataType")]
	if !ok { // MNN crashes on other types
		return flatbuf.Unsupported(fmt.Sprintf(": its elements are of type %d, which MNN does not read", b.Int("dataType")))
	}
	have := int64(len(b.Vector(s.field).Bytes()))
	if e := b.Vector("external"); e.Len() > 1 && have == 0 {
		have = e.Int(1)
	}
	if have != n*s.bytes {
		return fmt.Errorf(": it needs %d bytes in %s or external, and has %d", n*s.bytes, s.field, have)
	}
	return nil
}
