// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/internal/enginetest"
	_ "github.com/anyinfer/anyinfer/openvino"
)

func TestConformance(t *testing.T) {
	suite := enginetest.Engine{Name: "openvino", Formats: []string{"openvino", "onnx", "tflite"}, Skip: map[string]string{
		"metadata/tflite/digits_int8":     "OpenVINO reads the integers and does not tell what they mean",
		"metadata/tflite/dtypes/bfloat16": "OpenVINO's TFLite frontend does not read bfloat16",
		"results/tflite/dtypes/bfloat16":  "OpenVINO's TFLite frontend does not read bfloat16",
	}}
	version := open(t).Info().Version
	if version < "2026.1" { // see model.read
		suite.Formats = suite.Formats[:2]
		suite.Skip["resources/engines"] = "2024.6 keeps 24 kB of each core that is freed; 2026.4 keeps nothing"
	}
	if !strings.HasPrefix(version, "2026.4.1-") {
		suite.Skip["reference"] = "the Python API is that of 2026.4.1"
	}
	enginetest.Run(t, suite)
}
