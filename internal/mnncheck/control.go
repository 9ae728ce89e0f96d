// SPDX-License-Identifier: Apache-2.0

package mnncheck

import (
	"fmt"
	"slices"
)

// subgraph returns the subgraph that a field names.
func (n *node) subgraph(field string) (*graph, error) {
	name := n.p.Text(field)
	if g := n.graphs[name]; n.p.Has(field) && g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("%s is %q, which is not an earlier subgraph", field, name)
}

// indexOfName returns the index in tensors of the tensor with that name, or -1.
func (g *graph) indexOfName(tensors []int64, name string) int {
	return slices.IndexFunc(tensors, func(i int64) bool { return g.names.Text(i) == name })
}

// strings returns the strings of element i of a vector of StringVecs.
func (n *node) strings(v vector, i int64) ([]string, error) {
	data := v.Table(i).Vector("data")
	if err := n.Spend(data.Len()); err != nil {
		return nil, err
	}
	all := make([]string, data.Len())
	for k := range all {
		all[k] = data.Text(int64(k))
	}
	return all, nil
}

// aliases checks that aliases_inputs has the names of all inputs of the subgraphs.
func (n *node) aliases(graphs ...*graph) error {
	v := n.p.Vector("aliases_inputs")
	if !n.p.Has("aliases_inputs") || v.Len() > int64(len(n.in)) {
		return fmt.Errorf("aliases_inputs has %d elements for %d inputs", v.Len(), len(n.in))
	}
	names := map[string]bool{}
	for i := range v.Len() {
		all, err := n.strings(v, i)
		if err != nil {
			return err
		}
		for _, name := range all {
			names[name] = true
		}
	}
	for _, g := range graphs {
		for _, i := range g.inputs {
			if !names[g.names.Text(i)] {
				return fmt.Errorf("aliases_inputs lacks %q", g.names.Text(i))
			}
		}
	}
	return nil
}

func (n *node) branch() error {
	then, err := n.subgraph("then_graph")
	if err != nil {
		return err
	}
	other, err := n.subgraph("else_graph")
	if err != nil {
		return err
	}
	if err := n.aliases(then, other); err != nil {
		return err
	}
	v := n.p.Vector("aliases_outputs")
	if !n.p.Has("aliases_outputs") {
		if len(n.out) > min(len(then.outputs), len(other.outputs)) {
			return fmt.Errorf("it has %d outputs, and its subgraphs have %d and %d", len(n.out), len(then.outputs), len(other.outputs))
		}
		return nil
	}
	if v.Len() != int64(len(n.out)) {
		return fmt.Errorf("aliases_outputs has %d elements for %d outputs", v.Len(), len(n.out))
	}
	for i := range v.Len() {
		names, err := n.strings(v, i)
		if err != nil {
			return err
		}
		if err := n.Spend(int64(len(then.outputs) + len(other.outputs))); err != nil {
			return err
		}
		if len(names) < 2 || then.indexOfName(then.outputs, names[0]) < 0 || other.indexOfName(other.outputs, names[1]) < 0 {
			return fmt.Errorf("aliases_outputs[%d] does not name outputs of the subgraphs", i)
		}
	}
	return nil
}

func (n *node) while() error {
	body, err := n.subgraph("body_graph")
	if err != nil {
		return err
	}
	if !n.p.Has("cond_graph") { // a loop of ONNX, whose first inputs are the trip count and the condition
		carried := len(n.in) - 2
		if carried < 0 || len(body.inputs) != len(n.in) || len(n.out) < carried || len(body.outputs) != len(n.out)+1 {
			return fmt.Errorf("it has %d inputs and %d outputs, and its body has %d and %d", len(n.in), len(n.out), len(body.inputs), len(body.outputs))
		}
		return nil
	}
	cond, err := n.subgraph("cond_graph")
	if err != nil {
		return err
	}
	if len(cond.outputs) == 0 {
		return fmt.Errorf("cond_graph has no output")
	}
	if err := n.aliases(body, cond); err != nil {
		return err
	}
	for _, name := range []string{"aliases_updates", "aliases_outputs"} {
		if !n.p.Has(name) {
			return fmt.Errorf("it has no %s", name)
		}
	}
	inputs := n.p.Vector("aliases_inputs")
	for i := range inputs.Len() {
		if !inputs.Table(i).Has("data") {
			return fmt.Errorf("aliases_inputs[%d] has no data", i)
		}
	}
	updates := n.p.Vector("aliases_updates")
	for i := range updates.Len() {
		names, err := n.strings(updates, i)
		if err != nil {
			return err
		}
		if len(names) < 2 {
			return fmt.Errorf("aliases_updates[%d] has %d names", i, len(names))
		}
	}
	if k := n.p.Vector("aliases_outputs").Len(); k != int64(len(n.out)) {
		return fmt.Errorf("aliases_outputs has %d elements for %d outputs", k, len(n.out))
	}
	return nil
}
