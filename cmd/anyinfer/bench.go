// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/internal/bench"
	"github.com/anyinfer/anyinfer/internal/model"
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
engine loads the format that comes first in its list. Without --engine all
installed engines that read it run it. Inputs without --input get seeded random data, and their
dynamic dimensions have length 1 unless --shape sets another.

Each engine runs in its own process. The engines take turns in short rounds, so
that other load on the machine affects all engines equally, until each has run
for --duration. LOAD is the time until the model is ready to run, without
opening the library, FIRST the time of the first run; MIN to MAX are latencies of
the other runs, P50 is the median; PEAK MEM is the growth of the process's peak
memory since before it opened the engine; RATIO is P50 divided by the first
engine's. --json has more, such as P95 and the mean. An interrupt ends the
benchmark early and prints the results so far.

A model is first loaded and run once by another process, as by 'anyinfer run'. With
--isolate all runs are there, which takes longer; PEAK MEM is not known then.`,
		Example: `  anyinfer bench digits.onnx digits.tflite
  anyinfer bench digits.onnx --engine openvino --threads 1 --concurrency 4 --json`,
		Args:              someModels,
		ValidArgsFunction: completeModel,
		RunE: func(cmd *cobra.Command, models []string) error {
			return runBench(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), models, f)
		},
	}
	f.add(cmd)
	cmd.Flags().DurationVar(&f.duration, "duration", 5*time.Second, "time that each engine runs")
	cmd.Flags().IntVar(&f.warmup, "warmup", 5, "unmeasured runs of each session, after the first")
	cmd.Flags().IntVar(&f.concurrency, "concurrency", 1, "sessions that run at once; they share the cores unless --threads is set, for each of them")
	return cmd
}

func runBench(ctx context.Context, w, log io.Writer, models []string, f benchFlags) error {
	switch {
	case f.duration <= 0:
		return usageError{fmt.Errorf("--duration is %v; want a time such as 200ms, 5s or 1m", f.duration)}
	case f.warmup < 0:
		return usageError{fmt.Errorf("--warmup is %d; want 0 or more", f.warmup)}
	case f.concurrency < 1:
		return usageError{fmt.Errorf("--concurrency is %d; want 1 or more", f.concurrency)}
	}
	args, err := f.resolve(models)
	if err != nil {
		return err
	}
	engines := f.engines
	if len(engines) == 0 {
		if engines, err = model.EnginesFor(args.sources); err != nil {
			return err
		}
	}
	status := newStatusLine(log)
	report, failed := bench.Run(ctx, bench.Config{
		Engines: engines, Duration: f.duration, SkipMissing: len(f.engines) == 0, Progress: status.show,
		Workload: bench.Workload{
			Files: models, Signature: f.signature, Inputs: args.files, Shapes: args.inputs.Shapes,
			Device: f.device, Threads: f.threads, Sessions: f.concurrency, Warmup: f.warmup, Isolation: f.isolation.isolation(),
		},
	})
	status.clear()
	if f.json {
		err = printJSON(w, report)
	} else {
		err = printBench(w, report)
	}
	return cmp.Or(err, failed)
}

// newBenchWorkerCommand returns the command that bench.Run starts for each engine.
func newBenchWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    bench.WorkerCommand,
		Hidden: true,
		Args:   noArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return bench.Work(cmd.InOrStdin(), cmd.OutOrStdout()) },
	}
}
