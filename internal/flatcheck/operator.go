// SPDX-License-Identifier: Apache-2.0

package flatcheck

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// scope is the state of a subgraph before the checked operator.
type scope struct {
	*checker
	index   int64
	tensors []tensor
	handles map[int64]string // names of variables, by the tensors with their handles
}

// tensorAt returns the tensor whose index is element i of v.
func (s *scope) tensorAt(v Vector, i int64) (*tensor, error) {
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
	k := builtinOperator(code)
	if k.name == "CUSTOM" {
		if custom, ok := customOperators[code.Text("custom_code")]; ok {
			o := op.Vector("custom_options")
			if k = custom; s.Spend(o.Len()) != nil || !isNumberMap(o.Bytes()) {
				return fmt.Errorf(" (%s): its options are not a map of numbers", k.name)
			}
		}
	}
	if err := s.checkOperator(op, k); err != nil {
		return fmt.Errorf(" (%s)%w", k.name, err)
	}
	return nil
}

func (s *scope) checkOperator(op Table, k operator) error {
	var group int64 = -1 // the element type of the tensors marked a in opsText
	inputs, outputs := op.Vector("inputs"), op.Vector("outputs")
	if err := s.match(inputs, k.inputs, &group, func(t *tensor) error {
		if !t.ready && k.name != "CUSTOM" && !k.unknown {
			return fmt.Errorf(", which no earlier operator writes")
		}
		return nil
	}); err != nil {
		return fmt.Errorf(", input%w", err)
	}
	if err := s.match(outputs, k.outputs, &group, func(t *tensor) error {
		if t.ready && t.elements() != 0 && !k.unknown {
			return fmt.Errorf(", which has a value already")
		}
		t.ready = true
		return nil
	}); err != nil {
		return fmt.Errorf(", output%w", err)
	}
	for i, v := int64(0), op.Vector("intermediates"); i < v.Len(); i++ {
		if v.Int(i) != -1 {
			if _, err := s.tensorAt(v, i); err != nil {
				return fmt.Errorf(", intermediate %d%w", i, err)
			}
		}
	}
	if !inRange(op.Int("large_custom_options_offset"), op.Int("large_custom_options_size"), s.Size()) {
		return fmt.Errorf(": its options are not in the file")
	}
	if k.unknown {
		return nil
	}
	if !strings.Contains(k.inputs, "*") && inputs.Len() > int64(len(strings.ReplaceAll(k.inputs, "?", ""))) {
		return s.options(op, k) // a later version of the operator may use more inputs in any way
	}
	if strings.HasSuffix(k.name, "LSTM") && inputs.Len() >= 20 && inputs.Len() <= 24 && !validGates(inputs) {
		return fmt.Errorf(": a gate lacks some of its inputs")
	}
	if err := s.shapes(op, k, inputs, outputs); err != nil {
		return err
	}
	if err := s.options(op, k); err != nil {
		return err
	}
	return s.variable(op, k.name, inputs, outputs)
}

// variable checks that all tensors that are written to a variable or read from it have
// the same size, as LiteRT assumes.
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
	if !ok || t.shape.Len() == 0 || t.dynamic() { // the size is known only at run time
		return nil
	}
	first := s.variables[variable]
	if first == nil {
		s.variables[variable] = t
	} else if first.dtype != t.dtype || first.elements() != t.elements() {
		return fmt.Errorf(": the variable has another type or size in an earlier operator")
	}
	return nil
}

// validGates reports whether a unidirectional LSTM has all or none of the inputs of
// its input gate, its peepholes and its layer normalization.
func validGates(v Vector) bool {
	has := func(i int64) bool { return i < v.Len() && v.Int(i) >= 0 }
	gate, peephole, norm := has(1), has(10), has(21)
	return has(5) == gate && has(12) == gate && has(9) == (gate && peephole) && has(11) == peephole &&
		has(20) == (gate && norm) && has(22) == norm && has(23) == norm && (has(16) || !has(17))
}

// match checks the tensors that v lists against an operator's pattern. Later versions
// of an operator may add tensors, which must only exist.
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
		t, err := s.tensorAt(v, i)
		if first == nil {
			first = t
		}
		if err == nil && !t.matches(unicode.ToLower(letter), first, group) {
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
			return fmt.Errorf("s are %d, fewer than the operator needs", v.Len())
		}
	}
	return nil
}

// matches reports whether t fits a letter of opsText. Some letters depend on the first
// tensor. A tensor of an unknown type fits every letter.
func (t *tensor) matches(letter rune, first *tensor, group *int64) bool {
	if t.isUnknown() || first.isUnknown() {
		return true
	}
	switch letter {
	case 'a':
		if *group < 0 {
			*group = t.dtype
		}
		return t.dtype == *group
	case 'p':
		return t.isPermutation(first.shape.Len())
	case 'h':
		return t.validSizes(-1, 1)
	case 'n':
		return t.validSizes(0, 1)
	case 'b':
		return t.validSizes(1, 1)
	case 'm':
		return t.validSizes(0, max(first.elements(), 1))
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

// options checks that the options have the operator's type, or are absent if the
// operator has defaults, and that the subgraphs that they name exist.
func (s *scope) options(op Table, k operator) error {
	o, kind := op.Table("builtin_options")
	if second, kind2 := op.Table("builtin_options_2"); kind2 != 0 {
		o, kind = second, kind2
	}
	unknown := o.Layout() == flatbuf.Unknown
	if unknown {
		kind = 0 // an SDK that does not know the type treats them as absent, too
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
			return flatbuf.Unsupported(fmt.Sprintf(": its options have an unknown type, and it needs %s", c.Name))
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
				return fmt.Errorf(": %s is subgraph %d of %d", c.Name, g, s.graphs.Len())
			}
			s.calls[s.index] = append(s.calls[s.index], g)
		}
	}
	return nil
}

// customOperators has the custom operators that SDKs implement.
var customOperators = map[string]operator{
	"TFLite_Detection_PostProcess": {name: "TFLite_Detection_PostProcess", inputs: "xxx", outputs: "xxxx"},
	"AudioSpectrogram":             {name: "AudioSpectrogram", inputs: "x", outputs: "x"},
	"Mfcc":                         {name: "Mfcc", inputs: "xx", outputs: "x"},
	"NumericVerify":                {name: "NumericVerify", inputs: "xx", outputs: "X"},
}
