// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
	"github.com/spf13/cobra"
)

// runFlags has the flags of the commands that run models.
type runFlags struct {
	engines   []string
	signature string
	inputs    []string
	shapes    []string
	device    string
	threads   int
	json      bool
	isolation isolationFlags
}

func (f *runFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.engines, "engine", nil, "engines that run the model, separated by commas")
	cmd.Flags().StringVar(&f.signature, "signature", "", "signature to run, from the list of 'anyinfer inspect' (default the first)")
	cmd.Flags().StringArrayVar(&f.inputs, "input", nil, "NAME=FILE.npy, data of an input, or a picture; FILE.txt for strings, one per line, or FILE.json; may be repeated")
	cmd.Flags().StringArrayVar(&f.shapes, "shape", nil, "NAME=1,3,224,224, shape of an input that gets random data; may be repeated")
	cmd.Flags().StringVar(&f.device, "device", "", "device to run on, from the list of 'anyinfer doctor ENGINE'")
	cmd.Flags().IntVar(&f.threads, "threads", 0, "threads (0: all cores)")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	f.isolation.add(cmd)
	f.isolation.addIsolate(cmd)
	must(cmd.RegisterFlagCompletionFunc("engine", completeEngines))
	must(cmd.RegisterFlagCompletionFunc("device", completeDevice))
}

// isolationFlags say what keeps a model from crashing the command.
type isolationFlags struct{ noProbe, isolate bool }

func (f *isolationFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.noProbe, "no-probe", false, "load a model without trying first, in another process, whether it crashes the engine")
}

func (f *isolationFlags) addIsolate(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.isolate, "isolate", false, "run the model in another process, on Linux in a sandbox")
}

func (f isolationFlags) isolation() model.Isolation {
	switch {
	case f.isolate:
		return model.Isolated
	case f.noProbe:
		return model.NotIsolated
	}
	return model.Probed
}

// arguments has the values of the arguments and flags of run and bench.
type arguments struct {
	sources []common.Source
	files   map[string]string // of --input, by the input's name
	inputs  model.Inputs
}

// resolve checks the flags, and reads the files that they name.
func (f *runFlags) resolve(models []string) (a arguments, err error) {
	if f.threads < 0 {
		return a, usageError{fmt.Errorf("--threads is %d; want 0, for all cores, or more", f.threads)}
	}
	if err := checkEngines(f.engines); err != nil {
		return a, err
	}
	shapes, err := parseShapes(f.shapes)
	if err != nil {
		return a, err
	}
	a.files = map[string]string{}
	for _, flag := range f.inputs {
		name, file, ok := cutLast(flag, "=")
		if !ok || name == "" || file == "" {
			return a, usageError{fmt.Errorf("--input %s: want NAME=FILE.npy, a picture (.txt or .json for strings)", flag)}
		}
		if a.files[name] != "" {
			return a, usageError{fmt.Errorf("--input %s is given twice", name)}
		}
		a.files[name] = file
	}
	if a.inputs, err = model.ReadInputs(a.files, shapes); err != nil {
		return a, err
	}
	a.sources, err = model.Sources(models)
	return a, err
}

// parseShapes parses NAME=1,3,224,224 flags.
func parseShapes(flags []string) (map[string]common.Shape, error) {
	shapes := map[string]common.Shape{}
	for _, flag := range flags {
		name, dims, ok := cutLast(flag, "=")
		shape := common.Shape{}
		for d := range strings.SplitSeq(dims, ",") {
			n, err := strconv.Atoi(d)
			shape, ok = append(shape, n), ok && err == nil && n > 0
		}
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("--shape %s: want NAME=1,3,224,224", flag)}
		}
		shapes[name] = shape
	}
	return shapes, nil
}

// cutLast cuts around the last sep, because the names of tensors may contain sep.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func newRunCommand() *cobra.Command {
	var f runFlags
	var out string
	cmd := &cobra.Command{
		Use:   "run MODEL...",
		Short: "Run a model once, with one engine or several side by side",
		Long: `Run a model once, with one engine or several side by side.

MODEL... are the files of a model, or the same model in several formats; each
engine loads the format that comes first in its list. Without --engine the first
ready engine that reads MODEL runs it. Inputs without --input get seeded random data,
and their dynamic dimensions have length 1 unless --shape sets another. With
several engines a table compares their outputs.

A model is first loaded and run once in another process, with zeros, so that one that
crashes its engine is an error. This takes longer the first time; the result is kept in
the user's cache folder. --no-probe leaves it out; --isolate runs everything in the other
process, where on Linux a model has neither the network nor other files.`,
		Example: `  anyinfer run digits.onnx --input image=scan.npy --out results
  anyinfer run yolo11n.onnx --input images=street.jpg
  anyinfer run digits.onnx digits.tflite --engine openvino,tflite`,
		Args:              someModels,
		ValidArgsFunction: completeModel,
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(cmd.Context(), cmd.OutOrStdout(), args, f, out)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&out, "out", "", "folder to write outputs to, as NAME.npy ('/' becomes '_'), strings as NAME.json; several engines write to a folder each")
	must(cmd.MarkFlagDirname("out"))
	return cmd
}

func run(ctx context.Context, w io.Writer, models []string, f runFlags, out string) error {
	args, err := f.resolve(models)
	if err != nil {
		return err
	}
	engines := f.engines
	if len(engines) == 0 {
		engines = []string{""} // the first ready one
	}
	var outcomes []*outcome
	for _, name := range engines {
		o, err := runEngine(ctx, name, args, f)
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

func runEngine(ctx context.Context, name string, args arguments, f runFlags) (*outcome, error) {
	start := time.Now()
	e, m, err := model.Load(ctx, name, args.sources, common.Options{Device: f.device, Threads: f.threads}, args.inputs, f.isolation.isolation())
	if err != nil {
		return nil, err
	}
	defer e.Close()
	o := &outcome{Engine: e.Info().Name, Version: e.Info().Version, Format: m.Info().Format, Device: m.Info().Device, LoadMS: milliseconds(start), out: common.Tensors{}}
	s, err := model.NewSession(ctx, m, f.signature)
	if err != nil {
		return nil, err
	}
	sig := s.Signature()
	o.Signature = sig.Name
	in, err := args.inputs.Make(m, sig.Inputs)
	if err != nil {
		return nil, err
	}
	start = time.Now()
	if err := model.Bind(s, in); err != nil {
		return nil, err
	}
	if err := s.Run(ctx); err != nil {
		return nil, args.inputs.Explain(err, sig.Inputs)
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
