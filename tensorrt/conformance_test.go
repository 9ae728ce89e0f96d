// SPDX-License-Identifier: Apache-2.0

package tensorrt_test

import (
	"fmt"
	"testing"

	"github.com/anyinfer/anyinfer/internal/enginetest"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{
		Name: "tensorrt", Formats: []string{"onnx"}, Bounded: true,
		Skip:  map[string]string{"options/threads": "a GPU has no threads to be counted; the option is refused"},
		Adapt: adapt,
	})
}

// adapt leaves out what a release of TensorRT lacks.
func adapt(e *enginetest.Engine, version string) {
	var major, minor int
	fmt.Sscanf(version, "%d.%d", &major, &minor)
	skip := func(reason string, models ...string) {
		for _, m := range models {
			for _, group := range []string{"metadata", "results"} {
				e.Skip[group+"/onnx/"+m] = reason
			}
		}
	}
	skip("TensorRT has no such type", "dtypes/int16", "dtypes/uint16", "dtypes/uint32", "dtypes/uint64", "dtypes/float64")
	skip("TensorRT has int8 and uint8 as quantized values and at casts, not as inputs of other layers", "dtypes/int8", "dtypes/uint8")
	if major < 10 {
		skip("TensorRT has it since 10", "dtypes/int64", "dtypes/bfloat16", "nonzero")
	}
	if major == 8 && minor < 5 {
		skip("TensorRT has outputs whose shapes depend on values since 8.5", "nonzero", "nonzero_cast")
		for n := range 3 {
			e.Skip[fmt.Sprintf("concurrency/nonzero_cast, %d sessions", 1<<n)] = "TensorRT has outputs whose shapes depend on values since 8.5"
		}
	}
}
