// SPDX-License-Identifier: Apache-2.0

// Command detect prints what a model finds in a photo, and draws it into detect.png.
package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"log"
	"os"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/mnn"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
	_ "github.com/anyinfer/anyinfer/openvino"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tflite/litert"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/overlay"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: detect MODEL PHOTO")
	}
	ctx := context.Background()
	model, err := common.Load(ctx, common.File(os.Args[1]), nil) // the first ready engine that reads it
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	detector, err := vision.NewDetector(model)
	if err != nil {
		log.Fatal(err)
	}
	data, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	photo, _, err := vision.Decode(bytes.NewReader(data))
	if err != nil {
		log.Fatal(err)
	}
	found, err := detector.Detect(ctx, photo)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range found {
		fmt.Printf("%s %.0f%% at %v\n", d.Label, 100*d.Score, d.Rect.Image())
	}
	picture := overlay.Copy(photo)
	overlay.Draw(picture, found, nil)
	file, err := os.Create("detect.png")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	if err := png.Encode(file, picture); err != nil {
		log.Fatal(err)
	}
}
