// SPDX-License-Identifier: Apache-2.0

package isolate_test

import (
	"context"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/isolate"
	"github.com/stretchr/testify/require"
)

func TestMemoryLimit(t *testing.T) {
	m := load(t, &isolate.Options{Memory: 256 << 20}, nil)
	for _, action := range []string{"allocate", "share"} {
		_, _, err := run(t, m, action+" 10000000")
		require.NoError(t, err)
		_, _, err = run(t, m, action+" 400000000")
		require.ErrorIs(t, err, common.ErrCrashed)
		require.Regexp(t, "memory|SIGSEGV", err.Error()) // code that does not check its allocations dies of the second
		_, _, err = run(t, m, "hello")
		require.NoError(t, err)
	}
	_, _, err := run(t, m, "hello", make([]float32, 80_000_000)...)
	require.ErrorContains(t, err, "isolate.Options.Memory")
}

func TestCPUTime(t *testing.T) {
	o := &isolate.Options{CPUTime: 300 * time.Millisecond}
	m := load(t, o, nil)
	for range 2 {
		_, _, err := run(t, m, "spin")
		require.ErrorIs(t, err, common.ErrCrashed)
		require.ErrorContains(t, err, "isolate.Options.CPUTime")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := m.Run(ctx, inputs(t, "wait", 1)) // takes no processor time
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, common.ErrCrashed)
	_, err = open(t, o).Load(t.Context(), common.Bytes([]byte("spin")).As("fake"), nil)
	require.ErrorContains(t, err, "isolate.Options.CPUTime")
}

func TestLoadTime(t *testing.T) {
	begin := time.Now()
	_, err := open(t, &isolate.Options{LoadTime: time.Second}).Load(t.Context(), common.Bytes([]byte("slow")).As("fake"), nil)
	require.ErrorIs(t, err, common.ErrCrashed)
	require.ErrorContains(t, err, "it was killed, because load took longer than 1s")
	require.Less(t, time.Since(begin), 30*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = open(t, nil).Load(ctx, common.Bytes([]byte("slow")).As("fake"), nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestGrace(t *testing.T) {
	const grace = 300 * time.Millisecond
	m := load(t, &isolate.Options{Grace: grace}, nil)
	for _, cancel := range []func(context.CancelFunc){
		func(cancel context.CancelFunc) { cancel() },
		func(context.CancelFunc) { go m.Close() },
	} {
		_, _, err := run(t, m, "hello") // there is a child
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		var begin time.Time
		time.AfterFunc(100*time.Millisecond, func() { begin = time.Now(); cancel(stop) })
		_, err = m.Run(ctx, inputs(t, "hang", 1))
		require.Error(t, err)
		require.GreaterOrEqual(t, time.Since(begin), grace)
		require.Less(t, time.Since(begin), 20*time.Second)
		stop()
	}
}

func TestRestarts(t *testing.T) {
	m := load(t, &isolate.Options{Restarts: 2}, nil)
	for i := range 2 {
		_, _, err := run(t, m, "crash")
		require.ErrorContains(t, err, "the SDK gives up in a Run")
		begin := time.Now()
		_, _, err = run(t, m, "hello") // waits for the next child
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(begin), time.Duration(i)*100*time.Millisecond, "the pause")
	}
	_, _, err := run(t, m, "crash")
	require.ErrorContains(t, err, "the SDK gives up in a Run")
	begin := time.Now()
	_, _, err = run(t, m, "hello")
	require.ErrorIs(t, err, common.ErrCrashed)
	require.ErrorContains(t, err, "has ended 3 times in a minute")
	require.Less(t, time.Since(begin), 10*time.Second)

	m = load(t, &isolate.Options{Restarts: -1}, nil)
	_, _, err = run(t, m, "crash")
	require.ErrorContains(t, err, "the SDK gives up in a Run")
	_, _, err = run(t, m, "hello")
	require.ErrorIs(t, err, common.ErrCrashed)
	require.ErrorContains(t, err, "has ended 1 times")
}
