// SPDX-License-Identifier: Apache-2.0

package litert_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/tflite/litert"
)

// This example runs a model on the NPU where the library lists one, and on the CPU what the NPU cannot run.
func ExampleOptions() {
	engine, err := common.Open("litert", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	ctx := context.Background()
	devices, err := engine.Devices(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var o common.Options
	for _, d := range devices {
		if d.Name == "NPU" {
			o.Device = d.Name
			o.Native = litert.Options{Fallback: true}
		}
	}
	model, err := engine.Load(ctx, common.File("../../testdata/digits.tflite"), &o)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready to compute", model.Signatures()[0].Outputs[0].Name)
	// Output: ready to compute scores
}

// This example prints the operators of a model in the order in which TFLite's own kernels run them.
func ExampleKernels() {
	engine, err := common.Open("litert", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	model, err := engine.Load(context.Background(), common.File("../../testdata/digits.tflite"), &common.Options{
		Threads: 1,
		Profile: true,
		Native:  litert.Options{Kernels: litert.Builtin},
	})
	if err != nil {
		log.Fatal(err)
	}
	session, err := model.NewSession(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	if err := session.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	layers, err := session.Profile()
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range layers {
		fmt.Println(l.Type) // l.Duration is the operator's time
	}
	// Output:
	// CONV_2D
	// MAX_POOL_2D
	// CONV_2D
	// MAX_POOL_2D
	// RESHAPE
	// FULLY_CONNECTED
	// SOFTMAX
}

func TestMain(m *testing.M) { enginetest.Main(m, "litert") }
