// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/anyinfer/anyinfer/common"
)

type frame struct {
	pixels []byte
	result chan result // buffered, so that no session waits until a result is printed
}

type result struct {
	sharpness float64
	err       error
}

// read reads frames of size bytes, and sends each first to work, for a free session, and
// then to ordered, for printing. It closes work at the end.
func read(ctx context.Context, in io.Reader, size int, work, ordered chan<- *frame) (err error) {
	defer close(work)
	for i := 0; ; i++ {
		f := &frame{make([]byte, size), make(chan result, 1)}
		switch n, err := io.ReadFull(in, f.pixels); {
		case err == io.EOF:
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("the input ends after %d of the %d bytes of frame %d; are width and height right?", n, size, i)
		case err != nil:
			return err
		}
		for _, to := range []chan<- *frame{work, ordered} {
			select {
			case to <- f:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// measure runs the session on frames until work is closed.
func measure(ctx context.Context, session *common.Session, work <-chan *frame) {
	defer session.Close()
	for f := range work {
		var r result
		r.sharpness, r.err = sharpness(ctx, session, f.pixels)
		f.result <- r
	}
}

// sharpness returns the mean strength of the edges, from 0 to 1.
func sharpness(ctx context.Context, session *common.Session, frame []byte) (float64, error) {
	pixels, err := common.Data[float32](session.Input(0))
	if err != nil {
		return 0, err
	}
	for i, p := range frame {
		pixels[i] = float32(p) / 255
	}
	if err := session.Run(ctx); err != nil {
		return 0, err
	}
	edges, err := common.Data[float32](session.Output(0))
	if err != nil {
		return 0, err
	}
	var sum float64
	for _, e := range edges {
		sum += float64(e)
	}
	return sum / float64(len(edges)), nil
}
