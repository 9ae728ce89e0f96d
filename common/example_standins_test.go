// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/anyinfer/anyinfer/internal/formats"
)

// The examples open engines by the names that a program would use, but run without
// any SDK: these two stand-ins take the place of the engines. They have the inputs
// and outputs of the models that the examples load.
func init() {
	digits := &fake.Engine{
		Name: "openvino", Formats: []common.Format{formats.OpenVINO, formats.ONNX, formats.TNN},
		Signatures: []common.Signature{{
			Inputs:  []common.TensorInfo{{Name: "image", DType: common.Float32, Shape: common.Shape{1, 1, 8, 8}}},
			Outputs: []common.TensorInfo{{Name: "scores", DType: common.Float32, Shape: common.Shape{1, 10}}},
		}},
		Load: func(_ *common.ModelFiles, o common.Options) error {
			if o.Precision != 0 && o.Precision != common.Float32 {
				return &common.Error{Kind: common.ErrOption, Message: "Precision " + o.Precision.String() + " is not supported"}
			}
			return nil
		},
		Run: func(_ context.Context, _ int, in, out []*common.Tensor) error {
			image, _ := common.Data[float32](in[0])
			scores, _ := common.Data[float32](out[0])
			clear(scores)
			lit := 0
			for _, v := range image {
				if v > 0 {
					lit++
				}
			}
			scores[lit%10] = 1
			return nil
		},
	}
	digits.Register()

	size := common.Shape{1, -1, -1, 1}
	edges := &fake.Engine{
		Name: "tflite", Formats: []common.Format{formats.TFLite},
		Signatures: []common.Signature{{
			Inputs:  []common.TensorInfo{{Name: "image", DType: common.Float32, Shape: size}},
			Outputs: []common.TensorInfo{{Name: "edges", DType: common.Float32, Shape: size}},
		}},
		Run: func(_ context.Context, _ int, in, out []*common.Tensor) error {
			out[0] = in[0].Clone()
			return nil
		},
	}
	edges.Register()
}
