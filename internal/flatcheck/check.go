// SPDX-License-Identifier: Apache-2.0

// Package flatcheck checks and reads TFLite files, because SDKs do not check all their
// assumptions and crash the process on a damaged file. A file that passes is a valid
// FlatBuffer, and its graphs have the properties that kernels assume.
//
// Additions of a later schema (operators, their inputs and options, element types,
// values of enumerations) are only checked to be inside the file. The SDK decides
// whether it can run them. Unknown lists such operators.
package flatcheck

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// Table and Vector read a file that Check accepted.
type (
	Table  = flatbuf.Table
	Vector = flatbuf.Vector
)

const (
	maxRank    = 32 // of tensors that the rules for single operators check
	maxNesting = 32 // of calls of subgraphs, which the SDK's stack limits
)

// operator is a builtin operator; see opsText.
type operator struct {
	name, inputs, outputs string
	options               *flatbuf.Layout
	elementwise           bool // the output has the broadcast shape of the inputs
	unknown               bool // only its tensors' indices are checked
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

// Check returns an Error of kind ErrModel if a TFLite file must not be passed to an
// SDK. Its time is linear in the file's size without constants, and it uses little
// memory in comparison.
func Check(model []byte) error {
	c := &checker{File: flatbuf.New(model, 1<<16+16*int64(len(model))), variables: map[string]*tensor{}}
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

// Operator returns the name of the builtin operator of an operator code; CUSTOM for a
// custom one.
func Operator(code Table) string { return builtinOperator(code).name }

// builtinOperator returns the builtin operator of an operator code.
func builtinOperator(code Table) operator {
	if n := builtin(code); n >= int64(len(operators())) {
		return operator{name: fmt.Sprintf("builtin operator %d", n), inputs: "X*", outputs: "X*", unknown: true}
	}
	return operators()[builtin(code)]
}

// Unknown returns the names of the operators, builtin and custom, of which Check only
// checked the indices of their tensors. The file is one that Check accepted.
func Unknown(model []byte) (all []string) {
	codes := Model(model).Vector("operator_codes")
	for i := range codes.Len() {
		code := codes.Table(i)
		name := Operator(code)
		if name == "CUSTOM" {
			name = code.Text("custom_code")
		}
		if _, ok := customOperators[name]; !ok && (builtinOperator(code).unknown || Operator(code) == "CUSTOM") && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

type checker struct {
	*flatbuf.File
	codes, buffers Vector
	graphs         Vector
	calls          [][]int64          // the subgraphs that each one calls
	variables      map[string]*tensor // the first tensor read from or written to each variable
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
	if v := m.Int("version"); v < 3 {
		return fmt.Errorf("the schema has version %d, want 3 or later", v)
	}
	for _, name := range []string{"operator_codes", "subgraphs", "buffers"} {
		if !m.Has(name) {
			return fmt.Errorf("it has no %s", name)
		}
	}
	c.codes, c.buffers, c.graphs = m.Vector("operator_codes"), m.Vector("buffers"), m.Vector("subgraphs")
	for i := range c.codes.Len() {
		if code := c.codes.Table(i); builtin(code) < 0 {
			return fmt.Errorf("operator code %d is negative: %d", i, builtin(code))
		} else if Operator(code) == "CUSTOM" && !code.Has("custom_code") {
			return fmt.Errorf("operator code %d is custom and has no name", i)
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
		if e := v.Table(i); !e.Has("name") || e.Int("buffer") >= c.buffers.Len() {
			return fmt.Errorf("metadata %d has no name, or its buffer %d is not one of %d", i, e.Int("buffer"), c.buffers.Len())
		}
	}
	for i, v := int64(0), m.Vector("signature_defs"); i < v.Len(); i++ {
		if err := c.signature(v.Table(i)); err != nil {
			return fmt.Errorf("signature %d%w", i, err)
		}
	}
	return nil
}

// builtin returns the number of a builtin operator, which older files have in a field
// of one byte.
func builtin(code Table) int64 {
	return max(code.Int("deprecated_builtin_code"), code.Int("builtin_code"))
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

// graph checks a subgraph. Its operators run in the order of the file.
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
		t, err := s.tensorAt(v, i)
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
		t, err := s.tensorAt(v, i)
		if err == nil && !t.ready {
			err = fmt.Errorf(" is tensor %d, which no operator writes", v.Int(i))
		}
		if err != nil {
			return fmt.Errorf(", output %d%w", i, err)
		}
	}
	return nil
}
