// SPDX-License-Identifier: Apache-2.0

// Command embedded contains its model in the binary, as programs for small boards do.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"log"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/tflite"
)

// digits is a model of 8-bit integers, which suit small processors: it has less than
// half the size of the float model.
//
//go:embed digits_int8.tflite
var digits []byte

// picture is the image of the board's camera: 1 is ink.
var picture = []float32{
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
	log.SetFlags(0)
	log.SetPrefix("embedded: ")
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	model, err := common.Load(ctx, common.Bytes(digits), &common.Options{Threads: 1}) // one thread is fastest for such a small model
	if err != nil {
		return err
	}
	defer model.Close()
	session, err := model.NewSession(ctx, "")
	if err != nil {
		return err
	}
	sig := session.Signature()
	if err := sig.Inputs[0].Quant.Quantize(session.Input(0), picture); err != nil {
		return err
	}
	if err := session.Run(ctx); err != nil {
		return err
	}
	scores := make([]float32, 10)
	if err := sig.Outputs[0].Quant.Dequantize(scores, session.Output(0)); err != nil {
		return err
	}
	digit := slices.Index(scores, slices.Max(scores))
	fmt.Printf("This is a %d, with %.0f %% confidence.\n", digit, 100*scores[digit])
	return nil
}
