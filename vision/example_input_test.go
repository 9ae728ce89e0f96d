// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

func ExampleInput_Fill() {
	photo := image.NewRGBA(image.Rect(0, 0, 1920, 1080))
	in := vision.Input{Fit: vision.Letterbox, Pad: 114, Std: [3]float32{255, 255, 255}} // of YOLO models
	tensor, err := common.NewTensor(common.Float32, 1, 3, 640, 640)
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := in.Fill(tensor, nil, 0, photo)
	if err != nil {
		fmt.Println(err)
		return
	}
	// A model that finds something at 320,320 of its input has found it here.
	fmt.Println(back.Apply(vision.Point{X: 320, Y: 320}))
	// Output: {960 540}
}

// A face is turned and scaled so that its eyes are where the model expects them.
func ExampleSimilarity() {
	eyes := []vision.Point{{X: 400, Y: 300}, {X: 400, Y: 500}} // the head lies on its side
	wanted := []vision.Point{{X: 36, Y: 50}, {X: 76, Y: 50}}
	to := vision.Similarity(eyes, wanted)

	photo := image.NewRGBA(image.Rect(0, 0, 800, 800))
	tensor, err := common.NewTensor(common.Uint8, 1, 112, 112, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := (&vision.Input{}).FillWarped(tensor, nil, 0, photo, to); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.0f %.0f\n", to.Apply(eyes[0]), to.Apply(eyes[1]))
	// Output: {36 50} {76 50}
}

func ExampleDecode() {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewRGBA(image.Rect(0, 0, 40, 30))); err != nil {
		fmt.Println(err)
		return
	}
	img, format, err := vision.Decode(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(format, img.Bounds().Size())
	// Output: png (40,30)
}
