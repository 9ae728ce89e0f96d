// SPDX-License-Identifier: Apache-2.0

package mnncheck

import "fmt"

// recurrent checks that constant weights have shapes that fit the number of units.
func (n *node) recurrent() error {
	units := n.p.Int("outputCount")
	if err := checkRange("outputCount", units, 1, maxNumber); err != nil {
		return err
	}
	gates := int64(1)
	if n.name == "LSTM" {
		gates = 4
		if len(n.in) < 4 {
			return n.oldLSTM(units)
		}
	}
	x, w, r, b := n.dims(0), n.dims(1), n.dims(2), n.dims(3)
	if x != nil && len(x) != 3 || w != nil && len(w) != 3 || r != nil && len(r) != 3 || b != nil && len(b) < 1 {
		return fmt.Errorf("its inputs have %d, %d, %d and %d dimensions", len(x), len(w), len(r), len(b))
	}
	if x != nil && w != nil && x[2] >= 0 && w[2] >= 0 && x[2] != w[2] {
		return fmt.Errorf("it has weights for %d features, not %d", w[2], x[2])
	}
	if w == nil || r == nil || w[0] < 0 || r[0] < 0 {
		return nil
	}
	if w[0] < 1 || w[0] > 2 || r[0] != w[0] || w[1] != gates*units || r[1] != gates*units || r[2] != units {
		return fmt.Errorf("its weights are %d and %d for %d units", w, r, units)
	}
	if have := n.in[3].elements(); have >= 0 && have < w[0]*gates*units {
		return fmt.Errorf("it has %d biases", have)
	}
	return nil
}

// gru checks the sizes of the weights and biases of gates and of candidates in each
// direction, for the number of units.
func (n *node) gru() error {
	p := n.p
	units, directions := p.Int("numUnits"), 1+min(p.Int("isBidirectionalRNN"), 1)
	if units < 1 || units > maxNumber || len(n.in) < int(1+5*directions) {
		return fmt.Errorf("it has %d units and %d inputs", units, len(n.in))
	}
	if x := n.dims(0); x != nil && len(x) != 3 {
		return fmt.Errorf("its input has %d dimensions", len(x))
	}
	features := int64(-1)
	if x := n.dims(0); x != nil {
		features = x[2]
	}
	for d := range int(directions) {
		for k, want := range []int64{2 * units * (units + features), 2 * units, units * (units + features), units, units} {
			have := n.in[1+5*d+k].elements()
			if k == 4 && p.Int("linearBeforeReset") == 0 || features < 0 && (k == 0 || k == 2) {
				continue
			}
			if have >= 0 && have < want {
				return fmt.Errorf("input %d has %d elements for %d units", 1+5*d+k, have, units)
			}
		}
	}
	return nil
}

// oldLSTM checks an LSTM with weights in its parameter.
func (n *node) oldLSTM(units int64) error {
	if len(n.out) != 1 {
		return fmt.Errorf("it has %d inputs and %d outputs", len(n.in), len(n.out))
	}
	for _, name := range []string{"weightI", "weightH", "bias"} {
		b, kind := n.p.Table(name)
		if kind == 0 && name != "weightI" {
			continue
		}
		if err := checkBlob(b); err != nil || b.Int("dataType") != float || b.Vector("dims").Len() == 0 {
			return fmt.Errorf("%s is not a valid Blob of float32", name)
		}
		have := b.Vector("float32s").Len()
		if have < 4*units || name == "weightH" && have != 4*units*units || name == "bias" && have < 4*units || have%(4*units) != 0 {
			return fmt.Errorf("%s has %d elements for %d units", name, have, units)
		}
	}
	return nil
}
