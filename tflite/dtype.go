// SPDX-License-Identifier: Apache-2.0

package tflite

import "github.com/anyinfer/anyinfer/common"

// dtypes by TfLiteType, in c_api_types.h.
var dtypes = map[int32]common.DType{
	1: common.Float32, 2: common.Int32, 3: common.Uint8, 4: common.Int64, 6: common.Bool,
	7: common.Int16, 9: common.Int8, 10: common.Float16, 11: common.Float64,
	13: common.Uint64, 16: common.Uint32, 17: common.Uint16, 19: common.BFloat16,
}

// typeNames of TfLiteTypes that are no DType here, for messages.
var typeNames = map[int32]string{
	0: "no type", 5: "string", 8: "complex64", 12: "complex128", 14: "resource", 15: "variant", 18: "int4",
}
