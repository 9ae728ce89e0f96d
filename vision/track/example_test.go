// SPDX-License-Identifier: Apache-2.0

package track_test

import (
	"fmt"

	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/track"
)

func box(x, y, size, score float32, label string) vision.Detection {
	return vision.Detection{Rect: vision.Rect{Min: vision.Point{X: x, Y: y}, Max: vision.Point{X: x + size, Y: y + size}}, Score: score, Label: label}
}

func show(t track.Track) string {
	return fmt.Sprint(", ", t.Detection.Label, " ", t.ID, " at ", t.Detection.Rect.Min.X)
}

// A ball rolls past a cup, and is hidden by it in one frame.
func Example() {
	tracker := track.ByteTrack{MinHits: 1, Agnostic: true}
	for frame := range 5 {
		found := []vision.Detection{box(100, 50, 60, 0.9, "cup")} // of a vision.Detector
		if frame != 3 {
			found = append(found, box(float32(60+8*frame), 90, 20, 0.7, "ball"))
		}
		fmt.Print("frame ", frame)
		for _, t := range tracker.Update(found) {
			fmt.Print(show(t))
		}
		fmt.Println()
	}
	// Output:
	// frame 0, cup 1 at 100, ball 2 at 60
	// frame 1, cup 1 at 100, ball 2 at 68
	// frame 2, cup 1 at 100, ball 2 at 76
	// frame 3, cup 1 at 100
	// frame 4, cup 1 at 100, ball 2 at 92
}
