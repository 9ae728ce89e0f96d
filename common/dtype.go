// SPDX-License-Identifier: Apache-2.0

package common

import "reflect"

// DType is the type of a tensor's elements. The zero DType is no type: it stands
// for "not set".
type DType uint8

// The element types. Every multi-byte element is in the machine's byte order.
const (
	Bool DType = iota + 1 // one byte, 0 or 1
	Int8
	Int16
	Int32
	Int64
	Uint8
	Uint16
	Uint32
	Uint64
	Float16  // IEEE 754 binary16, held as a Half
	BFloat16 // the upper half of a float32, held as a BHalf
	Float32
	Float64
	String // Go strings; such a tensor has no bytes
)

var dtypes = [...]struct {
	name string
	size int
}{
	Bool: {"bool", 1},
	Int8: {"int8", 1}, Int16: {"int16", 2}, Int32: {"int32", 4}, Int64: {"int64", 8},
	Uint8: {"uint8", 1}, Uint16: {"uint16", 2}, Uint32: {"uint32", 4}, Uint64: {"uint64", 8},
	Float16: {"float16", 2}, BFloat16: {"bfloat16", 2}, Float32: {"float32", 4}, Float64: {"float64", 8},
	String: {"string", 0},
}

// Valid reports whether d is one of the constants.
func (d DType) Valid() bool { return d >= Bool && d <= String }

// Size returns the number of bytes of an element; 0 for String and invalid types.
func (d DType) Size() int {
	if !d.Valid() {
		return 0
	}
	return dtypes[d].size
}

// String returns the name in lower case, such as "float32".
func (d DType) String() string {
	if !d.Valid() {
		return "unknown"
	}
	return dtypes[d].name
}

// ParseDType returns the DType of that name, or an error that wraps ErrDType.
func ParseDType(name string) (DType, error) {
	for d := Bool; d <= String; d++ {
		if dtypes[d].name == name {
			return d, nil
		}
	}
	return 0, inputError(ErrDType, "unknown dtype %q; known: bool, int8..int64, uint8..uint64, float16, bfloat16, float32, float64, string", name)
}

// Elem lists the Go types of elements, one for each DType.
type Elem interface {
	bool | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | Half | BHalf | float32 | float64 | string
}

// DTypeOf returns the DType of elements of Go type T.
func DTypeOf[T Elem]() DType {
	var zero T
	switch any(zero).(type) {
	case Half:
		return Float16
	case BHalf:
		return BFloat16
	}
	return kinds[reflect.TypeFor[T]().Kind()]
}

var kinds = map[reflect.Kind]DType{
	reflect.Bool: Bool,
	reflect.Int8: Int8, reflect.Int16: Int16, reflect.Int32: Int32, reflect.Int64: Int64,
	reflect.Uint8: Uint8, reflect.Uint16: Uint16, reflect.Uint32: Uint32, reflect.Uint64: Uint64,
	reflect.Float32: Float32, reflect.Float64: Float64, reflect.String: String,
}
