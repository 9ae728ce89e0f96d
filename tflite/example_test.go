// SPDX-License-Identifier: Apache-2.0

package tflite_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/tflite"
)

// This example recognizes a handwritten digit with an int8 model. The signature has the scale and the zero point of its
// integers.
func Example() {
	ctx := context.Background()
	engine, err := common.Open("tflite", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	model, err := engine.Load(ctx, common.File("../testdata/digits_int8.tflite"), nil)
	if err != nil {
		log.Fatal(err)
	}
	pixels := []float32{
		0, 0, .6, .4, 0, 0, 0, 0,
		0, 0, .6, .7, 0, 0, 0, 0,
		0, 0, .9, .3, 0, 0, 0, 0,
		0, .1, 1, .1, 0, 0, 0, 0,
		0, .3, 1, .5, .9, .6, 0, 0,
		0, .3, 1, .9, .5, .6, .6, 0,
		0, .2, 1, .1, 0, .4, .7, 0,
		0, 0, .4, .9, 1, .8, .1, 0,
	}
	signature := model.Signatures()[0]
	in, out := signature.Inputs[0], signature.Outputs[0]
	image, err := common.NewTensor(in.DType, in.Shape...)
	if err != nil {
		log.Fatal(err)
	}
	if err := in.Quant.Quantize(image, pixels); err != nil {
		log.Fatal(err)
	}
	result, err := model.Run(ctx, common.Tensors{in.Name: image})
	if err != nil {
		log.Fatal(err)
	}
	scores := make([]float32, result[out.Name].Len())
	if err := out.Quant.Dequantize(scores, result[out.Name]); err != nil {
		log.Fatal(err)
	}
	for digit, score := range scores {
		if score > 0.5 {
			fmt.Println("it is a", digit)
		}
	}
	// Output: it is a 6
}

// This example uses TFLite's own kernels, as a program does that must interrupt a model quickly.
func ExampleOptions() {
	engine, err := common.Open("tflite", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	model, err := engine.Load(context.Background(), common.File("../testdata/digits.tflite"), &common.Options{
		Threads: 1,
		Native:  tflite.Options{NoXNNPACK: true},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("delegates:", len(model.Info().Details["delegates"]))
	// Output: delegates: 0
}

func TestMain(m *testing.M) { enginetest.Main(m, "tflite") }
