// SPDX-License-Identifier: Apache-2.0

package mnncheck

import (
	"fmt"
	"math"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// storage has, for each element type, the field of a Blob with the elements, and the
// number of its values in one element. MNN reads no other types.
var storage = map[int64]struct {
	vector     string
	perElement int64
}{1: {"float32s", 1}, 3: {"int32s", 1}, 4: {"uint8s", 1}, 6: {"int8s", 1}, 12: {"uint8s", 1}, 14: {"uint8s", 2}, 19: {"uint8s", 2}}

// types and formats are the numbers of known element types and memory layouts.
const types, formats = 22, 5

const nc4hw4 = 2

// elements returns the number of elements of a tensor with these dimensions, which must
// be at least min. It returns an error if MNN does not support such a tensor.
func elements(dims vector, min int64) (int64, error) {
	if dims.Len() > maxRank {
		return 0, flatbuf.Unsupported(fmt.Sprintf("it has %d dimensions, and MNN's tensors at most %d", dims.Len(), maxRank))
	}
	n, positive := int64(1), int64(1) // the product without dimensions of 0, which MNN also computes
	for i := range dims.Len() {
		d := dims.Int(i)
		if d < min {
			return 0, fmt.Errorf("dimension %d is %d", i, d)
		}
		n *= d
		if positive *= max(d, 1); positive > maxElements {
			return 0, flatbuf.Unsupported(fmt.Sprintf("it has more than %d elements", maxElements))
		}
	}
	return n, nil
}

// checkBlob checks that a Blob has the number of elements that its dimensions need.
func checkBlob(b table) error {
	n, err := elements(b.Vector("dims"), 0)
	if err != nil {
		return fmt.Errorf(": %w", err)
	}
	if n == 0 {
		return nil
	}
	s, ok := storage[b.Int("dataType")]
	if !ok { // MNN crashes on other types
		return flatbuf.Unsupported(fmt.Sprintf(": its elements are of type %d, which MNN does not read", b.Int("dataType")))
	}
	size := map[string]int64{"float32s": 4, "int32s": 4}[s.vector]
	size = max(size, 1) * s.perElement
	if e := b.Vector("external"); e.Len() > 0 {
		if e.Len() < 2 || e.Int(0) < 0 || e.Int(1) != n*size {
			return fmt.Errorf(": external does not have the size of its content")
		}
		if b.Int("dataType") != 19 || b.Has("uint8s") {
			return nil
		}
	}
	if have := b.Vector(s.vector).Len(); have != n*s.perElement {
		return fmt.Errorf(": it needs %d elements in %s, and has %d", n*s.perElement, s.vector, have)
	}
	return nil
}

const float, int32Type = 1, 3

// layout returns the memory layout of a file's format, or -1 if it is not known.
func layout(format int64) int64 {
	if format >= formats {
		return -1
	}
	return format
}

// elementType returns the type in memory of a file's element type, or -1 if it is not
// known.
func elementType(dtype int64) int64 {
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

// checkExternal checks the place of data in the file of weights: its offset, then the
// sizes in bytes of its parts, at least count numbers. The first part has at least min
// bytes and, with bounds, at least as many as the second.
func checkExternal(external vector, count, min int64, bounds bool) error {
	if external.Len() < count {
		return fmt.Errorf("external has %d elements", external.Len())
	}
	for i := range external.Len() {
		if k := external.Int(i); k < 0 || k > math.MaxInt64/(1+external.Len()) { // so that their sum does not overflow
			return fmt.Errorf("external[%d] is %d", i, k)
		}
	}
	if external.Int(1) < min || bounds && external.Len() > 2 && external.Int(2) > external.Int(1) {
		return fmt.Errorf("external is %d", firstElements(external))
	}
	return nil
}
