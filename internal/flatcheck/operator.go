// SPDX-License-Identifier: Apache-2.0

package flatcheck

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// scope is a subgraph as far as its operators have been looked at.
type scope struct {
	*checker
	index   int64
	tensors []tensor
	handles map[int64]string // names of variables by the tensors that refer to them
}

// at is the tensor that element i of v names.
func (s *scope) at(v Vector, i int64) (*tensor, error) {
	if n := v.Int(i); n >= 0 && n < int64(len(s.tensors)) {
		return &s.tensors[n], s.Spend(1)
	}
	return nil, fmt.Errorf(" is tensor %d of %d", v.Int(i), len(s.tensors))
}

func (s *scope) operator(op Table) error {
	index := op.Int("opcode_index")
	if index >= s.codes.Len() {
		return fmt.Errorf(": operator code %d of %d", index, s.codes.Len())
	}
	code := s.codes.Table(index)
	k := known(code)
	if k.name == "CUSTOM" {
		if known, ok := customs[code.Text("custom_code")]; ok {
			o := op.Vector("custom_options")
			if k = known; s.Spend(o.Len()) != nil || !numbers(o.Bytes()) {
				return fmt.Errorf(" (%s): its options are not a map of numbers", k.name)
			}
		}
	}
	if err := s.operatorOf(op, k); err != nil {
		return fmt.Errorf(" (%s)%w", k.name, err)
	}
	return nil
}

func (s *scope) operatorOf(op Table, k operator) error {
	var group int64 = -1 // the type of those marked a
	inputs, outputs := op.Vector("inputs"), op.Vector("outputs")
	if err := s.match(inputs, k.inputs, &group, func(t *tensor) error {
		if !t.ready && k.name != "CUSTOM" && !k.unknown {
			return fmt.Errorf(", which no operator before makes")
		}
		return nil
	}); err != nil {
		return fmt.Errorf(", input%w", err)
	}
	if err := s.match(outputs, k.outputs, &group, func(t *tensor) error {
		if t.ready && t.elements() != 0 && !k.unknown {
			return fmt.Errorf(", which is made elsewhere")
		}
		t.ready = true
		return nil
	}); err != nil {
		return fmt.Errorf(", output%w", err)
	}
	for i, v := int64(0), op.Vector("intermediates"); i < v.Len(); i++ {
		if v.Int(i) != -1 {
			if _, err := s.at(v, i); err != nil {
				return fmt.Errorf(", intermediate %d%w", i, err)
			}
		}
	}
	if !inside(op.Int("large_custom_options_offset"), op.Int("large_custom_options_size"), s.Size()) {
		return fmt.Errorf(": its options are not in the file")
	}
	if k.unknown {
		return nil
	}
	if !strings.Contains(k.inputs, "*") && inputs.Len() > int64(len(strings.ReplaceAll(k.inputs, "?", ""))) {
		return s.options(op, k) // what a later version of the operator does with more inputs is not known
	}
	if strings.HasSuffix(k.name, "LSTM") && inputs.Len() >= 20 && inputs.Len() <= 24 && !gates(inputs) {
		return fmt.Errorf(": some inputs of a gate are left out")
	}
	if err := s.shapes(op, k, inputs, outputs); err != nil {
		return err
	}
	if err := s.options(op, k); err != nil {
		return err
	}
	return s.variable(op, k.name, inputs, outputs)
}

// variable checks that all that is written to a variable and read from it is
// of one size, which LiteRT relies on.
func (s *scope) variable(op Table, name string, inputs, outputs Vector) error {
	var t *tensor
	switch name {
	case "VAR_HANDLE":
		o := options(op)
		s.handles[outputs.Int(0)] = o.Text("container") + "\x00" + o.Text("shared_name")
		return nil
	case "READ_VARIABLE":
		t = &s.tensors[outputs.Int(0)]
	case "ASSIGN_VARIABLE":
		t = &s.tensors[inputs.Int(1)]
	default:
		return nil
	}
	variable, ok := s.handles[inputs.Int(0)]
	if !ok || t.shape.Len() == 0 || t.dynamic() { // of a size that only running tells
		return nil
	}
	first := s.variables[variable]
	if first == nil {
		s.variables[variable] = t
	} else if first.dtype != t.dtype || first.elements() != t.elements() {
		return fmt.Errorf(": the variable is of another type or size elsewhere")
	}
	return nil
}

// gates reports whether an LSTM that runs in one direction has all or none of
// what belongs together: the input gate, peepholes, layer normalization.
func gates(v Vector) bool {
	has := func(i int64) bool { return i < v.Len() && v.Int(i) >= 0 }
	gate, peephole, norm := has(1), has(10), has(21)
	return has(5) == gate && has(12) == gate && has(9) == (gate && peephole) && has(11) == peephole &&
		has(20) == (gate && norm) && has(22) == norm && has(23) == norm && (has(16) || !has(17))
}

// match checks the tensors that v names against an operator's pattern. Of
// those beyond it, which later versions of an operator add, only that they exist.
func (s *scope) match(v Vector, pattern string, group *int64, each func(*tensor) error) error {
	var first *tensor
	p := 0
	for i := range v.Len() {
		letter, more := 'X', ""
		if p < len(pattern) {
			letter, more = rune(pattern[p]), pattern[p+1:]
		}
		if p < len(pattern) && !strings.HasPrefix(more, "*") {
			p = len(pattern) - len(strings.TrimPrefix(more, "?"))
		}
		if v.Int(i) == -1 && unicode.IsUpper(letter) {
			continue
		}
		t, err := s.at(v, i)
		if first == nil {
			first = t
		}
		if err == nil && !t.is(unicode.ToLower(letter), first, group) {
			err = fmt.Errorf(" is tensor %d, whose type or content does not fit", v.Int(i))
		} else if err == nil {
			if err = each(t); err != nil {
				err = fmt.Errorf(" is tensor %d%w", v.Int(i), err)
			}
		}
		if err != nil {
			return fmt.Errorf(" %d%w", i, err)
		}
	}
	for rest := pattern[p:]; rest != ""; rest = rest[1:] {
		if unicode.IsLower(rune(rest[0])) && strings.IndexAny(rest, "?*") != 1 {
			return fmt.Errorf("s are %d, fewer than needed", v.Len())
		}
	}
	return nil
}

// is reports whether t fits a letter of opsText, beside the first tensor. One
// of an unknown type fits all.
func (t *tensor) is(letter rune, first *tensor, group *int64) bool {
	if t.unchecked() || first.unchecked() {
		return true
	}
	switch letter {
	case 'a':
		if *group < 0 {
			*group = t.dtype
		}
		return t.dtype == *group
	case 'p':
		return t.permutes(first.shape.Len())
	case 'h':
		return t.sizes(-1, 1)
	case 'n':
		return t.sizes(0, 1)
	case 'b':
		return t.sizes(1, 1)
	case 'm':
		return t.sizes(0, max(first.elements(), 1))
	case 's':
		return t.dtype == int32Type
	case 'i':
		return t.dtype == int32Type || t.dtype == int64Type
	case 'l':
		return t.dtype == boolType
	case 'r':
		return t.dtype == resourceType
	}
	return true
}

// options checks that they are the operator's kind, or left out where it can
// do without, and that the subgraphs named there exist.
func (s *scope) options(op Table, k operator) error {
	o, kind := op.Table("builtin_options")
	if second, kind2 := op.Table("builtin_options_2"); kind2 != 0 {
		o, kind = second, kind2
	}
	unknown := o.Layout() == flatbuf.Unknown
	if unknown {
		kind = 0 // to an SDK that does not know them either, as if they were absent
	}
	switch {
	case kind != 0 && o.Layout() != k.options:
		return fmt.Errorf(": its options are %s", o.Layout().Name)
	case kind == 0 && k.options == nil:
		return nil
	case kind == 0:
		o = flatbuf.Absent(k.options)
	}
	for _, c := range o.Layout().Columns {
		if unknown && (c.Required() || c.Type == "graph") {
			return flatbuf.Unsupported(fmt.Sprintf(": its options are of a kind that is not known, and it needs %s", c.Name))
		}
		if c.Required() && !o.Has(c.Name) {
			return fmt.Errorf(": its options lack %s", c.Name)
		}
		if c.Type != "graph" {
			continue
		}
		n, number := int64(1), func(int64) int64 { return o.Int(c.Name) }
		if c.IsVector {
			v := o.Vector(c.Name)
			n, number = v.Len(), v.Int
		}
		for i := range n {
			g := number(i)
			if g < 0 || g >= s.graphs.Len() {
				return fmt.Errorf(": %s is %d of %d", c.Name, g, s.graphs.Len())
			}
			s.calls[s.index] = append(s.calls[s.index], g)
		}
	}
	return nil
}

// customs are the custom operators that SDKs bring along.
var customs = map[string]operator{
	"TFLite_Detection_PostProcess": {name: "TFLite_Detection_PostProcess", inputs: "xxx", outputs: "xxxx"},
	"AudioSpectrogram":             {name: "AudioSpectrogram", inputs: "x", outputs: "x"},
	"Mfcc":                         {name: "Mfcc", inputs: "xx", outputs: "x"},
	"NumericVerify":                {name: "NumericVerify", inputs: "xx", outputs: "X"},
}
