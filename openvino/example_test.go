// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/openvino"
)

// A handwritten digit.
func Example() {
	ctx := context.Background()
	engine, err := common.Open("openvino", nil)
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

// Tuned for throughput, with a setting of OpenVINO's own.
func ExampleOptions() {
	engine, err := common.Open("openvino", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	model, err := engine.Load(context.Background(), common.File("../testdata/digits.onnx"), &common.Options{
		Native: openvino.Options{
			Hint:       "throughput",
			Streams:    1,
			Properties: map[string]string{"INFERENCE_NUM_THREADS": "1"},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"PERFORMANCE_HINT", "NUM_STREAMS", "INFERENCE_NUM_THREADS"} {
		value, err := model.Property(key)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(key, value)
	}
	// Output:
	// PERFORMANCE_HINT THROUGHPUT
	// NUM_STREAMS 1
	// INFERENCE_NUM_THREADS 1
}

func TestMain(m *testing.M) { enginetest.Main(m, "openvino") }
