// SPDX-License-Identifier: Apache-2.0

package landmark_test

import (
	"context"
	"fmt"
	"image"
	"image/draw"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/landmark"
	"github.com/anyinfer/anyinfer/vision/overlay"
)

// draws finds hands in a photo with MediaPipe's palm_detection and hand_landmark, and draws them.
func draws(ctx context.Context, palms, hands *common.Model, photo image.Image, dst draw.Image) error {
	finder, err := landmark.NewFinder(palms, hands)
	if err != nil {
		return err
	}
	found, err := finder.Find(ctx, photo)
	if err != nil {
		return err
	}
	for _, hand := range found {
		fmt.Println(describe(hand))
	}
	overlay.Draw(dst, landmark.Detections(found), nil)
	return nil
}

func describe(hand landmark.Landmarks) string {
	tip := hand.Detection.Points[8]
	return fmt.Sprintf("%s: %s at %.0f,%.0f", hand.Detection.Label, landmark.SkeletonOf(21).Names[8], tip.X, tip.Y)
}

// follows follows two hands through a video, and looks for palms only while there are fewer.
func follows(ctx context.Context, finder *landmark.Finder, frames []image.Image) error {
	finder.Max = 2
	tracker := &landmark.Tracker{Finder: finder, Smoothing: &landmark.Smoothing{}}
	for i, frame := range frames {
		found, err := tracker.Next(ctx, frame, time.Duration(i)*time.Second/30)
		if err != nil {
			return err
		}
		fmt.Println(len(found), "hands")
	}
	return nil
}

// upright returns the points of a hand that fills a picture.
func upright(ctx context.Context, hands *common.Model, photo image.Image) (landmark.Landmarks, error) {
	marker, err := landmark.NewMarker(hands)
	if err != nil {
		return landmark.Landmarks{}, err
	}
	size := photo.Bounds().Size()
	w, h := float32(size.X), float32(size.Y)
	return marker.Mark(ctx, photo, landmark.Region{Center: vision.Point{X: w / 2, Y: h / 2}, Width: max(w, h), Height: max(w, h)})
}

// pfld is for a model whose outputs do not tell its form, and ships is for one of YOLO whose
// metadata are lost.
var (
	pfld  = landmark.Marker{Form: landmark.Form(landmark.PFLD), Output: 1, Input: vision.Input{Std: [3]float32{255, 255, 255}}}
	ships = vision.Detector{Head: &landmark.OBB{IoU: 0.3}, Input: vision.Input{Fit: vision.Letterbox, Pad: 114, Std: [3]float32{255, 255, 255}}}
)

func Example() {
	_ = []any{draws, follows, upright, &pfld, &ships} // which need models

	var s landmark.Skeleton = landmark.SkeletonOf(21)
	for _, line := range s.Lines[:4] {
		fmt.Println(s.Names[line[0]], "-", s.Names[line[1]])
	}
	// Output:
	// wrist - thumb cmc
	// thumb cmc - thumb mcp
	// thumb mcp - thumb ip
	// thumb ip - thumb tip
}
