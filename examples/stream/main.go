// SPDX-License-Identifier: Apache-2.0

// Command stream measures how sharp each frame of a video is, as a camera's autofocus
// does. It reads the video from a pipe.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/openvino"
	"github.com/anyinfer/anyinfer/testdata"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tflite/litert"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("stream: ")
	width := flag.Int("width", 640, "width of a frame in pixels")
	height := flag.Int("height", 480, "height of a frame in pixels")
	sessions := flag.Int("sessions", runtime.NumCPU(), "frames that are processed at once")
	flag.Parse()
	if *width < 1 || *height < 1 { // some engines accept images without pixels
		log.Fatalf("a frame of %d x %d has no pixels", *width, *height)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	model, err := common.Load(ctx, common.FS(testdata.FS, "edges.tflite"), &common.Options{
		Sessions: *sessions, // they share the cores
		Shapes:   map[string]common.ShapeRange{"image": common.Fixed(1, *height, *width, 1)},
	})
	if err != nil {
		log.Fatal(err)
	}
	start := time.Now()
	n, err := stream(ctx, model, os.Stdin)
	log.Printf("%d frames, %.1f a second", n, float64(n)/time.Since(start).Seconds())
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	if err = errors.Join(err, model.Close()); err != nil {
		log.Fatal(err)
	}
}

// stream prints a line for each frame, in order, and returns their number. It reads no
// faster than the sessions work, so the writer waits and no frame is dropped.
func stream(ctx context.Context, model *common.Model, in io.Reader) (n int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // stops the goroutines below if a frame fails
	work := make(chan *frame)
	sessions := model.Info().Sessions
	for range sessions {
		session, err := model.NewSession(ctx, "")
		if err != nil {
			return 0, err
		}
		go measure(ctx, session, work)
	}
	size := model.Signatures()[0].Inputs[0].Shape.Elems() // one byte per pixel
	frames := make(chan *frame, sessions)                 // in order; a session has received each of them
	var readErr error
	go func() {
		readErr = read(ctx, in, size, work, frames)
		close(frames)
	}()
	for {
		select {
		case <-ctx.Done(): // read may still wait for input
			return n, ctx.Err()
		case f, more := <-frames:
			if !more {
				return n, readErr
			}
			r := <-f.result
			if r.err != nil {
				return n, fmt.Errorf("frame %d: %w", n, r.err)
			}
			if _, err := fmt.Printf("frame %d: sharpness %.4f\n", n, r.sharpness); err != nil {
				return n, err
			}
			n++
		}
	}
}
