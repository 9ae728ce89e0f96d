// SPDX-License-Identifier: Apache-2.0

// Command read prints the lines of text in a photo, and writes where they are to read.json.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
	_ "github.com/anyinfer/anyinfer/openvino"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/ocr"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: read DETECTION ORIENTATION RECOGNITION PHOTO")
	}
	ctx := context.Background()
	var models [3]*common.Model
	for i := range models {
		var err error
		if models[i], err = common.Load(ctx, common.File(os.Args[1+i]), nil); err != nil {
			log.Fatal(err)
		}
		defer models[i].Close()
	}
	if err := read(ctx, models, os.Args[4]); err != nil {
		log.Fatal(err)
	}
}

func read(ctx context.Context, models [3]*common.Model, file string) (err error) {
	var reader ocr.Reader
	if reader.Detector, err = ocr.NewDetector(models[0]); err != nil {
		return err
	}
	if reader.Direction, err = ocr.NewDirection(models[1]); err != nil {
		return err
	}
	if reader.Recognizer, err = ocr.NewRecognizer(models[2]); err != nil {
		return err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	photo, _, err := vision.Decode(bytes.NewReader(data))
	if err != nil {
		return err
	}
	lines, err := reader.Read(ctx, photo)
	if err != nil {
		return err
	}
	for _, l := range lines {
		fmt.Println(l.Text)
	}
	text, err := json.MarshalIndent(lines, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile("read.json", append(text, '\n'), 0o644)
}
