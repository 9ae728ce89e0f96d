// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// endless is input without an end. It counts its reads.
type endless struct{ reads int }

func (e *endless) Read(b []byte) (int, error) { e.reads++; return len(b), nil }

// TestBackpressure: while no result is printed, only as many frames are read as fit into
// the channels.
func TestBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		in, work, ordered := endless{}, make(chan *frame), make(chan *frame, 3)
		go func() {
			for f := range work {
				f.result <- result{}
			}
		}()
		var err error
		go func() { err = read(ctx, &in, 64, work, ordered) }()
		synctest.Wait()
		require.Equal(t, 4, in.reads, "3 frames are in the channel, and 1 waits for a place in it")
		<-ordered
		synctest.Wait()
		require.Equal(t, 5, in.reads)
		cancel()
		synctest.Wait()
		require.ErrorIs(t, err, context.Canceled)
	})
}
