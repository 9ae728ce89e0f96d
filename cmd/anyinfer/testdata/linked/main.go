// SPDX-License-Identifier: Apache-2.0

// Command linked is a user's program. Its arguments are pairs of an engine
// and a model: it runs them, and prints the engine, its library and the
// index of the largest output.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"

	_ "github.com/anyinfer/anyinfer/cinclude/reference"
	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/mnn"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
	_ "github.com/anyinfer/anyinfer/openvino"
	_ "github.com/anyinfer/anyinfer/tensorrt"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tnn"
)

func main() {
	for args := os.Args[1:]; len(args) > 1; args = args[2:] {
		if err := run(args[0], args[1]); err != nil {
			log.Fatal(err)
		}
	}
}

func run(name, file string) error {
	e, err := common.Open(name, nil)
	if err != nil {
		return err
	}
	defer e.Close()
	m, err := e.Load(context.Background(), common.File(file), nil)
	if err != nil {
		return err
	}
	s, err := m.NewSession(context.Background(), "")
	if err != nil {
		return err
	}
	in, err := common.Data[float32](s.Input(0))
	if err != nil {
		return err
	}
	for i := range in {
		in[i] = float32(i%17) / 16
	}
	if err := s.Run(context.Background()); err != nil {
		return err
	}
	out, err := common.Data[float32](s.Output(0))
	if err != nil {
		return err
	}
	fmt.Println(name, e.Info().Library, slices.Index(out, slices.Max(out)))
	return nil
}
