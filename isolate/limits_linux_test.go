// SPDX-License-Identifier: Apache-2.0

package isolate_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/isolate"
	"github.com/stretchr/testify/require"
)

func TestMemoryLimit(t *testing.T) {
	m := load(t, &isolate.Options{Memory: 160 << 20}, nil)
	// Without memory to allocate, the process ends in one of several ways.
	for action, want := range map[string]string{"allocate": "", "share": "isolate.Options.Memory"} {
		_, _, err := run(t, m, action+" 10000000")
		require.NoError(t, err)
		_, _, err = run(t, m, action+" 250000000")
		require.ErrorIs(t, err, common.ErrCrashed)
		require.ErrorContains(t, err, want)
		_, _, err = run(t, m, "hello")
		require.NoError(t, err)
	}
	in := inputs(t, "hello")
	var err error
	in["x"], err = common.NewTensor(common.Float32, 50_000_000)
	require.NoError(t, err)
	_, err = m.Run(t.Context(), in)
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

// TestPaths refuses files that do not exist, which landlock could not allow.
func TestPaths(t *testing.T) {
	for _, o := range []*isolate.Options{{Read: []string{"/none"}}, {Write: []string{"/none"}}} {
		_, err := isolate.Open("fake", nil, o)
		require.ErrorIs(t, err, common.ErrOption)
		require.ErrorContains(t, err, "/none")
	}
}

// TestNoChild starts programs that are no children, and one that does not exist.
func TestNoChild(t *testing.T) {
	for command, want := range map[string]string{
		"true": "it has printed nothing: the child process has ended before it opened the engine; the child's program must call isolate.Main in the first line of its main function",
		"none": `there is no program for the child process: exec: "none": executable file not found in $PATH`,
	} {
		_, err := isolate.Open("fake", nil, &isolate.Options{Command: []string{command}})
		require.ErrorIs(t, err, common.ErrNotAvailable)
		require.True(t, strings.HasSuffix(err.Error(), want), "%v", err)
	}
}

func TestSandbox(t *testing.T) {
	t.Setenv("PRIVATE_SECRET", "secret")
	m := load(t, nil, nil)
	said, _, err := run(t, m, "env PRIVATE_SECRET")
	require.NoError(t, err)
	require.Empty(t, said)
	said, _, err = run(t, m, "read /etc/passwd")
	require.NoError(t, err)
	require.Contains(t, said, "permission denied")
}
