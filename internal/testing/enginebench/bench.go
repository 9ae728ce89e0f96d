// SPDX-License-Identifier: Apache-2.0

package enginebench

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
)

// Case is a model with one float32 input and output, both of fixed shape.
type Case struct {
	Engine string
	Model  string   // its file
	Args   []string // of the loop in C, after the library, the sizes and the model
}

const (
	slice  = time.Millisecond // of one side, then the other's turn
	rounds = 25               // at least
	warmUp = 100              // calls before each slice, as in loop.h
)

// Session compares Session.Run with the loop in C: in short slices by turns,
// so that what else the machine does falls on both alike. The metrics are
// medians: of c-ns/op, of go-ns/op, and of their difference (over-ns/op) and
// ratio (go/c) in each round. quiet-over-ns/op is the difference of the 10th
// percentiles: what is left of it where the machine was not busy otherwise.
func Session(b *testing.B, c Case) {
	m := load(b, c, 1)
	if m.Engine().Library == "linked" {
		b.Skip("the SDK is linked: there is no library for the loop in C to open")
	}
	s, err := m.NewSession(b.Context(), "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	in, out := fill(b, s)
	args := append([]string{m.Engine().Library, strconv.Itoa(len(in)), strconv.Itoa(len(out)), c.Model}, c.Args...)
	l := startLoop(b, c, args...)

	one, cancel := context.WithCancel(context.Background())
	defer cancel()
	other, cancelOther := context.WithCancel(context.Background())
	defer cancelOther()
	for _, kind := range []struct {
		name string
		ctxs [2]context.Context // used by turns
	}{
		{"background", [2]context.Context{context.Background(), context.Background()}},
		{"cancellable", [2]context.Context{one, one}},
		{"cancellable-each", [2]context.Context{one, other}}, // as if each Run had its own
	} {
		b.Run(kind.name, func(b *testing.B) {
			l.b = b
			compare(b, "c", l.run, func(n int) (time.Duration, float64) {
				start := time.Now()
				for i := range n {
					if err := s.Run(kind.ctxs[i&1]); err != nil {
						b.Fatal(err)
					}
				}
				return time.Since(start), sum(out)
			})
		})
	}
}

// compare measures run beside other, which has that name: each makes n calls,
// and returns how long they took and the sum of the outputs.
func compare(b *testing.B, name string, other, run func(n int) (time.Duration, float64)) {
	n := 1 // what one slice has room for
	for d, _ := other(n); d < slice; d, _ = other(n) {
		n *= 2
	}
	var inC, inGo, over, ratio []float64
	var before, after runtime.MemStats
	var mallocs, bytes uint64
	round := func() {
		var c, g time.Duration
		var sumC, sumGo float64
		goTurn := func() {
			runtime.ReadMemStats(&before) // stops the world: not after the warm-up
			run(warmUp)
			g, sumGo = run(n)
			runtime.ReadMemStats(&after)
			mallocs += after.Mallocs - before.Mallocs
			bytes += after.TotalAlloc - before.TotalAlloc
		}
		if len(inC)%2 == 0 {
			goTurn()
		}
		c, sumC = other(n)
		if len(inC)%2 == 1 {
			goTurn()
		}
		if math.Abs(sumC-sumGo) > 1e-5*max(1, math.Abs(sumC)) {
			b.Fatalf("the outputs sum up to %g with %s, %g without", sumC, name, sumGo)
		}
		perCall := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(n) }
		inC, inGo = append(inC, perCall(c)), append(inGo, perCall(g))
		over, ratio = append(over, perCall(g-c)), append(ratio, float64(g)/float64(c))
	}
	for b.Loop() {
		round()
	}
	for len(inC) < rounds {
		round()
	}
	b.ReportMetric(0, "ns/op") // suppressed: an op here is a round
	b.ReportMetric(quantile(inC, 0.5), name+"-ns/op")
	b.ReportMetric(quantile(inGo, 0.5), "go-ns/op")
	b.ReportMetric(quantile(over, 0.5), "over-ns/op")
	b.ReportMetric(quantile(inGo, 0.1)-quantile(inC, 0.1), "quiet-over-ns/op")
	b.ReportMetric(quantile(ratio, 0.5), "go/"+name)
	b.ReportAllocs()
	calls := uint64((n + warmUp) * len(inC))
	b.ReportMetric(float64(mallocs/calls), "allocs/op") // whole ones: the runtime has a few of its own
	b.ReportMetric(float64(bytes/calls), "B/op")
}

// Model compares Model.Run, which copies inputs and outputs, and a session that
// is acquired for one Run with Session.Run, by turns as Session does.
func Model(b *testing.B, c Case) {
	m := load(b, c, 1)
	s, err := m.NewSession(b.Context(), "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	_, out := fill(b, s)
	sig, in := s.Signature(), s.Input(0)
	ctx, tensors := context.Background(), common.Tensors{sig.Inputs[0].Name: in}
	timed := func(call func() ([]float32, error)) func(n int) (time.Duration, float64) {
		return func(n int) (time.Duration, float64) {
			var out []float32
			var err error
			start := time.Now()
			for range n {
				if out, err = call(); err != nil {
					b.Fatal(err)
				}
			}
			return time.Since(start), sum(out)
		}
	}
	session := timed(func() ([]float32, error) { return out, s.Run(ctx) })
	b.Run("run", func(b *testing.B) {
		compare(b, "session", session, timed(func() ([]float32, error) {
			out, err := m.Run(ctx, tensors)
			if err != nil {
				return nil, err
			}
			return common.Get[float32](out, sig.Outputs[0].Name)
		}))
	})
	b.Run("acquire", func(b *testing.B) {
		compare(b, "session", session, timed(func() ([]float32, error) {
			s, err := m.AcquireSession(ctx, "")
			if err != nil {
				return nil, err
			}
			defer s.Close()
			if err := s.BindInput(0, in); err != nil {
				return nil, err
			}
			if err := s.Run(ctx); err != nil {
				return nil, err
			}
			return common.Data[float32](s.Output(0))
		}))
	})
}

// Parallel measures Session.Run in as many goroutines as there are cores, each
// with a session and a thread of its own.
func Parallel(b *testing.B, c Case) {
	n := runtime.GOMAXPROCS(0)
	m := load(b, c, n)
	sessions := make(chan *common.Session, n)
	for range n {
		s, err := m.NewSession(b.Context(), "")
		if err != nil {
			b.Fatal(err)
		}
		fill(b, s)
		sessions <- s
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		s, ctx := <-sessions, context.Background()
		for pb.Next() {
			if err := s.Run(ctx); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// load opens the engine and loads the model with one thread a session.
func load(b *testing.B, c Case, sessions int) *common.Model {
	b.Helper()
	e, err := common.Open(c.Engine, nil)
	if errors.Is(err, common.ErrNotAvailable) {
		skip(b, "%v", err)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	if strings.Contains(e.Info().Version, "standin") {
		b.Skip("a stand-in's speed means nothing")
	}
	o := &common.Options{Threads: 1}
	if sessions > 1 {
		o.Sessions = sessions
	}
	m, err := e.Load(context.Background(), common.File(c.Model), o)
	if errors.Is(err, common.ErrOption) { // a GPU has no threads
		o.Threads = 0
		m, err = e.Load(context.Background(), common.File(c.Model), o)
	}
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// fill gives s the input that the loop in C has, and returns its memory.
func fill(b *testing.B, s *common.Session) (in, out []float32) {
	b.Helper()
	in, err := common.Data[float32](s.Input(0))
	if err != nil {
		b.Fatal(err)
	}
	for i := range in {
		in[i] = float32(i % 17)
	}
	if out, err = common.Data[float32](s.Output(0)); err != nil {
		b.Fatal(err)
	}
	return in, out
}

func sum(values []float32) (sum float64) {
	for _, v := range values {
		sum += float64(v)
	}
	return sum
}

func quantile(values []float64, q float64) float64 {
	slices.Sort(values)
	return values[int(q*float64(len(values)))]
}
