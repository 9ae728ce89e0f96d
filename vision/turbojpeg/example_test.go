// SPDX-License-Identifier: Apache-2.0

package turbojpeg_test

import (
	"fmt"
	"image"
	"os"

	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/turbojpeg"
)

// A photo of 4000 x 3000 is decoded at 1/4 of its size for a model that takes 640 x 640.
func ExampleOptions() {
	decode := func(name string) (image.Image, error) {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		// What is found in the picture is scale times as far from the left and the top in the file's.
		img, scale, err := turbojpeg.Decode(file, &turbojpeg.Options{Size: image.Pt(640, 640), Fit: vision.Letterbox})
		fmt.Println(scale)
		return img, err
	}
	if _, err := os.Stat("photo.jpg"); err == nil {
		fmt.Println(decode("photo.jpg"))
	}
}
