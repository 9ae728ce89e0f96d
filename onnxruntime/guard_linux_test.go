// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
)

// TestNothingBehindTensors: ONNX Runtime neither reads nor writes behind a tensor,
// which is why the engine is registered with UnpaddedTensors.
func TestNothingBehindTensors(t *testing.T) {
	e, o := enginetest.Open(t, engine, nil), &common.Options{Threads: 1}
	one := common.Shape{1, 1, 8, 8}
	enginetest.NothingBehind(t, enginetest.Load(t, e, file("digits.onnx"), o), one)
	enginetest.NothingBehind(t, enginetest.Load(t, e, file("digits_qdq.onnx"), o), one)
	enginetest.NothingBehind(t, enginetest.Load(t, e, file("digits_dynamic.onnx"), o), one, common.Shape{3, 1, 8, 8}, common.Shape{17, 1, 8, 8})
}
