// SPDX-License-Identifier: Apache-2.0

// Command cutout cuts the person out of a photo, into cutout.png.
package main

import (
	"bytes"
	"context"
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
		log.Fatal("usage: cutout MODEL PHOTO")
	}
	ctx := context.Background()
	model, err := common.Load(ctx, common.File(os.Args[1]), nil) // the first ready engine that reads it
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	matter, err := vision.NewMatter(model)
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
	matte, err := matter.Matte(ctx, photo) // how much of each pixel is of the person
	if err != nil {
		log.Fatal(err)
	}
	picture := overlay.Copy(photo)
	overlay.Cutout(picture, matte, nil) // nil: a transparent background
	file, err := os.Create("cutout.png")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	if err := png.Encode(file, picture); err != nil {
		log.Fatal(err)
	}
}
