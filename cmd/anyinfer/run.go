// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/spf13/cobra"
)

// runFlags are those of the commands that run models.
type runFlags struct {
	engines   []string
	signature string
	inputs    []string
	shapes    []string
	device    string
	threads   int
	json      bool
}

func (f *runFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.engines, "engine", nil, "engines to run it with, separated by commas")
	cmd.Flags().StringVar(&f.signature, "signature", "", "which of the model's signatures to run, as inspect lists them (default the first)")
	cmd.Flags().StringArrayVar(&f.inputs, "input", nil, "NAME=FILE.npy, the data of an input; strings come in a FILE.txt, one a line, or a FILE.json; may be repeated")
	cmd.Flags().StringArrayVar(&f.shapes, "shape", nil, "NAME=1,3,224,224, the shape of an input that gets random data; may be repeated")
	cmd.Flags().StringVar(&f.device, "device", "", "device to run on, as doctor lists them")
	cmd.Flags().IntVar(&f.threads, "threads", 0, "threads (0: all cores)")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	must(cmd.RegisterFlagCompletionFunc("engine", completeEngines))
	must(cmd.RegisterFlagCompletionFunc("device", completeDevice))
}

// check finds what is wrong with them.
func (f *runFlags) check() error {
	if f.threads < 0 {
		return usageError{fmt.Errorf("--threads is %d; it can be 0, for all cores, or more", f.threads)}
	}
	return checkEngines(f.engines)
}

func newRunCommand() *cobra.Command {
	var f runFlags
	var out string
	cmd := &cobra.Command{
		Use:   "run MODEL...",
		Short: "Run a model once, with one engine or several side by side",
		Long: `Run a model once, with one engine or several side by side.

MODEL... are the files of a model, or the same model in several formats; each
engine takes the one that suits it best. Without --engine the first ready
engine for MODEL runs it. Inputs that --input does not name get seeded random
data, and a dynamic dimension length 1 unless --shape says more. With several
engines a table shows how far their outputs lie apart.`,
		Example: `  anyinfer run digits.onnx --input image=scan.npy --out results
  anyinfer run digits.onnx digits.tflite --engine openvino,tflite`,
		Args:              someModels,
		ValidArgsFunction: completeModel,
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(cmd.Context(), cmd.OutOrStdout(), args, f, out)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&out, "out", "", "write outputs to this folder as NAME.npy ('/' becomes '_'), strings as NAME.json; with several engines to a folder each in it")
	must(cmd.MarkFlagDirname("out"))
	return cmd
}

func run(ctx context.Context, w io.Writer, models []string, f runFlags, out string) error {
	if err := f.check(); err != nil {
		return err
	}
	given, err := readGiven(f.inputs, f.shapes)
	if err != nil {
		return err
	}
	sources, err := newSources(models)
	if err != nil {
		return err
	}
	engines := f.engines
	if len(engines) == 0 {
		engines = []string{""} // the first ready one
	}
	var outcomes []*outcome
	for _, name := range engines {
		o, err := runEngine(ctx, name, sources, given, f)
		if err != nil {
			return err
		}
		if len(engines) == 1 {
			err = o.write(out)
		} else if out != "" {
			err = o.write(filepath.Join(out, o.Engine))
		}
		if err != nil {
			return err
		}
		outcomes = append(outcomes, o)
	}
	differences := compare(outcomes)
	if f.json {
		return printJSON(w, struct {
			Engines     []*outcome   `json:"engines"`
			Differences []difference `json:"differences,omitempty"`
		}{outcomes, differences})
	}
	return printOutcomes(w, outcomes, differences)
}

func runEngine(ctx context.Context, name string, sources []common.Source, given given, f runFlags) (*outcome, error) {
	start := time.Now()
	e, m, err := load(ctx, name, sources, common.Options{Device: f.device, Threads: f.threads}, given)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	o := &outcome{Engine: e.Info().Name, Version: e.Info().Version, Format: m.Info().Format, Device: m.Info().Device, LoadMS: milliseconds(start), out: common.Tensors{}}
	s, err := newSession(ctx, m, f.signature)
	if err != nil {
		return nil, err
	}
	sig := s.Signature()
	o.Signature = sig.Name
	in, err := makeInputs(sig.Inputs, given)
	if err != nil {
		return nil, err
	}
	start = time.Now()
	if err := bind(s, in); err != nil {
		return nil, err
	}
	if err := s.Run(ctx); err != nil {
		return nil, err
	}
	o.RunMS = milliseconds(start)
	for i, info := range sig.Inputs {
		o.Inputs = append(o.Inputs, report(info, in[i]))
	}
	for i, info := range sig.Outputs {
		o.out[info.Name] = s.Output(i)
		o.Outputs = append(o.Outputs, report(info, s.Output(i)))
	}
	return o, nil
}

func milliseconds(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }
