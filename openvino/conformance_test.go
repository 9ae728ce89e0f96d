// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	_ "github.com/anyinfer/anyinfer/openvino"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{
		Name: "openvino", Memory: map[string]float64{"onnx": 2.1, "tflite": 2.1}, Formats: []string{"openvino", "onnx", "tflite"},
		Skip: map[string]string{
			"metadata/tflite/digits_int8":     "OpenVINO reads the integers and does not tell what they mean",
			"metadata/tflite/dtypes/bfloat16": "OpenVINO's TFLite frontend does not read bfloat16",
			"results/tflite/dtypes/bfloat16":  "OpenVINO's TFLite frontend does not read bfloat16",
		},
		Without: map[string]string{"tflite/accumulator": "OpenVINO's TFLite frontend does not read resource variables"},
		Adapt: func(e *enginetest.Engine, version string) {
			if version < "2025" { // see release.mapsByCore
				e.Memory["onnx-external"] = 2.1
			}
			if version < "2026.1" { // see model.readTFLite
				e.Formats = e.Formats[:2]
				e.Skip["resources/engines"] = "2024.6 keeps 24 kB of each core that is freed; 2026.4 keeps nothing"
			}
			if !strings.HasPrefix(version, "2026.4.1-") {
				e.Skip["reference"] = "the Python API is that of 2026.4.1"
			}
		},
	})
}
