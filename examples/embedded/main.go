// SPDX-License-Identifier: Apache-2.0

// Command embedded has its model in the binary, as goes onto a small board.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"log"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/tflite"
)

// 8-bit integers, as small processors like them: less than half the size.
//
//go:embed digits_int8.tflite
var digits []byte

// What the board's camera sees: 1 is ink.
var picture = []float64{
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
	model, err := common.Load(ctx, common.Bytes(digits), &common.Options{Threads: 1}) // the quickest for so small a model
	if err != nil {
		return err
	}
	defer model.Close()
	session, err := model.NewSession(ctx, "")
	if err != nil {
		return err
	}
	pixels, err := common.Data[int8](session.Input(0))
	if err != nil {
		return err
	}
	sig := session.Signature()
	quantize(pixels, picture, sig.Inputs[0].Quant)
	if err := session.Run(ctx); err != nil {
		return err
	}
	scores, err := common.Data[int8](session.Output(0))
	if err != nil {
		return err
	}
	digit := slices.Index(scores, slices.Max(scores))
	q := sig.Outputs[0].Quant
	fmt.Printf("This is a %d, with %.0f %% confidence.\n", digit, 100*q.Scale[0]*float32(int64(scores[digit])-q.ZeroPoint[0]))
	return nil
}

// quantize writes numbers as q stores them.
func quantize(stored []int8, numbers []float64, q *common.Quantization) {
	for i, v := range numbers {
		n := math.Round(v/float64(q.Scale[0])) + float64(q.ZeroPoint[0])
		stored[i] = int8(min(max(n, math.MinInt8), math.MaxInt8))
	}
}
