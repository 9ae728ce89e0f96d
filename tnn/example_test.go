// SPDX-License-Identifier: Apache-2.0

package tnn_test

import (
	"context"
	"fmt"
	"log"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/tnn"
)

// A TNN file has fixed shapes. Shapes makes dimensions dynamic.
func Example_batch() {
	model, err := common.Load(context.Background(), common.File("../testdata/digits.tnnproto"), &common.Options{
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
