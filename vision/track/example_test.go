// SPDX-License-Identifier: Apache-2.0

package track_test

import (
	"fmt"

	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/track"
)

// A ball rolls past a cup, and is hidden by it in one frame.
func ExampleByteTrack() {
	box := func(x, y, size, score float32, label string) vision.Detection {
		return vision.Detection{Rect: vision.Rect{Min: vision.Point{X: x, Y: y}, Max: vision.Point{X: x + size, Y: y + size}}, Score: score, Label: label}
	}
	tracker := track.ByteTrack{MinHits: 1, Agnostic: true}
	for frame := range 5 {
		found := []vision.Detection{box(100, 50, 60, 0.9, "cup")} // of a vision.Detector
		if frame != 3 {
			found = append(found, box(float32(60+8*frame), 90, 20, 0.7, "ball"))
		}
		for _, t := range tracker.Update(found) {
			fmt.Print(t.ID, " ", t.Detection.Label, " at ", t.Detection.Rect.Min.X, "  ")
		}
		fmt.Println()
	}
	// Output:
	// 1 cup at 100  2 ball at 60
	// 1 cup at 100  2 ball at 68
	// 1 cup at 100  2 ball at 76
	// 1 cup at 100
	// 1 cup at 100  2 ball at 92
}
