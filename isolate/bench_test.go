// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate_test

import (
	"slices"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/isolate"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
	"github.com/stretchr/testify/require"
)

// BenchmarkRun measures how much longer a Run takes in a child than in this process, back to back.
func BenchmarkRun(b *testing.B) {
	direct := enginetest.Open(b, "onnxruntime", nil)
	isolated, err := isolate.Open("onnxruntime", nil, nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, isolated.Close()) })
	for _, c := range []struct {
		model string
		idle  time.Duration
	}{{"digits.onnx", 0}, {"digits.onnx", time.Millisecond}} {
		name := c.model
		if c.idle > 0 {
			name += " after idleness"
		}
		b.Run(name, func(b *testing.B) {
			var sessions []*common.Session
			for _, e := range []*common.Engine{direct, isolated} {
				m := enginetest.Load(b, e, enginetest.File(b, c.model), &common.Options{Threads: 1})
				sessions = append(sessions, enginetest.NewSession(b, m))
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
			var medians []float64
			for _, t := range times {
				slices.Sort(t)
				medians = append(medians, float64(t[len(t)/2].Nanoseconds())/1000)
			}
			b.ReportMetric(medians[0], "direct-µs")
			b.ReportMetric(medians[1]-medians[0], "more-µs")
			b.ReportMetric(0, "ns/op")
		})
	}
}
