// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/headercheck"
	"github.com/anyinfer/anyinfer/internal/tfl"
	"github.com/stretchr/testify/require"
)

func TestHeaders(t *testing.T) {
	const headers, noXNN = "tensorflow/lite/core/c/c_api", "no package carries xnnpack_delegate.h"
	c := headercheck.Check{
		Dir:     headercheck.TFLite(t),
		Headers: []string{headers + ".h", headers + "_opaque.h", headers + "_experimental.h"},
		Table:   table,
		Values: map[string]int64{
			"kTfLiteOk": 0, "kTfLiteDynamic": allocationDynamic, "kTfLiteArenaRwPersistent": allocationPersistent,
		},
		Structs: []headercheck.Struct{
			{C: "TfLiteCustomAllocation", Go: customAllocation{}, Members: "data bytes"},
			{C: "TfLiteTensor", Go: tensorHead{}, Members: "type data dims params allocation_type", Begins: true},
		},
		Uncovered: map[string]string{
			"TfLiteXNNPackDelegateOptionsDefault": noXNN,
			"TfLiteXNNPackDelegateCreate":         noXNN,
			"TfLiteXNNPackDelegateDelete":         noXNN,
		},
	}
	types := map[common.DType]string{
		common.Bool: "Bool", common.Int8: "Int8", common.Int16: "Int16", common.Int32: "Int32", common.Int64: "Int64",
		common.Uint8: "UInt8", common.Uint16: "UInt16", common.Uint32: "UInt32", common.Uint64: "UInt64",
		common.Float16: "Float16", common.BFloat16: "BFloat16", common.Float32: "Float32", common.Float64: "Float64",
		common.String: "String",
	}
	for code := range int32(64) {
		if dt, err := tfl.DType("", code); err == nil {
			require.Contains(t, types, dt)
			c.Values["kTfLite"+types[dt]] = int64(code)
		}
	}
	headercheck.Run(t, c)
}
