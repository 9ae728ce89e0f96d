// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
)

// WorkerCommand is the argument with which Run starts its own executable for each
// engine.
const WorkerCommand = "bench-worker"

// Work is a worker: it answers the requests of in on out, until in ends. It has no
// context, because an interrupt from a terminal reaches all processes, and a worker
// must still send its result.
func Work(in io.Reader, out io.Writer) error {
	requests := json.NewDecoder(in)
	var j job
	if err := requests.Decode(&j); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	rounds := make(chan time.Duration)
	go func() {
		for {
			var d time.Duration
			if requests.Decode(&d) != nil {
				stop()
				close(rounds)
				return
			}
			rounds <- d
		}
	}()
	b, err := newBencher(ctx, j)
	if err != nil {
		if errors.As(err, &model.NotInstalledError{}) || errors.As(err, &model.NotSupportedError{}) {
			return writeAnswer(out, answer{NotInstalled: err.Error()})
		}
		return writeAnswer(out, answer{Error: err.Error()})
	}
	defer b.close()
	defer context.AfterFunc(ctx, b.close)()
	err = writeAnswer(out, answer{Loaded: &b.loaded})
	for d := range rounds {
		r, runErr := b.round(d)
		if runErr != nil && !b.stopped.Load() {
			return writeAnswer(out, answer{Error: runErr.Error()})
		}
		err = errors.Join(err, writeAnswer(out, answer{Round: &r}))
	}
	return errors.Join(err, writeAnswer(out, answer{Latencies: b.latencies()}))
}

// bencher has a model and its sessions. In a round each session runs on its own
// goroutine.
type bencher struct {
	loaded  Loaded
	before  int64 // peak memory before the engine was opened
	engine  *common.Engine
	runners []*runner
	total   *hdrhistogram.Histogram
	stopped atomic.Bool
}

// runner measures a session.
type runner struct {
	session   *common.Session
	histogram *hdrhistogram.Histogram // of this round, in nanoseconds
	last      time.Duration           // of the last Run
	took      time.Duration
	err       error
}

// newHistogram makes a histogram of durations up to an hour, to three significant digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, int64(time.Hour), 3) }

func newBencher(ctx context.Context, j job) (_ *bencher, err error) {
	w, b := j.Workload, &bencher{total: newHistogram()}
	for range w.Sessions {
		b.runners = append(b.runners, &runner{histogram: newHistogram()})
	}
	in, err := model.ReadInputs(w.Inputs, w.Shapes)
	if err != nil {
		return nil, err
	}
	sources, err := model.Sources(w.Files)
	if err != nil {
		return nil, err
	}
	src, err := model.SourceFor(j.Engine, sources)
	if err != nil {
		return nil, err
	}
	b.before = peakMemory()
	start := time.Now()
	if b.engine, err = model.Open(j.Engine, w.Isolation); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.engine.Close()
		}
	}()
	b.loaded.OpenMS = us(time.Since(start)) / 1000
	o := common.Options{Device: w.Device, Threads: w.Threads, Sessions: w.Sessions}
	if err := w.Isolation.Probe(ctx, j.Engine, src, o, in); err != nil {
		return nil, err
	}
	start = time.Now()
	m, err := model.LoadOn(ctx, b.engine, src, o, in, model.NotIsolated)
	if err != nil {
		return nil, err
	}
	for i, r := range b.runners {
		if r.session, err = model.NewSession(ctx, m, w.Signature); err != nil {
			return nil, err
		}
		if i == 0 {
			b.loaded.LoadMS = us(time.Since(start)) / 1000
		}
		tensors, err := in.Make(m, r.session.Signature().Inputs)
		if err != nil {
			return nil, err
		}
		if err := model.Bind(r.session, tensors); err != nil {
			return nil, err
		}
		start = time.Now()
		if err := r.session.Run(ctx); err != nil {
			return nil, in.Explain(err, r.session.Signature().Inputs)
		}
		if i == 0 {
			b.loaded.FirstRunMS = us(time.Since(start)) / 1000
		}
		for range w.Warmup {
			if err := errors.Join(ctx.Err(), r.run()); err != nil {
				return nil, err
			}
		}
	}
	e, info := b.engine.Info(), m.Info()
	b.loaded.Version, b.loaded.Library, b.loaded.File, b.loaded.Format = e.Version, e.Library, src.Name(), info.Format
	b.loaded.Device, b.loaded.Threads, b.loaded.Details = info.Device, info.Threads, info.Details
	b.loaded.Isolated = w.Isolation == model.Isolated
	b.loaded.Signature = b.runners[0].session.Signature().Name
	if info.Precision != 0 {
		b.loaded.Precision = info.Precision.String()
	}
	return b, nil
}

// close also interrupts a round.
func (b *bencher) close() {
	b.stopped.Store(true)
	b.engine.Close()
}

// round runs all sessions for d.
func (b *bencher) round(d time.Duration) (round, error) {
	var wg sync.WaitGroup
	for _, r := range b.runners {
		wg.Go(func() { r.err = r.round(d) })
	}
	wg.Wait()
	waitIdle()
	all, took := newHistogram(), time.Duration(0)
	var errs []error
	for _, r := range b.runners {
		all.Merge(r.histogram)
		r.histogram.Reset()
		took = max(took, r.took)
		errs = append(errs, r.err)
	}
	b.total.Merge(all)
	return round{all.TotalCount(), time.Duration(all.ValueAtQuantile(50)), took}, errors.Join(errs...)
}

// waitIdle waits until the engine's threads, which spin for a while after a Run,
// sleep, so that they do not disturb the next engine's round.
func waitIdle() {
	end := now() + 300*time.Millisecond
	for quiet := 0; quiet < 2 && now() < end; quiet++ {
		before := cpuTime()
		time.Sleep(5 * time.Millisecond)
		if cpuTime()-before > time.Millisecond {
			quiet = -1
		}
	}
}

// round runs the session for d, and at least once.
func (r *runner) round(d time.Duration) error {
	// Warm up: other engines have used the caches, and this engine's threads sleep.
	for end := now() + d/10; r.last < d/10 && now() < end; {
		if err := r.run(); err != nil {
			return err
		}
	}
	start := now()
	for r.took = 0; r.took < d; r.took = now() - start {
		if err := r.run(); err != nil {
			return err
		}
		r.histogram.RecordValue(int64(min(max(r.last, 1), time.Hour)))
	}
	return nil
}

// run runs once. Its context cannot be canceled, because watching it takes time.
func (r *runner) run() error {
	start := now()
	err := r.session.Run(context.Background())
	r.last = now() - start
	return err
}

// latencies returns the statistics of all rounds so far.
func (b *bencher) latencies() *latencies {
	h, peak := b.total, peakMemory()-b.before
	if b.loaded.Isolated {
		peak = 0 // the engine is in another process
	}
	at := func(q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) }
	return &latencies{
		Runs: h.TotalCount(), Min: time.Duration(h.Min()), Mean: time.Duration(h.Mean()), Max: time.Duration(h.Max()),
		P50: at(50), P90: at(90), P95: at(95), P99: at(99),
		PeakMemory: peak,
	}
}
