// SPDX-License-Identifier: Apache-2.0

package tensorrt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{
		Name: "tensorrt", Formats: []string{"onnx"}, Bounded: true, Threadless: true, Adapt: adapt,
		Without: map[string]string{
			"slow":           notInterrupted,
			"slow_small":     notInterrupted,
			"digits_qdq":     "it quantizes to uint8, TensorRT to int8 around 0",
			"dtypes/int16":   noType,
			"dtypes/uint16":  noType,
			"dtypes/uint32":  noType,
			"dtypes/uint64":  noType,
			"dtypes/float64": noType,
			"dtypes/int8":    quantized,
			"dtypes/uint8":   quantized,
		},
	})
}

const (
	notInterrupted = "it is for interrupting a Run, and a GPU finishes what it was given"

	noOperator = "the stand-in has no such operator"

	noType    = "TensorRT has no such type"
	quantized = "TensorRT has it for quantized values and casts, not for inputs of other layers"
)

// adapt leaves out what a release of TensorRT lacks.
func adapt(e *enginetest.Engine, version string) {
	e.Skip = map[string]string{}
	if strings.Contains(version, "standin") {
		e.Skip["big"] = noOperator
		e.Without["fivedim"] = noOperator
	}
	var major, minor int
	fmt.Sscanf(version, "%d.%d", &major, &minor)
	if major < 10 {
		e.Skip["log/quiet"] = "each build is announced at Info: this release reports no progress"
		for _, m := range []string{"dtypes/int64", "dtypes/bfloat16", "nonzero"} {
			e.Without[m] = "TensorRT has the type since 10"
		}
	}
	if major == 8 && minor < 5 {
		e.Without["nonzero_cast"] = "TensorRT has outputs whose shapes depend on values since 8.5"
	}
}
