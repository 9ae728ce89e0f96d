// SPDX-License-Identifier: Apache-2.0

package fake_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

// A program's tests need no SDK: this model doubles numbers.
func Example() {
	vector := func(name string) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: common.Shape{2}}}
	}
	signature := common.Signature{Inputs: vector("x"), Outputs: vector("y")}
	model := fake.NewModel(signature, nil, func(_ context.Context, in common.Tensors) (common.Tensors, error) {
		x, err := common.Get[float32](in, "x")
		if err != nil {
			return nil, err
		}
		y, err := common.FromSlice([]float32{2 * x[0], 2 * x[1]})
		return common.Tensors{"y": y}, err
	})
	defer model.Close()

	x, err := common.FromSlice([]float32{3, 4})
	if err != nil {
		log.Fatal(err)
	}
	out, err := model.Run(context.Background(), common.Tensors{"x": x})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(common.Get[float32](out, "y"))
	// Output: [6 8] <nil>
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
