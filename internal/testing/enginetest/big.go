// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// big loads and runs a large model of each format, in a process of its own that
// measures its memory.
func (s *suite) big(t *testing.T) {
	for _, format := range BigFormats {
		if own, _, _ := strings.Cut(format, "-"); slices.Contains(s.Formats, own) {
			s.run(t, format, func(t *testing.T) { s.child(t, "big:"+format) })
		}
	}
}

// bigJob checks that a model's weights are not in Go's heap, and that loading it
// takes no more memory than Engine.Memory says, in sizes of its files.
func (s *suite) bigJob(t *testing.T, format string) {
	megabytes, err := strconv.Atoi(cmp.Or(os.Getenv("ANYINFER_TEST_BIG"), "64"))
	require.NoError(t, err, "ANYINFER_TEST_BIG")
	size := int64(megabytes) * 1e6
	e := s.engine(t)
	tensors := 0 // bytes that the model's session has
	load := func(b BigModel) *common.Model {
		loaded, err := e.Load(ctx, common.File(b.Path), s.oneThread())
		require.NoError(t, err)
		out, err := loaded.Run(ctx, b.Inputs(t))
		require.NoError(t, err)
		b.Check(t, out)
		for _, x := range out {
			tensors = len(x.Bytes())
		}
		return loaded
	}
	require.NoError(t, load(WriteBigModel(t, t.TempDir(), format, 1e6)).Close()) // what any model costs
	b := WriteBigModel(t, t.TempDir(), format, size)
	before := footprint()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // resets the peak
		t.Skipf("this system does not measure peaks of memory: %v", err)
	}
	loaded := load(b)
	peak := peakMemory(t)
	after := footprint()
	factor := float64(peak-before.memory) / float64(size)
	t.Logf("%s, %d MB: Go's heap %+d kB; peak memory %.2f times the size, %.2f while it is loaded",
		format, megabytes, (after.heap-before.heap)/1000, factor, float64(after.memory-before.memory)/float64(size))
	require.Less(t, after.heap-before.heap-tensors, 1<<20, "Go's heap has weights")
	if !instrumented {
		const noise = 8e6 // of allocators and threads
		limit := cmp.Or(s.Memory[format], 1.1)
		require.Less(t, factor, limit+noise/float64(size), "peak memory, in sizes of the model")
	}
	require.NoError(t, loaded.Close())
	runtime.KeepAlive(loaded)
}

// peakMemory is the most that was resident.
func peakMemory(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	for line := range bytes.Lines(text) {
		var kilobytes int
		if _, err := fmt.Sscanf(string(line), "VmHWM: %d kB", &kilobytes); err == nil {
			return kilobytes << 10
		}
	}
	t.Fatal("no VmHWM in /proc/self/status")
	return 0
}
