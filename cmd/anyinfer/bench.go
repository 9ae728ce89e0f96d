// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

type benchFlags struct {
	runFlags
	duration    time.Duration
	warmup      int
	concurrency int
}

func newBenchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench MODEL...",
		Short: "Measure how fast engines run a model, side by side",
		Long: `Measure how fast engines run a model, side by side.

MODEL... are the files of a model, or the same model in several formats; each
engine takes the one that suits it best. Without --engine all engines run it
that read it and are installed. Inputs that --input does not name get seeded
random data, and a dynamic dimension length 1 unless --shape says more.

Each engine has a process of its own. They take turns in short rounds, so that
whatever disturbs the machine disturbs all of them, until each has run for
--duration. LOAD is the time until the model is ready to run, without opening
the library, FIRST the first Run; MIN to MAX are latencies of the others, P50
the median; PEAK MEM is the most memory that the process held, beyond what it
had before it opened the engine; RATIO compares P50 with the first engine's.
--json has more, such as P95 and the mean. An interrupt ends it early and shows
what there is.`,
		Example: `  anyinfer bench digits.onnx digits.tflite
  anyinfer bench digits.onnx --engine openvino --threads 1 --concurrency 4 --json`,
		Args:              someModels,
		ValidArgsFunction: completeModel,
		RunE: func(cmd *cobra.Command, models []string) error {
			return bench(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), models, f)
		},
	}
	f.add(cmd)
	cmd.Flags().DurationVar(&f.duration, "duration", 5*time.Second, "how long to run each engine")
	cmd.Flags().IntVar(&f.warmup, "warmup", 5, "runs of each session before it is measured, besides the first")
	cmd.Flags().IntVar(&f.concurrency, "concurrency", 1, "sessions that run at once, which share the cores unless --threads says how many each has")
	return cmd
}

func bench(ctx context.Context, w, log io.Writer, models []string, f benchFlags) error {
	switch {
	case f.duration <= 0:
		return usageError{fmt.Errorf("--duration is %v; it can be 200ms, 5s, 1m and so on", f.duration)}
	case f.warmup < 0:
		return usageError{fmt.Errorf("--warmup is %d; it can be 0 or more", f.warmup)}
	case f.concurrency < 1:
		return usageError{fmt.Errorf("--concurrency is %d; it can be 1 or more", f.concurrency)}
	}
	if err := f.check(); err != nil {
		return err
	}
	if _, err := readGiven(f.inputs, f.shapes); err != nil {
		return err
	}
	sources, err := newSources(models)
	if err != nil {
		return err
	}
	engines := f.engines
	if len(engines) == 0 {
		if engines, err = enginesFor(sources); err != nil {
			return err
		}
	}
	b := benchmark{slice: min(max(f.duration/25, 10*time.Millisecond), 250*time.Millisecond), duration: f.duration, status: newStatusLine(log)}
	for _, e := range engines {
		b.contenders = append(b.contenders, &contender{engine: e})
	}
	b.measure(ctx, job{
		Files: models, Signature: f.signature, Inputs: f.inputs, Shapes: f.shapes,
		Device: f.device, Threads: f.threads, Sessions: f.concurrency, Warmup: f.warmup,
	})
	notes := []string{} // in JSON a list, if an empty one
	if len(f.engines) == 0 {
		notes = append(notes, b.dropMissing()...)
	}
	r := newBenchReport(b.contenders, f.concurrency)
	r.DurationS, r.RoundMS, r.Warmup, r.Interrupted = f.duration.Seconds(), 1000*b.slice.Seconds(), f.warmup, ctx.Err() != nil
	r.Warnings = append(notes, noise(r.Engines)...)
	if f.json {
		err = printJSON(w, r)
	} else {
		err = r.print(w)
	}
	if err != nil {
		return err
	}
	failed := []error{ctx.Err()}
	for _, c := range b.contenders {
		failed = append(failed, c.err)
	}
	return errors.Join(failed...)
}

// benchmark lets contenders take turns.
type benchmark struct {
	slice, duration time.Duration
	status          *statusLine
	contenders      []*contender
}

// measure runs each contender until it has its duration, or failed, or ctx ends.
func (b *benchmark) measure(ctx context.Context, j job) {
	defer b.status.clear()
	defer func() { b.finish(ctx) }()
	for _, c := range b.contenders {
		b.status.say(c.engine + ": loading the model")
		j.Engine = c.engine
		if err := c.start(ctx, j); err != nil {
			b.fail(ctx, c, err)
		}
	}
	for {
		turns := 0
		for _, c := range b.contenders {
			if c.err != nil || c.measured >= b.duration || ctx.Err() != nil {
				continue
			}
			b.status.say(fmt.Sprintf("%s: round %d of about %d, %v left", c.engine, len(c.rounds)+1, (b.duration+b.slice-1)/b.slice, b.left()))
			if err := c.turn(ctx, b.slice); err != nil {
				b.fail(ctx, c, err)
			}
			turns++
		}
		if turns == 0 {
			return
		}
	}
}

func (b *benchmark) fail(ctx context.Context, c *contender, err error) {
	if ctx.Err() == nil { // else what there is counts
		c.fail(err)
	}
}

// left is about how long it will take.
func (b *benchmark) left() (d time.Duration) {
	for _, c := range b.contenders {
		if c.err == nil {
			d += max(b.duration-c.measured, 0)
		}
	}
	return d.Round(time.Second)
}

// finish ends all workers; they stop at the same time.
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

// dropMissing leaves engines out that are not installed, unless no other is.
func (b *benchmark) dropMissing() (notes []string) {
	there := slices.DeleteFunc(slices.Clone(b.contenders), func(c *contender) bool { return c.missing })
	if len(there) == 0 {
		return nil
	}
	for _, c := range b.contenders {
		if c.missing {
			notes = append(notes, "left out: "+c.err.Error())
		}
	}
	b.contenders = there
	return notes
}
