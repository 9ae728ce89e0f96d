// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

// The words that the program's files use.
var (
	fits    = map[string]vision.Fit{"stretch": vision.Stretch, "letterbox": vision.Letterbox, "crop": vision.Crop}
	filters = map[string]vision.Filter{"linear": vision.Linear, "antialias": vision.Smooth, "bicubic": vision.SmoothCubic}
	layouts = map[string]vision.Layout{"NCHW": vision.NCHW, "NHWC": vision.NHWC}
)

// A program reads from a file how a model wants its pictures.
func Example_recipe() {
	var r struct {
		Fit, Resample, Layout string
		Mean, Std             [3]float32
	}
	if err := json.Unmarshal([]byte(`{
		"fit": "crop", "resample": "antialias", "layout": "NCHW",
		"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]
	}`), &r); err != nil {
		fmt.Println(err)
		return
	}
	in := vision.Input{Fit: fits[r.Fit], Short: 256, Filter: filters[r.Resample], Mean: r.Mean, Std: r.Std, Layout: layouts[r.Layout]}

	photo := image.NewGray(image.Rect(0, 0, 640, 480))
	photo.SetGray(320, 240, color.Gray{Y: 255})
	tensor, err := common.NewTensor(common.Float32, 1, 3, 224, 224)
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := in.Fill(tensor, nil, 0, photo)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("the input shows the photo from %.0f to %.0f\n", back.Apply(vision.Point{}), back.Apply(vision.Point{X: 224, Y: 224}))
	// Output: the input shows the photo from {109 30} to {529 450}
}
