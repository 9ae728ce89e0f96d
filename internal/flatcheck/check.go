// SPDX-License-Identifier: Apache-2.0

// Package flatcheck checks TFLite files: an SDK takes for granted what a
// damaged file may lack, and crashes the process. What passes is whole as a
// FlatBuffer, and as a graph what the kernels rely on without asking.
package flatcheck

import (
	"fmt"
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/common"
)

const (
	maxRank    = 32
	maxNesting = 32             // of subgraphs that call each other: the SDK's stack bounds it
	maxBytes   = int64(1) << 31 // of one tensor
)

// operator is a builtin operator; see opsText.
type operator struct {
	name, inputs, outputs string
	options               *layout
	elementwise           bool // the output's shape is the inputs', broadcast
}

var operators = sync.OnceValue(func() (all []operator) {
	for _, line := range strings.Split(opsText, ";") {
		w := strings.Fields(line)
		for i := range w {
			w[i] = strings.Trim(w[i], "-")
		}
		outputs, elementwise := strings.CutSuffix(w[3], "=")
		all = append(all, operator{w[0], w[2], outputs, schema()[w[1]+"Options"], elementwise})
	}
	return all
})

// Check returns why a TFLite file is not to be given to an SDK, as an Error of
// kind ErrModel, or nil. The time is linear in the file's size without
// constants, the memory small beside it.
func Check(model []byte) error {
	c := &checker{flat: flat{data: model, budget: 1<<16 + 16*int64(len(model))}}
	if err := c.check(); err != nil {
		return &common.Error{Err: common.ErrModel, Text: "the file is damaged: " + err.Error()}
	}
	return nil
}

type checker struct {
	flat
	codes, buffers vector
	graphs         vector
	calls          [][]int64 // which subgraphs each one calls
}

func (c *checker) check() error {
	if len(c.data) < 8 || string(c.data[4:8]) != "TFL3" {
		return fmt.Errorf("it has no TFL3 at byte 4")
	}
	root := schema()["Model"]
	if err := c.verify(root, c.target(0)); err != nil {
		return fmt.Errorf("model%w", err)
	}
	m := table{&c.flat, root, c.target(0)}
	if v := m.int("version"); v != 3 {
		return fmt.Errorf("version %d of the schema, want 3", v)
	}
	for _, name := range []string{"operator_codes", "subgraphs", "buffers"} {
		if !m.has(name) {
			return fmt.Errorf("it has no %s", name)
		}
	}
	c.codes, c.buffers, c.graphs = m.vector("operator_codes"), m.vector("buffers"), m.vector("subgraphs")
	for i := range c.codes.n {
		if code := c.codes.table(i); builtin(code) < 0 || builtin(code) >= int64(len(operators())) {
			return fmt.Errorf("operator code %d is %d, which is not known", i, builtin(code))
		} else if operators()[builtin(code)].name == "CUSTOM" && !code.has("custom_code") {
			return fmt.Errorf("operator code %d is custom without a name", i)
		}
	}
	for i := range c.buffers.n {
		if b := c.buffers.table(i); !inside(b.int("offset"), b.int("size"), c.size()) {
			return fmt.Errorf("buffer %d is not in the file", i)
		}
	}
	if c.graphs.n == 0 {
		return fmt.Errorf("it has no subgraph")
	}
	c.calls = make([][]int64, c.graphs.n)
	for i := range c.graphs.n {
		if err := c.graph(i); err != nil {
			return fmt.Errorf("subgraph %d%w", i, err)
		}
	}
	heights := make([]int, c.graphs.n)
	for i := range c.graphs.n {
		if !c.nest(i, heights, 0) {
			return fmt.Errorf("subgraph %d calls itself or others more than %d deep", i, maxNesting)
		}
	}
	for i, v := int64(0), m.vector("metadata"); i < v.n; i++ {
		if e := v.table(i); !e.has("name") || e.int("buffer") >= c.buffers.n {
			return fmt.Errorf("metadata %d has no name, or buffer %d of %d", i, e.int("buffer"), c.buffers.n)
		}
	}
	for i, v := int64(0), m.vector("signature_defs"); i < v.n; i++ {
		if err := c.signature(v.table(i)); err != nil {
			return fmt.Errorf("signature %d%w", i, err)
		}
	}
	return nil
}

// builtin is the operator's code, which older files have in the field of a byte.
func builtin(code table) int64 {
	return max(code.int("deprecated_builtin_code"), code.int("builtin_code"))
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

func (c *checker) signature(s table) error {
	g := s.int("subgraph_index")
	if g >= c.graphs.n {
		return fmt.Errorf(": subgraph %d of %d", g, c.graphs.n)
	}
	n := c.graphs.table(g).vector("tensors").n
	for _, name := range []string{"signature_key", "inputs", "outputs"} {
		if !s.has(name) {
			return fmt.Errorf(" has no %s", name)
		}
	}
	for _, name := range []string{"inputs", "outputs"} {
		for i, v := int64(0), s.vector(name); i < v.n; i++ {
			if t := v.table(i); !t.has("name") || t.int("tensor_index") >= n {
				return fmt.Errorf(", %s %d has no name, or tensor %d of %d", name, i, t.int("tensor_index"), n)
			}
		}
	}
	return nil
}

// graph checks a subgraph, whose operators run in their order.
func (c *checker) graph(index int64) error {
	g := c.graphs.table(index)
	if !g.has("tensors") {
		return fmt.Errorf(" has no tensors")
	}
	v := g.vector("tensors")
	s := &scope{checker: c, index: index, tensors: make([]tensor, v.n)}
	for i := range s.tensors {
		if err := s.tensors[i].init(c, v.table(int64(i))); err != nil {
			return fmt.Errorf(", tensor %d%w", i, err)
		}
	}
	for i, v := int64(0), g.vector("inputs"); i < v.n; i++ {
		t, err := s.at(v, i)
		if err == nil && t.constant {
			err = fmt.Errorf(" is tensor %d, a constant", v.int(i))
		}
		if err != nil {
			return fmt.Errorf(", input %d%w", i, err)
		}
		t.ready = true
	}
	for i, v := int64(0), g.vector("operators"); i < v.n; i++ {
		if err := s.operator(v.table(i)); err != nil {
			return fmt.Errorf(", operator %d%w", i, err)
		}
	}
	for i, v := int64(0), g.vector("outputs"); i < v.n; i++ {
		t, err := s.at(v, i)
		if err == nil && !t.ready {
			err = fmt.Errorf(" is tensor %d, which no operator makes", v.int(i))
		}
		if err != nil {
			return fmt.Errorf(", output %d%w", i, err)
		}
	}
	return nil
}
