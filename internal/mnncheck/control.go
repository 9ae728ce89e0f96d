// SPDX-License-Identifier: Apache-2.0

package mnncheck

import (
	"fmt"
	"slices"
)

// called is the subgraph that a field names.
func (n *node) called(field string) (*graph, error) {
	name := n.p.Text(field)
	if g := n.graphs[name]; n.p.Has(field) && g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("%s is %q, which is no subgraph before", field, name)
}

// find is the place of a name among tensors, or -1.
func (g *graph) find(places []int64, name string) int {
	return slices.IndexFunc(places, func(i int64) bool { return g.names.Text(i) == name })
}

// strings are those of element i of a vector of StringVecs.
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

// aliases checks that the names that a field gives the operator's inputs
// are those of all inputs of the subgraphs.
func (n *node) aliases(graphs ...*graph) error {
	v := n.p.Vector("aliases_inputs")
	if !n.p.Has("aliases_inputs") || v.Len() > int64(len(n.in)) {
		return fmt.Errorf("aliases_inputs are %d for %d inputs", v.Len(), len(n.in))
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
				return fmt.Errorf("aliases_inputs lack %q", g.names.Text(i))
			}
		}
	}
	return nil
}

func (n *node) branch() error {
	then, err := n.called("then_graph")
	if err != nil {
		return err
	}
	other, err := n.called("else_graph")
	if err != nil {
		return err
	}
	if err := n.aliases(then, other); err != nil {
		return err
	}
	v := n.p.Vector("aliases_outputs")
	if !n.p.Has("aliases_outputs") {
		if len(n.out) > min(len(then.outputs), len(other.outputs)) {
			return fmt.Errorf("it has %d outputs, its subgraphs %d and %d", len(n.out), len(then.outputs), len(other.outputs))
		}
		return nil
	}
	if v.Len() != int64(len(n.out)) {
		return fmt.Errorf("aliases_outputs are %d for %d outputs", v.Len(), len(n.out))
	}
	for i := range v.Len() {
		names, err := n.strings(v, i)
		if err != nil {
			return err
		}
		if err := n.Spend(int64(len(then.outputs) + len(other.outputs))); err != nil {
			return err
		}
		if len(names) < 2 || then.find(then.outputs, names[0]) < 0 || other.find(other.outputs, names[1]) < 0 {
			return fmt.Errorf("aliases_outputs[%d] are no outputs of the subgraphs", i)
		}
	}
	return nil
}

func (n *node) while() error {
	body, err := n.called("body_graph")
	if err != nil {
		return err
	}
	if !n.p.Has("cond_graph") { // of ONNX: the trip count and the condition come first
		kept := len(n.in) - 2
		if kept < 0 || len(body.inputs) != len(n.in) || len(n.out) < kept || len(body.outputs) != len(n.out)+1 {
			return fmt.Errorf("it has %d inputs and %d outputs, its body %d and %d", len(n.in), len(n.out), len(body.inputs), len(body.outputs))
		}
		return nil
	}
	cond, err := n.called("cond_graph")
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
		return fmt.Errorf("aliases_outputs are %d for %d outputs", k, len(n.out))
	}
	return nil
}
