// SPDX-License-Identifier: Apache-2.0

package onnxruntime_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{
		Name: "onnxruntime", Formats: []string{"onnx"},
		// The file, Protocol Buffers' copy of it and the tensors.
		Memory: map[string]float64{"onnx": 3.1, "onnx-external": 3.1}, Skip: map[string]string{}, Without: map[string]string{},
		Adapt: func(e *enginetest.Engine, version string) {
			if version < "1.24" {
				e.Skip["metadata/onnx/scalar"] = "releases before 1.24 do not tell a scalar from a tensor of any rank"
			}
			if version < "1.18" {
				e.Skip["big/onnx-external"] = "external data needs 1.18"
			}
		},
	})
}
