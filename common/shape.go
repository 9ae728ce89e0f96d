// SPDX-License-Identifier: Apache-2.0

package common

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Shape is the length of each dimension, outermost first (row-major). In a
// TensorInfo a length of -1 is dynamic, and a nil Shape has a dynamic rank.
// An empty, non-nil Shape is a scalar.
type Shape []int

// Dynamic reports whether the rank or a dimension is not fixed.
func (s Shape) Dynamic() bool { return s == nil || slices.Contains(s, -1) }

// Elems returns the number of elements: the product of the dimensions, 1 for a
// scalar. It is -1 if s is dynamic, has another negative dimension, or if the
// product overflows an int.
func (s Shape) Elems() int {
	if s == nil {
		return -1
	}
	n := 1
	for _, d := range s {
		if d < 0 || d > 0 && n > math.MaxInt/d {
			return -1
		}
		n *= d
	}
	return n
}

// Accepts reports whether a tensor of shape t fits s, which may be dynamic.
func (s Shape) Accepts(t Shape) bool {
	if s == nil {
		return true
	}
	if len(s) != len(t) {
		return false
	}
	for i, d := range s {
		if d != -1 && d != t[i] {
			return false
		}
	}
	return true
}

// String returns a text such as "[1 3 ? ?]", where "?" is a dynamic dimension;
// "[...]" is a dynamic rank.
func (s Shape) String() string {
	if s == nil {
		return "[...]"
	}
	b := []byte{'['}
	for i, d := range s {
		if i > 0 {
			b = append(b, ' ')
		}
		if d < 0 {
			b = append(b, '?')
		} else {
			b = strconv.AppendInt(b, int64(d), 10)
		}
	}
	return string(append(b, ']'))
}

// ShapeRange bounds the shape of an input in Options.Shapes. Min and Max are the
// bounds of each dimension, both included; Opt is the shape that the engine
// optimizes for. Fixed makes the ShapeRange of a single shape.
type ShapeRange struct{ Min, Opt, Max Shape }

// Fixed returns the ShapeRange of exactly one shape.
func Fixed(dims ...int) ShapeRange {
	s := Shape(dims)
	return ShapeRange{Min: s, Opt: s, Max: s}
}

// Shape returns r as the shape of an input: -1 for dimensions whose Min and Max
// differ.
func (r ShapeRange) Shape() Shape {
	s := slices.Clone(r.Min)
	for i := range s {
		if i >= len(r.Max) || r.Max[i] != s[i] {
			s[i] = -1
		}
	}
	return s
}

// Contains reports whether s lies between Min and Max.
func (r ShapeRange) Contains(s Shape) bool {
	if len(s) != len(r.Min) || len(s) != len(r.Max) {
		return false
	}
	for i, d := range s {
		if d < r.Min[i] || d > r.Max[i] {
			return false
		}
	}
	return true
}

// String returns a text such as "[1 3 224 224]..[8 3 224 224]", without Opt.
func (r ShapeRange) String() string {
	if slices.Equal(r.Min, r.Max) {
		return r.Min.String()
	}
	return strings.Join([]string{r.Min.String(), r.Max.String()}, "..")
}

// check returns an error if r is not a valid range, for the input of that name.
func (r ShapeRange) check(name string) error {
	if len(r.Min) != len(r.Opt) || len(r.Min) != len(r.Max) || r.Min == nil {
		return optionError("shapes of %q: Min, Opt and Max need the same rank; have %v, %v, %v", name, r.Min, r.Opt, r.Max)
	}
	if !r.Contains(r.Opt) || Shape(r.Min).Elems() < 0 || Shape(r.Max).Elems() < 0 {
		return optionError("shapes of %q: need 0 <= Min <= Opt <= Max; have %v, %v, %v", name, r.Min, r.Opt, r.Max)
	}
	return nil
}
