// SPDX-License-Identifier: Apache-2.0

// Command quickstart loads a model, runs it once and prints the answer.
package main

import (
	"context"
	"fmt"
	"log"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/openvino"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tflite/litert"
)

var pixels = []float32{ // a handwritten digit: 1 is ink
	0, 0, 0, 0, 1, 0, 0, 0,
	0, 0, 0, 1, 0, 0, 0, 0,
	0, 0, 1, 0, 0, 1, 0, 0,
	0, 1, 1, 0, 0, 1, 1, 0,
	0, 1, 1, 1, 1, 1, 0, 0,
	0, 0, 0, 0, 1, 1, 0, 0,
	0, 0, 0, 1, 1, 0, 0, 0,
	0, 0, 0, 1, 1, 0, 0, 0,
}

func main() {
	ctx := context.Background()
	model, err := common.Load(ctx, common.File("testdata/digits.tflite"), nil) // the first ready engine that reads it
	if err != nil {
		log.Fatal(err) // names the missing library, the places searched and the install command
	}
	defer model.Close()
	image, err := common.FromSlice(pixels, 1, 8, 8, 1) // shares the slice
	if err != nil {
		log.Fatal(err)
	}
	out, err := model.Run(ctx, common.Tensors{"image": image})
	if err != nil {
		log.Fatal(err)
	}
	scores, err := common.Get[float32](out, "scores")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("This is a", slices.Index(scores, slices.Max(scores)))
}
