// SPDX-License-Identifier: Apache-2.0

// Package bench measures how fast engines run a model. Each engine has a worker
// process, and the workers take turns in short rounds, so that other load on the
// machine affects all engines equally.
package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
)

// Config configures Run.
type Config struct {
	Engines  []string // in the order of the report; Ratio compares with the first
	Workload Workload
	Duration time.Duration // of the measurement of each engine
	// SkipMissing omits engines that are not installed from the report, with a
	// warning, unless none is installed.
	SkipMissing bool
	Progress    func(text string) // called with the current activity; may be nil
}

// Workload describes the runs of each engine.
type Workload struct {
	Files     []string                `json:"files"` // of one model, possibly in several formats
	Signature string                  `json:"signature"`
	Inputs    map[string]string       `json:"inputs"` // files with data, by the input's name
	Shapes    map[string]common.Shape `json:"shapes"` // of inputs that get random data
	Device    string                  `json:"device"`
	Threads   int                     `json:"threads"`
	Sessions  int                     `json:"sessions"` // the number that run at once
	Warmup    int                     `json:"warmup"`   // runs of each session before it is measured, besides the first
	Isolation model.Isolation         `json:"isolation"`
}

// Run measures the engines. Besides the report it returns the errors of the
// engines that failed, and ctx's: the report of an interrupted Run has the
// earlier measurements. The executable of this process must call Work if
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

// fail records a contender's error, unless ctx ended: then its earlier
// measurements count.
func (b *benchmark) fail(ctx context.Context, c *contender, err error) {
	if ctx.Err() == nil {
		c.fail(err)
	}
}

// remaining estimates the remaining time of all contenders.
func (b *benchmark) remaining() (d time.Duration) {
	for _, c := range b.contenders {
		if c.err == nil {
			d += max(b.duration-c.measured, 0)
		}
	}
	return d.Round(time.Second)
}

// finish ends all workers. It stops all before it waits for the first.
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
			warnings = append(warnings, "omitted: "+c.err.Error())
		}
	}
	b.contenders = installed
	return warnings
}
