// SPDX-License-Identifier: Apache-2.0

package onnxruntime_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/onnxruntime"
)

// A handwritten digit.
func Example() {
	ctx := context.Background()
	engine, err := common.Open("onnxruntime", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	model, err := engine.Load(ctx, common.File("../testdata/digits.onnx"), nil)
	if err != nil {
		log.Fatal(err)
	}
	image, err := common.FromSlice([]float32{
		0, 0, .6, .4, 0, 0, 0, 0,
		0, 0, .6, .7, 0, 0, 0, 0,
		0, 0, .9, .3, 0, 0, 0, 0,
		0, .1, 1, .1, 0, 0, 0, 0,
		0, .3, 1, .5, .9, .6, 0, 0,
		0, .3, 1, .9, .5, .6, .6, 0,
		0, .2, 1, .1, 0, .4, .7, 0,
		0, 0, .4, .9, 1, .8, .1, 0,
	}, 1, 1, 8, 8)
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
	for digit, score := range scores {
		if score > 0.5 {
			fmt.Println("it is a", digit)
		}
	}
	// Output: it is a 6
}

// A Session that does not spend time on optimizations, and gives memory back after
// each Run.
func ExampleOptions() {
	engine, err := common.Open("onnxruntime", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	model, err := engine.Load(context.Background(), common.File("../testdata/digits.onnx"), &common.Options{
		Native: onnxruntime.Options{
			Optimization: "basic",
			Config:       map[string]string{"session.disable_prepacking": "1"},
			RunConfig:    map[string]string{"memory.enable_memory_arena_shrinkage": "cpu:0"},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Signatures()[0].Inputs[0].Name)
	// Output: image
}

// A library with an execution provider, which adds devices.
func ExampleConfig() {
	_, err := common.Open("onnxruntime", &common.Config{
		Native: onnxruntime.Config{
			ProviderLibraries: map[string]string{"webgpu": "/opt/webgpu/libonnxruntime_providers_webgpu.so"},
		},
	})
	fmt.Println("usable:", err == nil) // the library is not installed here
	// Output: usable: false
}

func TestMain(m *testing.M) { enginetest.Main(m, "onnxruntime") }
