// SPDX-License-Identifier: Apache-2.0

package tensorrt_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/tensorrt"
)

// The first time a plan is built, for batches of 1 to 32 images. The next time
// it is there.
func ExampleOptions() {
	dir, err := os.MkdirTemp("", "plans") // better one that stays
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	model, err := common.Load(context.Background(), common.File("../testdata/digits_dynamic.onnx"), &common.Options{
		CacheDir: dir,
		Shapes: map[string]common.ShapeRange{
			"image": {Min: common.Shape{1, 1, 8, 8}, Opt: common.Shape{8, 1, 8, 8}, Max: common.Shape{32, 1, 8, 8}},
		},
		Native: tensorrt.Options{WorkspaceBytes: 1 << 30, CUDAGraphs: true},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	images, err := common.NewTensor(common.Float32, 3, 1, 8, 8)
	if err != nil {
		log.Fatal(err)
	}
	out, err := model.Run(context.Background(), common.Tensors{"image": images})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Signatures()[0].Inputs[0].Shape, out["scores"].Shape())
	// Output: [? 1 8 8] [3 10]
}
