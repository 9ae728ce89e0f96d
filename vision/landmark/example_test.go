// SPDX-License-Identifier: Apache-2.0

package landmark_test

import (
	"context"
	"fmt"
	"image"
	"image/draw"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision/landmark"
	"github.com/anyinfer/anyinfer/vision/overlay"
)

var palms, hands *common.Model // of MediaPipe's palm_detection and hand_landmark

func ExampleFinder() {
	mark := func(ctx context.Context, photo image.Image, dst draw.Image) error {
		finder, err := landmark.NewFinder(palms, hands)
		if err != nil {
			return err
		}
		found, err := finder.Find(ctx, photo)
		if err != nil {
			return err
		}
		names := landmark.SkeletonOf(21).Names
		for _, hand := range found {
			tip := hand.Detection.Points[8]
			fmt.Printf("%s: %s at %.0f,%.0f\n", hand.Detection.Label, names[8], tip.X, tip.Y)
		}
		overlay.Draw(dst, landmark.Detections(found), nil)
		return nil
	}
	_ = mark
}

// A Tracker follows two hands through a video, and runs the model for palms only while it has
// fewer.
func ExampleTracker() {
	follow := func(ctx context.Context, finder *landmark.Finder, frames []image.Image) error {
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
	_ = follow
}

func ExampleSkeletonOf() {
	s := landmark.SkeletonOf(21)
	for _, line := range s.Lines[:4] {
		fmt.Println(s.Names[line[0]], "-", s.Names[line[1]])
	}
	// Output:
	// wrist - thumb cmc
	// thumb cmc - thumb mcp
	// thumb mcp - thumb ip
	// thumb ip - thumb tip
}
