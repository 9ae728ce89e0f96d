// SPDX-License-Identifier: Apache-2.0

// Command track follows what a model finds through the frames of a video, and draws it
// with its numbers.
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"iter"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/mnn"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
	_ "github.com/anyinfer/anyinfer/openvino"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tflite/litert"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/overlay"
	"github.com/anyinfer/anyinfer/vision/track"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("track: ")
	if len(os.Args) != 4 {
		log.Fatal("usage: track MODEL FRAMES OUT, of which FRAMES is a folder of pictures, or - for PNG pictures from a pipe")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, path, from, out string) error {
	model, err := common.Load(ctx, common.File(path), nil) // the first ready engine that reads it
	if err != nil {
		return err
	}
	defer model.Close()
	detector, err := vision.NewDetector(model)
	if err != nil {
		return err
	}
	tracker := track.ByteTrack{MinScore: cmp.Or(detector.MinScore, 0.25)} // what begins a track is what the model is sure of
	detector.MinScore = 0.1                                               // the others can continue one
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	frames, start, busy := 0, time.Now(), time.Duration(0)
	for frame, err := range read(from) {
		if err != nil {
			return err
		}
		begin := time.Now()
		found, err := detector.Detect(ctx, frame)
		if err != nil {
			return err
		}
		tracks := tracker.Update(found)
		busy += time.Since(begin)
		fmt.Printf("frame %d:", frames)
		var drawn []vision.Detection
		for _, t := range tracks {
			fmt.Printf(" %s %d at %v", t.Detection.Label, t.ID, t.Detection.Rect.Image())
			t.Detection.Label = fmt.Sprint(t.Detection.Label, " ", t.ID)
			t.Detection.Class = t.ID // which has the colour
			drawn = append(drawn, t.Detection)
		}
		fmt.Println()
		picture := overlay.Copy(frame)
		overlay.Draw(picture, drawn, nil)
		if err := write(filepath.Join(out, fmt.Sprintf("%04d.png", frames)), picture); err != nil {
			return err
		}
		frames++
	}
	log.Printf("%d frames, %.1f a second; %.1f without reading and drawing", frames, float64(frames)/time.Since(start).Seconds(), float64(frames)/busy.Seconds())
	return nil
}

// read returns the pictures of a folder, in the order of their names, or those of a pipe.
func read(from string) iter.Seq2[image.Image, error] {
	return func(yield func(image.Image, error) bool) {
		if from == "-" {
			in := bufio.NewReaderSize(os.Stdin, 1<<20)
			for {
				if _, err := in.Peek(1); errors.Is(err, io.EOF) {
					return
				}
				frame, err := png.Decode(in) // reads no more than its picture
				if !yield(frame, err) || err != nil {
					return
				}
			}
		}
		files, err := os.ReadDir(from) // sorted
		if err != nil {
			yield(nil, err)
			return
		}
		for _, f := range files {
			if frame, err := open(filepath.Join(from, f.Name())); !yield(frame, err) {
				return
			}
		}
	}
}

func open(name string) (image.Image, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	picture, _, err := vision.Decode(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return picture, nil
}

func write(name string, picture image.Image) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	fast := png.Encoder{CompressionLevel: png.BestSpeed}
	return errors.Join(fast.Encode(file, picture), file.Close())
}
