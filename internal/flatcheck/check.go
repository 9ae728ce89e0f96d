// SPDX-License-Identifier: Apache-2.0

// Package flatcheck checks TFLite files: an SDK takes for granted what a
// damaged file may lack, and crashes the process. What passes is whole as a
// FlatBuffer, and as a graph what the kernels rely on without asking; then it
// can be read.
//
// What a later schema may have added (operators, their inputs and options,
// element types, values of enumerations) is not checked, beyond that it lies in
// the file: whether it can be run is for the SDK to say. Unknown lists the
// operators.
package flatcheck

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// What can be read of a file in which Check found nothing.
type (
	Table  = flatbuf.Table
	Vector = flatbuf.Vector
)

const (
	maxRank    = 32 // of what the rules for single operators look at
	maxNesting = 32 // of subgraphs that call each other: the SDK's stack bounds it
)

// operator is a builtin operator; see opsText.
type operator struct {
	name, inputs, outputs string
	options               *flatbuf.Layout
	elementwise           bool // the output's shape is the inputs', broadcast
	unknown               bool // only its place in the graph is checked
}

var operators = sync.OnceValue(func() (all []operator) {
	for _, line := range strings.Split(opsText, ";") {
		w := strings.Fields(line)
		for i := range w {
			w[i] = strings.Trim(w[i], "-")
		}
		outputs, elementwise := strings.CutSuffix(w[3], "=")
		all = append(all, operator{w[0], w[2], outputs, schema()[w[1]+"Options"], elementwise, false})
	}
	return all
})

// Check returns why a TFLite file is not to be given to an SDK, as an Error of
// kind ErrModel, or nil. The time is linear in the file's size without
// constants, the memory small beside it.
func Check(model []byte) error {
	c := &checker{File: flatbuf.New(model, 1<<16+16*int64(len(model))), variables: map[string]*tensor{}}
	if err := c.check(); err != nil {
		return flatbuf.Refuse(err)
	}
	return nil
}

// Model is the root of a file in which Check found nothing.
func Model(model []byte) Table { return flatbuf.New(model, 0).Root(schema()["Model"]) }

// Metadata is the root of a model's TFLite Metadata, the content of its buffer
// of that name, or an error where it is damaged.
func Metadata(content []byte) (Table, error) {
	if len(content) < 8 || string(content[4:8]) != "M001" {
		return Table{}, fmt.Errorf("it has no M001 at byte 4")
	}
	t := flatbuf.New(content, 1<<16+int64(len(content))).Root(schema()["ModelMetadata"])
	return t, t.Verify()
}

// Content is what a buffer of the model holds.
func Content(buffer Table) []byte {
	b := buffer.Vector("data").Bytes()
	if offset := buffer.Int("offset"); b == nil && offset > 1 {
		b = buffer.File().Data()[offset:][:buffer.Int("size")]
	}
	return b
}

// Operator is the name of the builtin operator that an operator code stands
// for; CUSTOM for a custom one.
func Operator(code Table) string { return known(code).name }

// known is the builtin operator that an operator code stands for.
func known(code Table) operator {
	if n := builtin(code); n >= int64(len(operators())) {
		return operator{name: fmt.Sprintf("builtin operator %d", n), inputs: "X*", outputs: "X*", unknown: true}
	}
	return operators()[builtin(code)]
}

// Unknown names the operators, builtin and custom, of a file in which Check
// found nothing that were not checked, beyond their places in the graph.
func Unknown(model []byte) (all []string) {
	codes := Model(model).Vector("operator_codes")
	for i := range codes.Len() {
		code := codes.Table(i)
		name := Operator(code)
		if name == "CUSTOM" {
			name = code.Text("custom_code")
		}
		if _, ok := customs[name]; !ok && (known(code).unknown || Operator(code) == "CUSTOM") && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

type checker struct {
	*flatbuf.File
	codes, buffers Vector
	graphs         Vector
	calls          [][]int64          // which subgraphs each one calls
	variables      map[string]*tensor // what was first read from or written to each
}

func (c *checker) check() error {
	if data := c.Data(); len(data) < 8 || string(data[4:8]) != "TFL3" {
		if len(data) >= 8 && string(data[4:7]) == "TFL" {
			return flatbuf.Unsupported(fmt.Sprintf("it is of format %q, want TFL3", data[4:8]))
		}
		return fmt.Errorf("it has no TFL3 at byte 4")
	}
	m := c.Root(schema()["Model"])
	if err := m.Verify(); err != nil {
		return fmt.Errorf("model%w", err)
	}
	if v := m.Int("version"); v < 3 {
		return fmt.Errorf("version %d of the schema, want 3 or later", v)
	}
	for _, name := range []string{"operator_codes", "subgraphs", "buffers"} {
		if !m.Has(name) {
			return fmt.Errorf("it has no %s", name)
		}
	}
	c.codes, c.buffers, c.graphs = m.Vector("operator_codes"), m.Vector("buffers"), m.Vector("subgraphs")
	for i := range c.codes.Len() {
		if code := c.codes.Table(i); builtin(code) < 0 {
			return fmt.Errorf("operator code %d is %d", i, builtin(code))
		} else if Operator(code) == "CUSTOM" && !code.Has("custom_code") {
			return fmt.Errorf("operator code %d is custom without a name", i)
		}
	}
	for i := range c.buffers.Len() {
		if b := c.buffers.Table(i); !inside(b.Int("offset"), b.Int("size"), c.Size()) {
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
	heights := make([]int, c.graphs.Len())
	for i := range c.graphs.Len() {
		if !c.nest(i, heights, 0) {
			return fmt.Errorf("subgraph %d calls itself or others more than %d deep", i, maxNesting)
		}
	}
	for i, v := int64(0), m.Vector("metadata"); i < v.Len(); i++ {
		if e := v.Table(i); !e.Has("name") || e.Int("buffer") >= c.buffers.Len() {
			return fmt.Errorf("metadata %d has no name, or buffer %d of %d", i, e.Int("buffer"), c.buffers.Len())
		}
	}
	for i, v := int64(0), m.Vector("signature_defs"); i < v.Len(); i++ {
		if err := c.signature(v.Table(i)); err != nil {
			return fmt.Errorf("signature %d%w", i, err)
		}
	}
	return nil
}

// builtin is the operator's code, which older files have in the field of a byte.
func builtin(code Table) int64 {
	return max(code.Int("deprecated_builtin_code"), code.Int("builtin_code"))
}

// inside reports whether that part of a file of so many bytes is there.
func inside(offset, n, size int64) bool {
	return offset >= 0 && n >= 0 && offset <= size && n <= size-offset
}

// nest sets height of subgraph i, and reports whether it could: heights are 0
// where not known, -1 where being found.
func (c *checker) nest(i int64, heights []int, depth int) bool {
	if heights[i] != 0 || depth > maxNesting {
		return heights[i] > 0
	}
	heights[i] = -1
	height := 1
	for _, callee := range c.calls[i] {
		if !c.nest(callee, heights, depth+1) {
			return false
		}
		height = max(height, heights[callee]+1)
	}
	heights[i] = height
	return height <= maxNesting
}

func (c *checker) signature(s Table) error {
	g := s.Int("subgraph_index")
	if g >= c.graphs.Len() {
		return fmt.Errorf(": subgraph %d of %d", g, c.graphs.Len())
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
		times := map[int64]int{}
		for i := range all.Len() {
			times[all.Int(i)] = 0
		}
		for i := range named.Len() {
			t := named.Table(i)
			n, ok := times[t.Int("tensor_index")]
			if !t.Has("name") || !ok || n > 0 && name == "inputs" {
				return fmt.Errorf(", %s %d has no name, or tensor %d is not one of subgraph %d or named before", name, i, t.Int("tensor_index"), g)
			}
			times[t.Int("tensor_index")]++
		}
		if name == "inputs" && int64(len(times)) != named.Len() {
			return fmt.Errorf(" leaves out inputs of subgraph %d", g)
		}
	}
	return nil
}

// graph checks a subgraph, whose operators run in their order.
func (c *checker) graph(index int64) error {
	g := c.graphs.Table(index)
	if !g.Has("tensors") {
		return fmt.Errorf(" has no tensors")
	}
	v := g.Vector("tensors")
	s := &scope{checker: c, index: index, tensors: make([]tensor, v.Len()), handles: map[int64]string{}}
	for i := range s.tensors {
		if err := s.tensors[i].init(c, v.Table(int64(i))); err != nil {
			return fmt.Errorf(", tensor %d%w", i, err)
		}
	}
	for i, v := int64(0), g.Vector("inputs"); i < v.Len(); i++ {
		t, err := s.at(v, i)
		if err == nil && t.constant {
			err = fmt.Errorf(" is tensor %d, a constant", v.Int(i))
		}
		if err != nil {
			return fmt.Errorf(", input %d%w", i, err)
		}
		t.ready = true
	}
	for i, v := int64(0), g.Vector("operators"); i < v.Len(); i++ {
		if err := s.operator(v.Table(i)); err != nil {
			return fmt.Errorf(", operator %d%w", i, err)
		}
	}
	for i, v := int64(0), g.Vector("outputs"); i < v.Len(); i++ {
		t, err := s.at(v, i)
		if err == nil && !t.ready {
			err = fmt.Errorf(" is tensor %d, which no operator makes", v.Int(i))
		}
		if err != nil {
			return fmt.Errorf(", output %d%w", i, err)
		}
	}
	return nil
}
