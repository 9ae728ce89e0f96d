// SPDX-License-Identifier: Apache-2.0

// Package mnncheck checks MNN files, because MNN verifies only that all objects are
// inside the file, and crashes the process if their values are not valid.
//
// Additions of a later MNN (operators, their parameters, element types, values of
// enumerations) are only checked to be inside the file. MNN decides whether it can run
// them. Unknown lists such operators.
package mnncheck

import (
	"fmt"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

const (
	maxRank     = 9                    // of MNN's tensors
	maxElements = int64(1) << 29       // of a tensor, as MNN counts their bytes, 4 each, in an int
	maxWeights  = int64(math.MaxInt32) // of an operator, for the same reason; a weight may have 1 byte or less
	lastType    = 604                  // of operators; MNN reads beyond its tables for higher ones, and adds new ones below
	maxNumber   = 1 << 16              // of strides, kernel sizes and the like, which MNN multiplies in an int
)

type (
	table  = flatbuf.Table
	vector = flatbuf.Vector
)

// Check returns an Error of kind ErrModel if a file must not be passed to MNN. Its
// time is linear in the file's size without weights.
func Check(file []byte) error {
	c := &checker{File: flatbuf.New(file, 1<<16+16*int64(len(file))), graphs: map[string]*graph{}}
	if err := c.check(); err != nil {
		return flatbuf.Refuse(err)
	}
	return nil
}

// BizCode returns the text in a file, which Check must have accepted, for the file's
// users.
func BizCode(file []byte) string { return flatbuf.New(file, 0).Root(schema()["Net"]).Text("bizCode") }

type checker struct {
	*flatbuf.File
	graphs map[string]*graph // the subgraphs checked so far, by name
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
	if err := checkExtraInfo(net); err != nil {
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

// checkExtraInfo checks a FlatBuffer in the file, which MNN's verifier skips.
func checkExtraInfo(net table) error {
	info, _ := net.Table("extraInfo")
	if !info.Has("buffer") {
		return nil
	}
	b := info.Vector("buffer").Bytes()
	return flatbuf.New(b, 1<<10+16*int64(len(b))).Root(schema()["Extra"]).Verify()
}

// subgraph checks a subgraph. It can only refer to earlier subgraphs, because MNN
// reads them in this order; so no subgraph contains itself.
func (c *checker) subgraph(t table) error {
	for _, name := range []string{"name", "outputs", "tensors", "nodes"} {
		if !t.Has(name) {
			return fmt.Errorf(" has no %s", name)
		}
	}
	g := &graph{checker: c, names: t.Vector("tensors"), isSubgraph: true}
	var err error
	if g.inputs, err = g.tensorIndices(t.Vector("inputs")); err != nil {
		return fmt.Errorf(", inputs%w", err)
	}
	if g.outputs, err = g.tensorIndices(t.Vector("outputs")); err != nil {
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

// tensor has the known properties of a tensor.
type tensor struct {
	defined  bool  // it is an input, or an output of an operator checked so far
	constant table // its Blob
	isConst  bool
	dims     []int64 // nil if the rank is not known, -1 for an unknown dimension
	format   int64   // of the memory layout; -1 if not known
	volume   float64 // an estimate of the number of elements, with 64 for dynamic sizes; 0 if not known
	dtype    int64   // the type in memory: float, int32, ...; -1 if not known
}

// tensorIndices returns the elements of v, all of which must be indices of tensors.
func (g *graph) tensorIndices(v vector) ([]int64, error) {
	if err := g.Spend(v.Len()); err != nil {
		return nil, err
	}
	all := make([]int64, v.Len())
	for i := range all {
		all[i] = v.Int(int64(i))
		if all[i] < 0 || all[i] >= g.names.Len() {
			return nil, fmt.Errorf(": tensor %d is not one of %d", all[i], g.names.Len())
		}
	}
	return all, nil
}

func (g *graph) check(t table, ops vector) error {
	g.tensors = make([]tensor, g.names.Len())
	for _, i := range g.inputs {
		g.tensors[i] = tensor{defined: true, format: -1, dtype: -1}
	}
	for i := range ops.Len() { // constants may come after the operators that read them
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
		k, err := operatorOf(op)
		if err == nil {
			err = g.operator(op, k)
		}
		if err != nil {
			return fmt.Errorf(", operator %d (%s)%w", i, k.name, err)
		}
	}
	indices := map[string]int{} // MNN finds inputs and outputs by name
	for i := range g.tensors {
		name := g.names.Text(int64(i))
		if before, ok := indices[name]; ok && (g.tensors[before].defined || g.tensors[i].defined) {
			return fmt.Errorf(", tensors %d and %d have the same name %q", before, i, name)
		}
		indices[name] = i
	}
	for i, v := int64(0), t.Vector("outputName"); i < v.Len(); i++ {
		if k, ok := indices[v.Text(i)]; !ok || !g.tensors[k].defined {
			return fmt.Errorf(", no operator produces the output %q", v.Text(i))
		}
	}
	for _, i := range g.outputs {
		if !g.tensors[i].defined {
			return fmt.Errorf(", no operator produces tensor %d, an output", i)
		}
	}
	return g.checkDescriptions(t)
}

// operatorOf returns the operator with the type of op.
func operatorOf(op table) (operator, error) {
	code := op.Int("type")
	if k, ok := operators()[code]; ok {
		return k, nil
	}
	k := operator{name: fmt.Sprintf("type %d", code), inputs: [2]int64{0, math.MaxInt32}, outputs: [2]int64{0, math.MaxInt32}, unknown: true}
	switch {
	case code < 0:
		return k, fmt.Errorf(": no operator has this type")
	case code > lastType:
		return k, flatbuf.Unsupported(fmt.Sprintf(": MNN has operators up to type %d", lastType))
	}
	return k, nil
}

// Unknown returns the operators, by the numbers of their types, of which Check only
// checked the indices of their tensors. The file is one that Check accepted.
func Unknown(file []byte) (all []string) {
	for _, ops := range graphs(flatbuf.New(file, 0).Root(schema()["Net"])) {
		for i := range ops.Len() {
			if k, _ := operatorOf(ops.Table(i)); k.unknown && !slices.Contains(all, k.name) {
				all = append(all, k.name)
			}
		}
	}
	return all
}

// nameOnly reports whether MNN has only a name for the operator, and no kernel.
func (k operator) nameOnly() bool { return k.inputs == [2]int64{0, anyNumber} && k.name != "While" }

func (k operator) isConst() bool { return k.parameter == "Blob" }

// constant checks an operator whose output is the content of its parameter.
func (g *graph) constant(op table) error {
	outputs, err := g.tensorIndices(op.Vector("outputIndexes"))
	if err != nil {
		return fmt.Errorf(", outputs%w", err)
	}
	if len(outputs) != 1 {
		return fmt.Errorf(": it has %d outputs, want 1", len(outputs))
	}
	b, err := parameter(op, "Blob")
	if err != nil {
		return err
	}
	t := &g.tensors[outputs[0]]
	if t.defined {
		return fmt.Errorf(": tensor %d is an output already", outputs[0])
	}
	t.defined, t.isConst, t.constant = true, true, b
	if op.Has("externalPath") {
		return fmt.Errorf(": it has an externalPath, which is not supported")
	}
	t.dims, t.format, t.dtype = firstElements(b.Vector("dims")), layout(b.Int("dataFormat")), elementType(b.Int("dataType"))
	return checkBlob(b)
}

// parameter returns the operator's parameter, which must have the type name.
func parameter(op table, name string) (table, error) {
	p, _ := op.Table("main")
	if l := p.Layout(); l == nil || l == flatbuf.Unknown {
		return p, fmt.Errorf(": it has no %s", name)
	} else if l.Name != name {
		return p, fmt.Errorf(": its parameter is %s, want %s", l.Name, name)
	}
	return p, nil
}

// operator checks an operator.
func (g *graph) operator(op table, k operator) error {
	if k.isConst() {
		return nil
	}
	if op.Has("externalPath") {
		return fmt.Errorf(": it has an externalPath, which is not supported")
	}
	inputs, err := g.tensorIndices(op.Vector("inputIndexes"))
	if err != nil {
		return fmt.Errorf(", inputs%w", err)
	}
	outputs, err := g.tensorIndices(op.Vector("outputIndexes"))
	if err != nil {
		return fmt.Errorf(", outputs%w", err)
	}
	for _, side := range []struct {
		name string
		n    int64
		want [2]int64
	}{{"inputs", int64(len(inputs)), k.inputs}, {"outputs", int64(len(outputs)), k.outputs}} {
		if side.n < side.want[0] {
			return fmt.Errorf(": it has %d %s, want at least %d", side.n, side.name, side.want[0])
		} else if side.n > side.want[1] {
			return flatbuf.Unsupported(fmt.Sprintf(": it has %d %s, and MNN takes at most %d", side.n, side.name, side.want[1]))
		}
	}
	for _, i := range inputs {
		if !g.tensors[i].defined {
			return fmt.Errorf(": its input is tensor %d, which no earlier operator produces", i)
		}
	}
	for _, i := range outputs {
		t := &g.tensors[i]
		if t.defined != (k.name == "Input" && g.isSubgraph) {
			return fmt.Errorf(": its output is tensor %d, which is not an input, or is an output already", i)
		}
		t.defined = true
	}
	if !op.Has("name") {
		return fmt.Errorf(": it has no name")
	}
	p, kind := op.Table("main")
	if err := g.Spend(p.Vector("external").Len()); err != nil { // because many operators may share it
		return err
	}
	if (op.Int("main_type") != 0) != op.Has("main") {
		return fmt.Errorf(": its parameter has the type %d, present: %t", op.Int("main_type"), op.Has("main"))
	}
	if k.unknown {
		for _, i := range outputs {
			g.tensors[i].format, g.tensors[i].dtype = -1, -1
		}
		return nil
	}
	if p.Layout() == flatbuf.Unknown {
		p, kind = table{}, 0 // an MNN that does not know the type treats it as absent, too
	}
	if k.required || k.parameter != "" && kind != 0 {
		if p, err = parameter(op, k.parameter); err != nil {
			return err
		}
	} else if l := p.Layout(); l != nil && l.Name == "Blob" {
		return fmt.Errorf(": its parameter is Blob")
	}
	if g.isSubgraph && k.nameOnly() {
		return fmt.Errorf(" is an operator that MNN does not compute")
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

// checkDescriptions checks the descriptions of a graph's tensors.
func (g *graph) checkDescriptions(t table) error {
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
			return fmt.Errorf(", extraTensorDescribe %d is of tensor %d, which is not one of %d", i, n, g.names.Len())
		}
	}
	return nil
}
