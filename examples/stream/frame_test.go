// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// endless is input without an end that counts how often it was read.
type endless struct{ reads int }

func (e *endless) Read(b []byte) (int, error) { e.reads++; return len(b), nil }

// While nobody takes results, only as many frames are read as have room.
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
		require.Equal(t, 4, in.reads, "3 wait in order, and 1 to be put there")
		<-ordered
		synctest.Wait()
		require.Equal(t, 5, in.reads)
		cancel()
		synctest.Wait()
		require.ErrorIs(t, err, context.Canceled)
	})
}
