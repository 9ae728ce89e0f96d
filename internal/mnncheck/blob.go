// SPDX-License-Identifier: Apache-2.0

package mnncheck

import (
	"fmt"
	"math"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// stored is where a Blob has elements of a type, and how many numbers one is.
// Of other types MNN reads none.
var stored = map[int64]struct {
	vector string
	each   int64
}{1: {"float32s", 1}, 3: {"int32s", 1}, 4: {"uint8s", 1}, 6: {"int8s", 1}, 12: {"uint8s", 1}, 14: {"uint8s", 2}, 19: {"uint8s", 2}}

// types and formats are how many element types and formats of memory are known.
const types, formats = 22, 5

const nc4hw4 = 2

// elements is the number that dimensions make, or why there cannot be a tensor
// like that. Dimensions below least do not make one.
func elements(dims vector, least int64) (int64, error) {
	if dims.Len() > maxRank {
		return 0, flatbuf.Unsupported(fmt.Sprintf("it has %d dimensions, and MNN's tensors at most %d", dims.Len(), maxRank))
	}
	n, positive := int64(1), int64(1) // a dimension of 0 does not make room for others
	for i := range dims.Len() {
		d := dims.Int(i)
		if d < least {
			return 0, fmt.Errorf("dimension %d is %d", i, d)
		}
		n *= d
		if positive *= max(d, 1); positive > maxElements {
			return 0, flatbuf.Unsupported(fmt.Sprintf("it has more than %d elements", maxElements))
		}
	}
	return n, nil
}

// blob checks that one has the content that its dimensions say.
func blob(b table) error {
	n, err := elements(b.Vector("dims"), 0)
	if err != nil {
		return fmt.Errorf(": %w", err)
	}
	if n == 0 {
		return nil
	}
	s, ok := stored[b.Int("dataType")]
	if !ok { // MNN crashes on these
		return flatbuf.Unsupported(fmt.Sprintf(": its elements are of type %d, which MNN does not read", b.Int("dataType")))
	}
	size := map[string]int64{"float32s": 4, "int32s": 4}[s.vector]
	size = max(size, 1) * s.each
	if e := b.Vector("external"); e.Len() > 0 {
		if e.Len() < 2 || e.Int(0) < 0 || e.Int(1) != n*size {
			return fmt.Errorf(": its content is not in the other file")
		}
		if b.Int("dataType") != 19 || b.Has("uint8s") {
			return nil
		}
	}
	if have := b.Vector(s.vector).Len(); have != n*s.each {
		return fmt.Errorf(": it needs %d of %s, and has %d", n*s.each, s.vector, have)
	}
	return nil
}

const float, int32Type = 1, 3

// layout is a format in a file, or -1 where it is not known.
func layout(format int64) int64 {
	if format >= formats {
		return -1
	}
	return format
}

// kept is the type of elements that MNN makes of one in a file, or -1 where it
// is not known.
func kept(dtype int64) int64 {
	if dtype >= types {
		return -1
	}
	switch dtype {
	case 2, 19: // double, half
		return float
	case 9, 10, 13: // int64, bool
		return int32Type
	case 11:
		return 6
	case 12:
		return 4
	case 15:
		return 5
	case 16:
		return 17
	}
	return dtype
}

// apart checks what is in another file: where it begins, then the sizes in
// bytes of what follows each other. The first has at least so many, and where
// it bounds the second, no fewer than that.
func apart(external vector, count, least int64, bounds bool) error {
	if external.Len() < count {
		return fmt.Errorf("external has %d numbers", external.Len())
	}
	for i := range external.Len() {
		if k := external.Int(i); k < 0 || k > math.MaxInt64/(1+external.Len()) { // their sum fits
			return fmt.Errorf("external[%d] is %d", i, k)
		}
	}
	if external.Int(1) < least || bounds && external.Len() > 2 && external.Int(2) > external.Int(1) {
		return fmt.Errorf("external is %d", numbers(external))
	}
	return nil
}
