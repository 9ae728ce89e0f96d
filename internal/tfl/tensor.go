// SPDX-License-Identifier: Apache-2.0

package tfl

import (
	"github.com/anyinfer/anyinfer/common"
)

// dtypes are the element types by TfLiteType (c_api_types.h). LiteRtElementType (litert_model_types.h) has the same
// numbers.
var dtypes = map[int32]common.DType{
	1: common.Float32, 2: common.Int32, 3: common.Uint8, 4: common.Int64, 6: common.Bool,
	7: common.Int16, 9: common.Int8, 10: common.Float16, 11: common.Float64,
	13: common.Uint64, 16: common.Uint32, 17: common.Uint16, 19: common.BFloat16,
}

// typeNames are the names, for messages, of types that package common does not have.
var typeNames = map[int32]string{
	0: "no type", 5: "string", 8: "complex64", 12: "complex128", 14: "resource", 15: "variant", 18: "int4",
}

// DType returns the type of an input or output from the libraries' number code.
func DType(tensor string, code int32) (common.DType, error) {
	if dt := dtypes[code]; dt != 0 {
		return dt, nil
	}
	return 0, Errorf(common.ErrModel, "tensor %q is of type %s (%d), which is not supported",
		tensor, typeNames[code], code)
}

// Resizable reports whether an input of shape s can get the shapes of r. A fixed last dimension cannot change, as
// weights lie along it: the libraries accept almost any shape, and detect weights that no longer fit late or never.
func Resizable(s common.Shape, r common.ShapeRange) bool {
	if len(r.Opt) != len(s) {
		return s == nil
	}
	last := len(s) - 1
	return last < 0 || s[last] < 0 || r.Min[last] == s[last] && r.Max[last] == s[last]
}
