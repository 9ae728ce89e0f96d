// SPDX-License-Identifier: Apache-2.0

package onnxruntime_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginebench"
)

var (
	digits  = enginebench.Case{Engine: "onnxruntime", Model: "../testdata/digits.onnx"}
	dynamic = enginebench.Case{
		Engine: "onnxruntime", Model: "../testdata/digits_dynamic.onnx", Shape: common.Shape{1, 1, 8, 8}, Args: []string{"fetch"},
	}
)

func BenchmarkSession(b *testing.B) { enginebench.Session(b, digits) }

// BenchmarkFetch runs a model whose output is copied from a tensor that ONNX Runtime
// makes in each Run.
func BenchmarkFetch(b *testing.B) { enginebench.Session(b, dynamic) }
func BenchmarkModel(b *testing.B) { enginebench.Model(b, digits) }
