// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/common"
)

const benchWorkerName = "bench-worker"

// newBenchWorkerCommand is what bench starts once for each engine.
func newBenchWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    benchWorkerName,
		Hidden: true,
		Args:   noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Not its context: a terminal interrupts all processes, and this one stops when it is told to.
			return work(cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

// work does the job that in names, and answers on out.
func work(in io.Reader, out io.Writer) error {
	orders := json.NewDecoder(in)
	var j job
	if err := orders.Decode(&j); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	turns := make(chan time.Duration)
	go func() {
		for {
			var d time.Duration
			if orders.Decode(&d) != nil {
				stop()
				close(turns)
				return
			}
			turns <- d
		}
	}()
	b, err := newBencher(ctx, j)
	if err != nil {
		if errors.As(err, &notInstalled{}) || errors.As(err, &notSuited{}) {
			return say(out, answer{NotInstalled: err.Error()})
		}
		return say(out, answer{Error: err.Error()})
	}
	defer b.close()
	defer context.AfterFunc(ctx, b.close)()
	err = say(out, answer{Loaded: &b.loaded})
	for d := range turns {
		r, runErr := b.round(d)
		if runErr != nil && !b.stopped.Load() {
			return say(out, answer{Error: runErr.Error()})
		}
		err = errors.Join(err, say(out, answer{Round: &r}))
	}
	return errors.Join(err, say(out, answer{Latencies: b.latencies()}))
}

// bencher has a model and its sessions, each with a goroutine of its own in
// every round.
type bencher struct {
	loaded  loaded
	before  int64 // peak memory
	engine  *common.Engine
	runners []*runner
	total   *hdrhistogram.Histogram
	stopped atomic.Bool
}

// runner measures a session.
type runner struct {
	session *common.Session
	seen    *hdrhistogram.Histogram // in this round, in nanoseconds
	last    time.Duration           // of the last Run
	took    time.Duration
	err     error
}

// newHistogram tells durations of up to an hour apart to three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, int64(time.Hour), 3) }

func newBencher(ctx context.Context, j job) (_ *bencher, err error) {
	b := &bencher{total: newHistogram()}
	for range j.Sessions {
		b.runners = append(b.runners, &runner{seen: newHistogram()})
	}
	given, err := readGiven(j.Inputs, j.Shapes)
	if err != nil {
		return nil, err
	}
	sources, err := newSources(j.Files)
	if err != nil {
		return nil, err
	}
	src, err := sourceFor(j.Engine, sources)
	if err != nil {
		return nil, err
	}
	b.before = peakMemory()
	start := time.Now()
	if b.engine, err = open(j.Engine); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.engine.Close()
		}
	}()
	b.loaded.OpenMS = milliseconds(start)
	start = time.Now()
	m, err := loadFor(ctx, b.engine, src, common.Options{Device: j.Device, Threads: j.Threads, Sessions: j.Sessions}, given)
	if err != nil {
		return nil, err
	}
	for i, r := range b.runners {
		if r.session, err = newSession(ctx, m, j.Signature); err != nil {
			return nil, err
		}
		if i == 0 {
			b.loaded.LoadMS = milliseconds(start)
		}
		in, err := makeInputs(r.session.Signature().Inputs, given)
		if err != nil {
			return nil, err
		}
		if err := bind(r.session, in); err != nil {
			return nil, err
		}
		start = time.Now()
		if err := r.session.Run(ctx); err != nil {
			return nil, err
		}
		if i == 0 {
			b.loaded.FirstRunMS = milliseconds(start)
		}
		for range j.Warmup {
			if err := errors.Join(ctx.Err(), r.run()); err != nil {
				return nil, err
			}
		}
	}
	e, info := b.engine.Info(), m.Info()
	b.loaded.Version, b.loaded.Library, b.loaded.File, b.loaded.Format = e.Version, e.Library, src.Name(), info.Format
	b.loaded.Device, b.loaded.Threads, b.loaded.Details = info.Device, info.Threads, info.Details
	b.loaded.Signature = b.runners[0].session.Signature().Name
	if info.Precision != 0 {
		b.loaded.Precision = info.Precision.String()
	}
	return b, nil
}

// close also ends a round that is going on.
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
	settle()
	all, took := newHistogram(), time.Duration(0)
	var errs []error
	for _, r := range b.runners {
		all.Merge(r.seen)
		r.seen.Reset()
		took = max(took, r.took)
		errs = append(errs, r.err)
	}
	b.total.Merge(all)
	return round{all.TotalCount(), time.Duration(all.ValueAtQuantile(50)), took}, errors.Join(errs...)
}

// settle waits until the engine's threads, which look for more work for a
// while, have gone to sleep: it is another engine's turn.
func settle() {
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
	// The others had the caches meanwhile, and the engine's threads went to sleep.
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
		r.seen.RecordValue(int64(min(max(r.last, 1), time.Hour)))
	}
	return nil
}

// run runs once, without a context: to be able to end one costs time.
func (r *runner) run() error {
	start := now()
	err := r.session.Run(context.Background())
	r.last = now() - start
	return err
}

func (b *bencher) latencies() *latencies {
	h := b.total
	at := func(q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) }
	return &latencies{
		Runs: h.TotalCount(), Min: time.Duration(h.Min()), Mean: time.Duration(h.Mean()), Max: time.Duration(h.Max()),
		P50: at(50), P90: at(90), P95: at(95), P99: at(99),
		PeakMemory: peakMemory() - b.before,
	}
}
