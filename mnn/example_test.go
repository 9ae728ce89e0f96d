// SPDX-License-Identifier: Apache-2.0

package mnn_test

import (
	"context"
	"fmt"
	"log"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/mnn"
)

// A phone that is to stay cool runs on its slow cores.
func ExampleOptions() {
	model, err := common.Load(context.Background(), common.File("../testdata/digits.mnn"), &common.Options{
		Native: mnn.Options{Power: mnn.Low},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	power, err := model.Property("power")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Engine().Name, power)
	// Output: mnn low
}

// MNN's converter writes 1 for a batch of any size. Shapes frees it again.
func Example_batch() {
	model, err := common.Load(context.Background(), common.File("../testdata/digits.mnn"), &common.Options{
		Shapes: map[string]common.ShapeRange{
			"image": {Min: common.Shape{1, 1, 8, 8}, Opt: common.Shape{16, 1, 8, 8}, Max: common.Shape{64, 1, 8, 8}},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	images, err := common.NewTensor(common.Float32, 32, 1, 8, 8)
	if err != nil {
		log.Fatal(err)
	}
	out, err := model.Run(context.Background(), common.Tensors{"image": images})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Signatures()[0].Inputs[0].Shape, out["scores"].Shape())
	// Output: [? 1 8 8] [32 10]
}

// Weights that the converter stored in 8 bits can stay so while a model runs.
func ExampleMode() {
	model, err := common.Load(context.Background(), common.File("../testdata/digits_w8.mnn"), &common.Options{
		Native: mnn.Options{Memory: mnn.Low},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	memory, err := model.Property("memory")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(memory)
	// Output: low
}
