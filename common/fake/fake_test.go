// SPDX-License-Identifier: Apache-2.0

package fake_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

// A program's tests need no SDK: this engine doubles numbers.
func Example() {
	vector := func(name string) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: common.Shape{2}}}
	}
	engine := &fake.Engine{
		Name: "double", Formats: []string{"onnx"},
		Signatures: []common.Signature{{Inputs: vector("x"), Outputs: vector("y")}},
		Run: func(_ context.Context, _ int, in, out []*common.Tensor) error {
			x, _ := common.Data[float32](in[0])
			y, _ := common.Data[float32](out[0])
			for i := range x {
				y[i] = 2 * x[i]
			}
			return nil
		},
	}
	engine.Register()

	model, err := common.Load(context.Background(), common.Bytes([]byte("any")).As("onnx"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	x, _ := common.FromSlice([]float32{3, 4})
	out, err := model.Run(context.Background(), common.Tensors{"x": x})
	if err != nil {
		fmt.Println(err)
		return
	}
	y, _ := common.Data[float32](out["y"])
	fmt.Println(y, engine.Live())
	model.Close()
	fmt.Println(engine.Live())
	// Output:
	// [6 8] 3
	// 0
}

func TestRefuse(t *testing.T) {
	e := &fake.Engine{Name: "refuse", Load: func(files *common.ModelFiles, o common.Options) error {
		require.Equal(t, 3, o.Threads)
		return &common.Error{Kind: common.ErrModel, Message: "no " + files.Format()}
	}}
	e.Register()
	engine, err := common.Open("refuse", nil)
	require.NoError(t, err)
	require.Equal(t, "refuse", engine.Info().Name)
	_, err = engine.Load(context.Background(), common.Bytes([]byte("m")).As("tnn"), &common.Options{Threads: 3})
	require.ErrorIs(t, err, common.ErrModel)
	require.EqualError(t, err, "refuse: load: model not usable: no tnn")
	require.NoError(t, engine.Close())
	require.Zero(t, e.Live())
}
