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
			return runBench(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), models, f)
		},
	}
	f.add(cmd)
	cmd.Flags().DurationVar(&f.duration, "duration", 5*time.Second, "how long to run each engine")
	cmd.Flags().IntVar(&f.warmup, "warmup", 5, "runs of each session before it is measured, besides the first")
	cmd.Flags().IntVar(&f.concurrency, "concurrency", 1, "sessions that run at once, which share the cores unless --threads says how many each has")
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
			Device: f.device, Threads: f.threads, Sessions: f.concurrency, Warmup: f.warmup,
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

// newBenchWorkerCommand is the command that bench.Run starts for each engine.
func newBenchWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    bench.WorkerCommand,
		Hidden: true,
		Args:   noArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return bench.Work(cmd.InOrStdin(), cmd.OutOrStdout()) },
	}
}
