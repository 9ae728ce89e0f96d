// SPDX-License-Identifier: Apache-2.0

// Package bench measures how fast engines run a model. Each engine has a worker
// process, and the workers take turns in short rounds, so that whatever disturbs
// the machine disturbs all engines alike.
package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/anyinfer/anyinfer/common"
)

// Config says what to measure.
type Config struct {
	Engines  []string // in the order of the report; Ratio compares with the first
	Workload Workload
	Duration time.Duration // that each engine is measured for
	// SkipMissing leaves engines that are not installed out of the report, and
	// warns of them, unless none is installed.
	SkipMissing bool
	Progress    func(text string) // is called with what Run is doing; may be nil
}

// Workload is what each engine runs.
type Workload struct {
	Files     []string                `json:"files"` // of one model, maybe in several formats
	Signature string                  `json:"signature"`
	Inputs    map[string]string       `json:"inputs"` // files with data, by the input's name
	Shapes    map[string]common.Shape `json:"shapes"` // of inputs that get random data
	Device    string                  `json:"device"`
	Threads   int                     `json:"threads"`
	Sessions  int                     `json:"sessions"` // that run at once
	Warmup    int                     `json:"warmup"`   // runs of each session before it is measured, besides the first
}

// Run measures the engines. Besides the report it returns the errors of the
// engines that failed, and ctx's: the report of an interrupted Run has what was
// measured by then. The executable of this process must call Work where
// WorkerCommand is its first argument.
func Run(ctx context.Context, c Config) (*Report, error) {
	b := benchmark{
		round:    min(max(c.Duration/25, 10*time.Millisecond), 250*time.Millisecond),
		duration: c.Duration,
		progress: c.Progress,
	}
	for _, e := range c.Engines {
		b.contenders = append(b.contenders, &contender{engine: e})
	}
	b.measure(ctx, c.Workload)
	warnings := []string{} // in JSON a list, even if it is empty
	if c.SkipMissing {
		warnings = append(warnings, b.dropMissing()...)
	}
	r := newReport(b.contenders, c.Workload.Sessions)
	r.DurationS, r.RoundMS, r.Warmup, r.Interrupted = c.Duration.Seconds(), 1000*b.round.Seconds(), c.Workload.Warmup, ctx.Err() != nil
	r.Warnings = append(warnings, noiseWarnings(r.Engines)...)
	errs := []error{ctx.Err()}
	for _, c := range b.contenders {
		errs = append(errs, c.err)
	}
	return r, errors.Join(errs...)
}

// benchmark lets contenders take turns.
type benchmark struct {
	round, duration time.Duration
	progress        func(string)
	contenders      []*contender
}

// measure runs each contender until it has its duration, or failed, or ctx ends.
func (b *benchmark) measure(ctx context.Context, w Workload) {
	defer func() { b.finish(ctx) }()
	for _, c := range b.contenders {
		b.report(c.engine + ": loading the model")
		if err := c.start(ctx, job{c.engine, w}); err != nil {
			b.fail(ctx, c, err)
		}
	}
	for {
		measured := false
		for _, c := range b.contenders {
			if c.err != nil || c.measured >= b.duration || ctx.Err() != nil {
				continue
			}
			b.report(fmt.Sprintf("%s: round %d of about %d, %v left", c.engine, len(c.rounds)+1, (b.duration+b.round-1)/b.round, b.remaining()))
			if err := c.runRound(ctx, b.round); err != nil {
				b.fail(ctx, c, err)
			}
			measured = true
		}
		if !measured {
			return
		}
	}
}

func (b *benchmark) report(text string) {
	if b.progress != nil {
		b.progress(text)
	}
}

// fail notes a contender's error, unless ctx ended: then what was measured before
// counts.
func (b *benchmark) fail(ctx context.Context, c *contender, err error) {
	if ctx.Err() == nil {
		c.fail(err)
	}
}

// remaining is about how long the contenders still have to run.
func (b *benchmark) remaining() (d time.Duration) {
	for _, c := range b.contenders {
		if c.err == nil {
			d += max(b.duration-c.measured, 0)
		}
	}
	return d.Round(time.Second)
}

// finish ends all workers. It tells all to stop before it waits for the first.
func (b *benchmark) finish(ctx context.Context) {
	for _, c := range b.contenders {
		c.stop()
	}
	for _, c := range b.contenders {
		if err := c.finish(); err != nil && c.err == nil {
			b.fail(ctx, c, err)
		}
	}
}

// dropMissing removes the engines that are not installed, unless all are missing,
// and returns a warning for each.
func (b *benchmark) dropMissing() (warnings []string) {
	installed := slices.DeleteFunc(slices.Clone(b.contenders), func(c *contender) bool { return c.missing })
	if len(installed) == 0 {
		return nil
	}
	for _, c := range b.contenders {
		if c.missing {
			warnings = append(warnings, "left out: "+c.err.Error())
		}
	}
	b.contenders = installed
	return warnings
}
