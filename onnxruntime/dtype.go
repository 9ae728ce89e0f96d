// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"fmt"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// elementTypes has the values of ONNXTensorElementDataType, which are those of
// ONNX's TensorProto.DataType.
var elementTypes = []struct {
	name  string
	dtype common.DType // 0: no such DType
}{
	{"undefined", 0}, {"float", common.Float32}, {"uint8", common.Uint8}, {"int8", common.Int8}, {"uint16", common.Uint16},
	{"int16", common.Int16}, {"int32", common.Int32}, {"int64", common.Int64}, {"string", common.String}, {"bool", common.Bool},
	{"float16", common.Float16}, {"double", common.Float64}, {"uint32", common.Uint32}, {"uint64", common.Uint64},
	{"complex64", 0}, {"complex128", 0}, {"bfloat16", common.BFloat16},
	{"float8e4m3fn", 0}, {"float8e4m3fnuz", 0}, {"float8e5m2", 0}, {"float8e5m2fnuz", 0}, {"uint4", 0}, {"int4", 0}, {"float4e2m1", 0},
	{"uint2", 0}, {"int2", 0},
}

// dtype returns the DType of an element type, 0 if there is none, and the type's
// name.
func dtype(code int) (common.DType, string) {
	if code < 0 || code >= len(elementTypes) {
		return 0, fmt.Sprint("number ", code)
	}
	return elementTypes[code].dtype, elementTypes[code].name
}

// codes has the element type of each DType.
var codes = func() (codes [common.String + 1]int) {
	for dt := range codes {
		codes[dt] = slices.IndexFunc(elementTypes, func(e struct {
			name  string
			dtype common.DType
		}) bool {
			return e.dtype == common.DType(dt)
		})
	}
	return codes
}()
