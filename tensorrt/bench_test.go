// SPDX-License-Identifier: Apache-2.0

package tensorrt_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/enginebench"
)

var digits = enginebench.Case{Engine: "tensorrt", Model: models + "digits.onnx"}

func BenchmarkModel(b *testing.B) { enginebench.Model(b, digits) }
