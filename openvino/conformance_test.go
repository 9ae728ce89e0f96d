// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/enginetest"
	_ "github.com/anyinfer/anyinfer/openvino"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{Name: "openvino", Formats: []string{"openvino", "onnx", "tflite"}, Skip: map[string]string{
		"metadata/tflite/digits_int8":     "OpenVINO reads the integers and does not tell what they mean",
		"metadata/tflite/dtypes/bfloat16": "OpenVINO's TFLite frontend does not read bfloat16",
		"results/tflite/dtypes/bfloat16":  "OpenVINO's TFLite frontend does not read bfloat16",
	}})
}
