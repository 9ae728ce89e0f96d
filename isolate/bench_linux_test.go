// SPDX-License-Identifier: Apache-2.0

package isolate_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/isolate"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
	"github.com/stretchr/testify/require"
)

// benchmarked are an engine and a model of it.
type benchmarked struct {
	name, engine string
	source       func(testing.TB) common.Source
}

var (
	digits = benchmarked{"digits", "onnxruntime", func(t testing.TB) common.Source { return enginetest.File(t, "digits.onnx") }}
	sink   = benchmarked{"600 kB", "sink", func(testing.TB) common.Source { return common.Bytes([]byte("model")).As("sink") }}
)

// isolated opens the engine in a child until the test ends.
func (b *benchmarked) isolated(t testing.TB) *common.Engine {
	enginetest.Require(t, b.engine)
	e, err := isolate.Open(b.engine, nil, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func (b *benchmarked) session(t testing.TB, e *common.Engine) *common.Session {
	return enginetest.NewSession(t, enginetest.Load(t, e, b.source(t), &common.Options{Threads: 1}))
}

// median returns the median in units.
func median(times []time.Duration, unit time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2]) / float64(unit)
}

// BenchmarkRun measures how much longer a Run takes in a child than in this process, back to back.
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct {
		benchmarked
		idle time.Duration
	}{{digits, 0}, {digits, time.Millisecond}, {sink, 0}, {sink, time.Millisecond}} {
		name := c.name
		if c.idle > 0 {
			name += " after idleness"
		}
		b.Run(name, func(b *testing.B) {
			var sessions []*common.Session
			for _, e := range []*common.Engine{enginetest.Open(b, c.engine, nil), c.isolated(b)} {
				sessions = append(sessions, c.session(b, e))
			}
			times := make([][]time.Duration, 2)
			for range b.N {
				for i, s := range sessions {
					time.Sleep(c.idle)
					begin := time.Now()
					require.NoError(b, s.Run(b.Context()))
					times[i] = append(times[i], time.Since(begin))
				}
			}
			direct := median(times[0], time.Microsecond)
			b.ReportMetric(direct, "direct-µs")
			b.ReportMetric(median(times[1], time.Microsecond)-direct, "more-µs")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkCrash measures after what time a Run says that its child was killed, and after what time the next Run has
// its result from another child. That the model is loaded is part of it: direct-load-ms.
func BenchmarkCrash(b *testing.B) {
	for _, c := range []benchmarked{digits, sink} {
		b.Run(c.engine, func(b *testing.B) {
			direct, e := enginetest.Open(b, c.engine, nil), c.isolated(b)
			var known, ready, loaded []time.Duration
			for len(known) < max(b.N, 9) {
				begin := time.Now()
				m, err := direct.Load(b.Context(), c.source(b), &common.Options{Threads: 1})
				loaded = append(loaded, time.Since(begin))
				require.NoError(b, err)
				require.NoError(b, m.Close())
				before := childrenNow(b)
				m, err = e.Load(b.Context(), c.source(b), &common.Options{Threads: 1})
				require.NoError(b, err)
				s, err := m.NewSession(b.Context(), "")
				require.NoError(b, err)
				require.NoError(b, s.Run(b.Context()))
				children := slices.DeleteFunc(childrenNow(b), func(id int) bool { return slices.Contains(before, id) })
				if len(children) == 0 {
					children = before // the first Load takes the child that has opened the engine
				}
				require.Len(b, children, 1)
				killed := make(chan time.Time, 1)
				time.AfterFunc(5*time.Millisecond, func() {
					killed <- time.Now()
					syscall.Kill(children[0], syscall.SIGKILL)
				})
				for begin, err = time.Now(), nil; err == nil && time.Since(begin) < time.Second; {
					err = s.Run(b.Context())
				}
				if err != nil { // else the child has died between two Runs, of which none is lost
					require.ErrorIs(b, err, common.ErrCrashed)
					known = append(known, time.Since(<-killed))
					begin = time.Now()
					require.NoError(b, s.Run(b.Context()))
					ready = append(ready, time.Since(begin))
				}
				require.NoError(b, s.Close())
				require.NoError(b, m.Close())
			}
			b.ReportMetric(median(known, time.Millisecond), "known-ms")
			b.ReportMetric(median(ready, time.Millisecond), "ready-ms")
			b.ReportMetric(median(loaded, time.Millisecond), "direct-load-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// TestNoAllocations runs sessions in children without allocating memory in Go.
func TestNoAllocations(t *testing.T) {
	for _, c := range []benchmarked{digits, sink} {
		s := c.session(t, c.isolated(t))
		enginetest.NoAllocations(t, func() error { return s.Run(t.Context()) })
	}
}
