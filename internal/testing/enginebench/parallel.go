// SPDX-License-Identifier: Apache-2.0

package enginebench

import (
	"context"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
)

// parallelSlice is longer than slice: threads begin and end a few microseconds
// apart.
const parallelSlice = 10 * time.Millisecond

// Throughput compares how many Runs a second n goroutines and n threads of the
// loop in C make, in short slices by turns. Each thread has all that it needs
// for itself; the goroutines have a Session each, or call Model.Run of one model
// with n Sessions. The metrics are medians: thousands of Runs a second (kruns/s)
// of each side, and the ratios of Go's to C's in each round. Those that are quiet
// are ratios of the 90th percentiles: what the machine does where it was not busy
// otherwise.
func Throughput(b *testing.B, c Case, n int) {
	m := load(b, c, n)
	if m.Engine().Library == "linked" {
		b.Skip("the SDK is linked: there is no library for the loop in C to open")
	}
	sessions, models := make([]worker, n), make([]worker, n)
	var inElements, outElements int
	for i := range n {
		s, err := m.NewSession(b.Context(), "")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { s.Close() })
		in, out := fill(b, s)
		inElements, outElements = len(in), len(out)
		sessions[i] = worker{func() error { return s.Run(context.Background()) }, func() []float32 { return out }}
		models[i] = modelWorker(b, m, s.Input(0).Shape(), in)
	}
	args := []string{m.Engine().Library, strconv.Itoa(inElements), strconv.Itoa(outElements), c.Model, strconv.Itoa(n)}
	l := startLoop(b, Case{Engine: "parallel_" + c.Engine}, append(args, c.Args...)...)

	calls := 1 // what one slice has room for
	for d, _ := l.run(calls); d < parallelSlice; d, _ = l.run(calls) {
		calls *= 2
	}
	var inC, inSessions, inModel, ofSessions, ofModel []float64
	round := func() {
		perSecond := func(d time.Duration) float64 { return float64(n*calls) / d.Seconds() / 1000 }
		times, sums := make([]time.Duration, 3), make([]float64, 3)
		for turn := range 3 { // another one comes first in each round
			switch side := (turn + len(inC)) % 3; side {
			case 0:
				times[side], sums[side] = l.run(calls)
			case 1:
				times[side], sums[side] = inParallel(b, sessions, calls)
			case 2:
				times[side], sums[side] = inParallel(b, models, calls)
			}
		}
		for _, sum := range sums[1:] {
			if math.Abs(sums[0]-sum) > 1e-5*max(1, math.Abs(sums[0])) {
				b.Fatalf("the outputs sum up to %g in C, %g in Go", sums[0], sum)
			}
		}
		inC, inSessions, inModel = append(inC, perSecond(times[0])), append(inSessions, perSecond(times[1])), append(inModel, perSecond(times[2]))
		ofSessions = append(ofSessions, float64(times[0])/float64(times[1]))
		ofModel = append(ofModel, float64(times[0])/float64(times[2]))
	}
	for b.Loop() {
		round()
	}
	for len(inC) < rounds {
		round()
	}
	b.ReportMetric(0, "ns/op") // suppressed: an op here is a round
	b.ReportMetric(quantile(inC, 0.5), "c-kruns/s")
	b.ReportMetric(quantile(inSessions, 0.5), "session-kruns/s")
	b.ReportMetric(quantile(inModel, 0.5), "model-kruns/s")
	b.ReportMetric(quantile(ofSessions, 0.5), "session/c")
	b.ReportMetric(quantile(ofModel, 0.5), "model/c")
	b.ReportMetric(quantile(inSessions, 0.9)/quantile(inC, 0.9), "quiet-session/c")
	b.ReportMetric(quantile(inModel, 0.9)/quantile(inC, 0.9), "quiet-model/c")
}

// worker is what one goroutine does.
type worker struct {
	run    func() error
	result func() []float32 // of the last run
}

// modelWorker calls Model.Run with in.
func modelWorker(b *testing.B, m *common.Model, shape common.Shape, in []float32) worker {
	b.Helper()
	x, err := common.FromSlice(in, shape...)
	if err != nil {
		b.Fatal(err)
	}
	signature := m.Signatures()[0]
	tensors, result := common.Tensors{signature.Inputs[0].Name: x}, common.Tensors{}
	return worker{
		func() (err error) { result, err = m.Run(context.Background(), tensors); return err },
		func() []float32 { out, _ := common.Get[float32](result, signature.Outputs[0].Name); return out },
	}
}

// inParallel has each worker run n times, and returns for how long the slowest
// did, and the sum of all outputs.
func inParallel(b *testing.B, workers []worker, n int) (time.Duration, float64) {
	var warm, done sync.WaitGroup
	begin := make(chan struct{})
	warm.Add(len(workers))
	for _, w := range workers {
		done.Go(func() {
			for i := range warmUp + n {
				if i == warmUp {
					warm.Done()
					<-begin
				}
				if err := w.run(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	warm.Wait()
	start := time.Now()
	close(begin)
	done.Wait()
	d, total := time.Since(start), 0.0
	for _, w := range workers {
		total += sum(w.result())
	}
	return d, total
}
