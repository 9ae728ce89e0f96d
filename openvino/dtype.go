// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"fmt"

	"github.com/anyinfer/anyinfer/common"
)

// elementTypes has the values of ov_element_type_e since 2025.1. Before that there
// was a first value UNDEFINED, so every other value was larger by one.
var elementTypes = []struct {
	name  string
	dtype common.DType // 0: no such DType
}{
	{"dynamic", 0}, {"boolean", common.Bool}, {"bf16", common.BFloat16}, {"f16", common.Float16},
	{"f32", common.Float32}, {"f64", common.Float64},
	{"i4", 0}, {"i8", common.Int8}, {"i16", common.Int16}, {"i32", common.Int32}, {"i64", common.Int64},
	{"u1", 0}, {"u2", 0}, {"u3", 0}, {"u4", 0}, {"u6", 0},
	{"u8", common.Uint8}, {"u16", common.Uint16}, {"u32", common.Uint32}, {"u64", common.Uint64},
	{"nf4", 0}, {"f8e4m3", 0}, {"f8e5m2", 0}, {"string", 0}, {"f4e2m1", 0}, {"f8e8m0", 0},
}

// firstType returns the value of the first of elementTypes.
func (r release) firstType() int {
	if r.before(2025, 1) {
		return 1
	}
	return 0
}

// dtype returns the DType of an element type, 0 if there is none, and the type's
// name.
func (r release) dtype(code uint32) (common.DType, string) {
	i := int64(code) - int64(r.firstType())
	if i < 0 || i >= int64(len(elementTypes)) {
		return 0, fmt.Sprint("number ", code)
	}
	return elementTypes[i].dtype, elementTypes[i].name
}

// code returns the element type of a DType that dtype can return.
func (r release) code(dt common.DType) int { return r.firstType() + index(dt) }

func index(dt common.DType) int {
	for i, e := range elementTypes {
		if e.dtype == dt {
			return i
		}
	}
	return -1
}

// precision returns the DType for its name in properties, such as "f32"; 0 if there
// is none.
func precision(name string) common.DType {
	for _, e := range elementTypes {
		if e.name == name {
			return e.dtype
		}
	}
	return 0
}

// precisionName returns the name of a precision in properties.
func precisionName(dt common.DType) string { return elementTypes[index(dt)].name }
