// SPDX-License-Identifier: Apache-2.0

package fake_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
)

// A test of a program's time limit: the Run of this engine ends only when it is
// cancelled.
func ExampleEngine() {
	scalar := func(name string) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: common.Shape{}}}
	}
	stuck := &fake.Engine{
		Name: "stuck", Formats: []common.Format{{Name: "onnx"}},
		Signatures: []common.Signature{{Inputs: scalar("x"), Outputs: scalar("y")}},
		Run: func(ctx context.Context, _ int, in, out []*common.Tensor) error {
			<-ctx.Done()
			return &common.Error{Kind: common.ErrRun, Message: "interrupted"}
		},
	}
	stuck.Register()

	engine, err := common.Open("stuck", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	model, err := engine.Load(context.Background(), common.Bytes([]byte("any")), nil)
	if err != nil {
		log.Fatal(err)
	}
	x, err := common.NewTensor(common.Float32)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = model.Run(ctx, common.Tensors{"x": x})
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}
