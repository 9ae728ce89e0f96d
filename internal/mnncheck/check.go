// SPDX-License-Identifier: Apache-2.0

// Package mnncheck checks MNN files: MNN verifies that all parts of a file lie
// in it, then takes their meaning for granted, and crashes the process where a
// damaged file has none.
//
// What a later MNN may have added (operators, their parameters, element types,
// values of enumerations) is not checked, beyond that it lies in the file:
// whether it can be run is for MNN to say. Unknown lists the operators.
package mnncheck

import (
	"fmt"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

const (
	maxRank     = 9                    // of MNN's tensors, which have room for no more
	maxElements = int64(1) << 29       // of a tensor: MNN counts their bytes, 4 each, in an int
	maxWeights  = int64(math.MaxInt32) // of an operator, for the same reason, as they may have 1 byte or less
	lastType    = 604                  // of operators: MNN reads beyond its tables where there are higher ones, and adds new ones below
	maxNumber   = 1 << 16              // of a stride, a kernel's side and the like: MNN multiplies them in an int
)

type (
	table  = flatbuf.Table
	vector = flatbuf.Vector
)

// Check returns why an MNN file is not to be given to MNN, as an Error of kind
// ErrModel, or nil. The time is linear in the file's size without weights.
func Check(file []byte) error {
	c := &checker{File: flatbuf.New(file, 1<<16+16*int64(len(file))), graphs: map[string]*graph{}}
	if err := c.check(); err != nil {
		return flatbuf.Refuse(err)
	}
	return nil
}

type checker struct {
	*flatbuf.File
	graphs map[string]*graph // subgraphs by name: those before the one at hand
}

func (c *checker) check() error {
	net := c.Root(schema()["Net"])
	if err := net.Verify(); err != nil {
		return fmt.Errorf("net%w", err)
	}
	for _, name := range []string{"oplists", "tensorName"} {
		if !net.Has(name) {
			return fmt.Errorf("it has no %s", name)
		}
	}
	if err := extra(net); err != nil {
		return fmt.Errorf("extraInfo%w", err)
	}
	subgraphs := net.Vector("subgraphs")
	for i := range subgraphs.Len() {
		if err := c.subgraph(subgraphs.Table(i)); err != nil {
			return fmt.Errorf("subgraph %d%w", i, err)
		}
	}
	g := &graph{checker: c, names: net.Vector("tensorName")}
	if err := g.check(net, net.Vector("oplists")); err != nil {
		return fmt.Errorf("net%w", err)
	}
	return nil
}

// extra checks a FlatBuffer in the file, which MNN's verifier passes over.
func extra(net table) error {
	info, _ := net.Table("extraInfo")
	if !info.Has("buffer") {
		return nil
	}
	b := info.Vector("buffer").Bytes()
	return flatbuf.New(b, 1<<10+16*int64(len(b))).Root(schema()["Extra"]).Verify()
}

// subgraph checks one. It can name those before itself only, as MNN reads them
// in this order; so none contains itself.
func (c *checker) subgraph(t table) error {
	for _, name := range []string{"name", "outputs", "tensors", "nodes"} {
		if !t.Has(name) {
			return fmt.Errorf(" has no %s", name)
		}
	}
	g := &graph{checker: c, names: t.Vector("tensors"), isSubgraph: true}
	var err error
	if g.inputs, err = g.indexes(t.Vector("inputs")); err != nil {
		return fmt.Errorf(", inputs%w", err)
	}
	if g.outputs, err = g.indexes(t.Vector("outputs")); err != nil {
		return fmt.Errorf(", outputs%w", err)
	}
	if err := g.check(t, t.Vector("nodes")); err != nil {
		return err
	}
	if name := t.Text("name"); c.graphs[name] == nil {
		c.graphs[name] = g
	}
	return nil
}

// graph is the net or a subgraph.
type graph struct {
	*checker
	names           vector
	isSubgraph      bool
	inputs, outputs []int64 // of a subgraph
	tensors         []tensor
}

// tensor is what is known of one.
type tensor struct {
	made     bool  // by the operators so far
	constant table // its Blob
	isConst  bool
	dims     []int64 // nil where they are not known, -1 for one that is not
	format   int64   // of the memory; -1 where it is not known
	volume   float64 // how many elements it may have: dynamic sizes are taken for 64; 0 where that is not known
	dtype    int64   // as MNN keeps it: float, int32, ...; -1 where it is not known
}

// indexes are those of v, which are all of tensors.
func (g *graph) indexes(v vector) ([]int64, error) {
	if err := g.Spend(v.Len()); err != nil {
		return nil, err
	}
	all := make([]int64, v.Len())
	for i := range all {
		all[i] = v.Int(int64(i))
		if all[i] < 0 || all[i] >= g.names.Len() {
			return nil, fmt.Errorf(": tensor %d of %d", all[i], g.names.Len())
		}
	}
	return all, nil
}

func (g *graph) check(t table, ops vector) error {
	g.tensors = make([]tensor, g.names.Len())
	for _, i := range g.inputs {
		g.tensors[i] = tensor{made: true, format: -1, dtype: -1}
	}
	for i := range ops.Len() { // constants can come after what reads them
		op := ops.Table(i)
		if !operators()[op.Int("type")].isConst() {
			continue
		}
		if err := g.constant(op); err != nil {
			return fmt.Errorf(", operator %d (Const)%w", i, err)
		}
	}
	for i := range ops.Len() {
		op := ops.Table(i)
		k, err := find(op)
		if err == nil {
			err = g.operator(op, k)
		}
		if err != nil {
			return fmt.Errorf(", operator %d (%s)%w", i, k.name, err)
		}
	}
	places := map[string]int{} // MNN finds inputs and outputs by name
	for i := range g.tensors {
		name := g.names.Text(int64(i))
		if before, ok := places[name]; ok && (g.tensors[before].made || g.tensors[i].made) {
			return fmt.Errorf(", tensors %d and %d are both %q", before, i, name)
		}
		places[name] = i
	}
	for i, v := int64(0), t.Vector("outputName"); i < v.Len(); i++ {
		if place, ok := places[v.Text(i)]; !ok || !g.tensors[place].made {
			return fmt.Errorf(", output %q is made by no operator", v.Text(i))
		}
	}
	for _, i := range g.outputs {
		if !g.tensors[i].made {
			return fmt.Errorf(", tensor %d is an output that no operator makes", i)
		}
	}
	return g.describes(t)
}

// find is the operator that op says it is.
func find(op table) (operator, error) {
	code := op.Int("type")
	if k, ok := operators()[code]; ok {
		return k, nil
	}
	k := operator{name: fmt.Sprintf("type %d", code), inputs: [2]int64{0, math.MaxInt32}, outputs: [2]int64{0, math.MaxInt32}, unknown: true}
	switch {
	case code < 0:
		return k, fmt.Errorf(": no operator has this number")
	case code > lastType:
		return k, flatbuf.Unsupported(fmt.Sprintf(": MNN has operators up to type %d", lastType))
	}
	return k, nil
}

// Unknown names the operators, by the numbers of their types, of a file in
// which Check found nothing that were not checked, beyond their places in the
// graph.
func Unknown(file []byte) (all []string) {
	for _, ops := range graphs(flatbuf.New(file, 0).Root(schema()["Net"])) {
		for i := range ops.Len() {
			if k, _ := find(ops.Table(i)); k.unknown && !slices.Contains(all, k.name) {
				all = append(all, k.name)
			}
		}
	}
	return all
}

// nameOnly reports whether MNN only knows the operator's name.
func (k operator) nameOnly() bool { return k.inputs == [2]int64{0, anyNumber} && k.name != "While" }

func (k operator) isConst() bool { return k.parameter == "Blob" }

// constant checks an operator that stands for its content.
func (g *graph) constant(op table) error {
	outputs, err := g.indexes(op.Vector("outputIndexes"))
	if err != nil {
		return fmt.Errorf(", outputs%w", err)
	}
	if len(outputs) != 1 {
		return fmt.Errorf(": outputs are %d", len(outputs))
	}
	b, err := parameter(op, "Blob")
	if err != nil {
		return err
	}
	t := &g.tensors[outputs[0]]
	if t.made {
		return fmt.Errorf(": tensor %d is made elsewhere", outputs[0])
	}
	t.made, t.isConst, t.constant = true, true, b
	if op.Has("externalPath") {
		return fmt.Errorf(": it names a file")
	}
	t.dims, t.format, t.dtype = numbers(b.Vector("dims")), layout(b.Int("dataFormat")), kept(b.Int("dataType"))
	return blob(b)
}

// parameter is the operator's, which must be of that kind.
func parameter(op table, name string) (table, error) {
	p, _ := op.Table("main")
	if l := p.Layout(); l == nil || l == flatbuf.Unknown {
		return p, fmt.Errorf(": it has no %s", name)
	} else if l.Name != name {
		return p, fmt.Errorf(": its parameter is %s, not %s", l.Name, name)
	}
	return p, nil
}

// operator checks one.
func (g *graph) operator(op table, k operator) error {
	if k.isConst() {
		return nil
	}
	if op.Has("externalPath") {
		return fmt.Errorf(": it names a file")
	}
	inputs, err := g.indexes(op.Vector("inputIndexes"))
	if err != nil {
		return fmt.Errorf(", inputs%w", err)
	}
	outputs, err := g.indexes(op.Vector("outputIndexes"))
	if err != nil {
		return fmt.Errorf(", outputs%w", err)
	}
	for _, side := range []struct {
		name string
		n    int64
		want [2]int64
	}{{"inputs", int64(len(inputs)), k.inputs}, {"outputs", int64(len(outputs)), k.outputs}} {
		if side.n < side.want[0] {
			return fmt.Errorf(": %s are %d", side.name, side.n)
		} else if side.n > side.want[1] {
			return flatbuf.Unsupported(fmt.Sprintf(": %s are %d, and MNN takes at most %d", side.name, side.n, side.want[1]))
		}
	}
	for _, i := range inputs {
		if !g.tensors[i].made {
			return fmt.Errorf(": input is tensor %d, which no operator before makes", i)
		}
	}
	for _, i := range outputs {
		t := &g.tensors[i]
		if t.made != (k.name == "Input" && g.isSubgraph) {
			return fmt.Errorf(": output is tensor %d, which is no input, or made elsewhere", i)
		}
		t.made = true
	}
	if !op.Has("name") {
		return fmt.Errorf(": it has no name")
	}
	p, kind := op.Table("main")
	if err := g.Spend(p.Vector("external").Len()); err != nil { // many operators can share it
		return err
	}
	if (op.Int("main_type") != 0) != op.Has("main") {
		return fmt.Errorf(": its parameter is of kind %d, but there is %t", op.Int("main_type"), op.Has("main"))
	}
	if k.unknown {
		for _, i := range outputs {
			g.tensors[i].format, g.tensors[i].dtype = -1, -1
		}
		return nil
	}
	if p.Layout() == flatbuf.Unknown {
		p, kind = table{}, 0 // to an MNN that does not know it either, as if it were absent
	}
	if k.needed || k.parameter != "" && kind != 0 {
		if p, err = parameter(op, k.parameter); err != nil {
			return err
		}
	} else if l := p.Layout(); l != nil && l.Name == "Blob" {
		return fmt.Errorf(": its parameter is Blob")
	}
	if g.isSubgraph && k.nameOnly() {
		return fmt.Errorf(" is not computed by MNN")
	}
	n := &node{graph: g, name: k.name, p: p}
	for _, i := range inputs {
		n.in = append(n.in, &g.tensors[i])
	}
	for _, i := range outputs {
		n.out = append(n.out, &g.tensors[i])
	}
	if err := n.rules(); err != nil {
		return fmt.Errorf(": %w", err)
	}
	return nil
}

// describes checks what a graph tells of its tensors.
func (g *graph) describes(t table) error {
	v := t.Vector("extraTensorDescribe")
	static := t.Int("usage") == 2
	if static && !t.Has("extraTensorDescribe") {
		return fmt.Errorf(" has no extraTensorDescribe")
	}
	if err := g.Spend(v.Len()); err != nil {
		return err
	}
	for i := range v.Len() {
		d := v.Table(i)
		if n := d.Int("index"); n < 0 || n >= g.names.Len() {
			return fmt.Errorf(", extraTensorDescribe %d is of tensor %d of %d", i, n, g.names.Len())
		}
	}
	return nil
}
