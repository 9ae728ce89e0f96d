// SPDX-License-Identifier: Apache-2.0

package onnxruntime_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{Name: "onnxruntime", Formats: []string{"onnx"}})
}
