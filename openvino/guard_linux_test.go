// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
)

// TestNothingBehindTensors: OpenVINO neither reads nor writes behind a tensor,
// which is why the engine is registered with UnpaddedTensors.
func TestNothingBehindTensors(t *testing.T) {
	e, o := open(t), &common.Options{Threads: 1}
	one := common.Shape{1, 1, 8, 8}
	enginetest.NothingBehind(t, load(t, e, file("digits.xml"), o), one)
	enginetest.NothingBehind(t, load(t, e, file("digits_qdq.xml"), o), one)
	enginetest.NothingBehind(t, load(t, e, file("digits_dynamic.onnx"), o), one, common.Shape{3, 1, 8, 8}, common.Shape{17, 1, 8, 8})
}
