// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/spf13/cobra"
)

type runFlags struct {
	engines []string
	inputs  []string
	out     string
	device  string
	threads int
	json    bool
}

// outcome is what one engine made of a model.
type outcome struct {
	Engine  string         `json:"engine"`
	Version string         `json:"version"`
	Format  string         `json:"format"`
	Device  string         `json:"device"`
	LoadMS  float64        `json:"load_ms"`
	RunMS   float64        `json:"run_ms"`
	Inputs  []tensorReport `json:"inputs"`
	Outputs []tensorReport `json:"outputs"`

	in, out common.Tensors
}

// tensorReport describes an input or output and its numbers.
type tensorReport struct {
	Name  string   `json:"name"`
	DType string   `json:"dtype"`
	Shape []int    `json:"shape"`
	Min   *float64 `json:"min,omitempty"`
	Max   *float64 `json:"max,omitempty"`
	Mean  *float64 `json:"mean,omitempty"`
	File  string   `json:"file,omitempty"`
}

func newRunCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run MODEL...",
		Short: "Run a model once, with one engine or several side by side",
		Long: `Run a model once, with one engine or several side by side.

MODEL... are the files of a model, or the same model in several formats; each
engine takes the first that it reads. Without --engine the first ready engine
for MODEL runs it. Inputs that --input does not name get seeded random data,
and a dynamic dimension gets length 1. With several engines a table shows how
far their outputs lie apart.`,
		Example: `  anyinfer run digits.onnx --input image=scan.npy --out results
  anyinfer run digits.onnx digits.tflite --engine openvino,tflite`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(cmd.Context(), cmd.OutOrStdout(), args, f)
		},
	}
	cmd.Flags().StringSliceVar(&f.engines, "engine", nil, "engines to run it with, separated by commas")
	cmd.Flags().StringArrayVar(&f.inputs, "input", nil, "NAME=FILE.npy, the data of an input; may be repeated")
	cmd.Flags().StringVar(&f.out, "out", "", "write outputs to this folder as NAME.npy ('/' becomes '_'); with several engines to a folder each in it")
	cmd.Flags().StringVar(&f.device, "device", "", "device to run on, as doctor lists them")
	cmd.Flags().IntVar(&f.threads, "threads", 0, "threads (0: all cores)")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

func run(ctx context.Context, w io.Writer, models []string, f runFlags) error {
	given, err := readInputs(f.inputs)
	if err != nil {
		return err
	}
	sources := groupSources(models)
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
			err = o.write(f.out)
		} else if f.out != "" {
			err = o.write(filepath.Join(f.out, o.Engine))
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

// readInputs reads NAME=FILE.npy flags.
func readInputs(flags []string) (common.Tensors, error) {
	in := common.Tensors{}
	for _, flag := range flags {
		name, file, ok := cutLast(flag, "=")
		if !ok || name == "" || file == "" {
			return nil, usageError{fmt.Errorf("--input %s: want NAME=FILE.npy", flag)}
		}
		if in[name] != nil {
			return nil, usageError{fmt.Errorf("--input %s is there twice", name)}
		}
		t, err := npy.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--input %s: %w", name, err)
		}
		in[name] = t
	}
	return in, nil
}

// cutLast cuts around the last sep: names of tensors may contain it.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// belongsTo are the extensions of files that continue the model before them.
var belongsTo = map[string]string{".bin": ".xml", ".tnnmodel": ".tnnproto"}

// groupSources makes a Source of each model among files.
func groupSources(files []string) []common.Source {
	var groups [][]string
	for _, f := range files {
		if n := len(groups); n > 0 {
			if first := belongsTo[filepath.Ext(f)]; first != "" && filepath.Ext(groups[n-1][0]) == first {
				groups[n-1] = append(groups[n-1], f)
				continue
			}
		}
		groups = append(groups, []string{f})
	}
	var sources []common.Source
	for _, g := range groups {
		sources = append(sources, common.Files(g...))
	}
	return sources
}

// sourceFor is the first of sources that the engine reads.
func sourceFor(engine string, sources []common.Source) common.Source {
	for _, format := range common.Formats(engine) {
		for _, s := range sources {
			if s.Format() == format {
				return s
			}
		}
	}
	return sources[0] // the engine says what is wrong with it
}

// load loads the source that suits the engine; without a name, the first
// source for which an engine is ready. The caller closes both.
func load(ctx context.Context, name string, sources []common.Source, o *common.Options) (*common.Model, io.Closer, error) {
	if name == "" {
		var err error
		for _, src := range sources {
			var m *common.Model
			if m, err = common.Load(ctx, src, o); !errors.Is(err, common.ErrNotAvailable) {
				return m, m, err
			}
		}
		return nil, nil, err
	}
	e, err := common.Open(name, nil)
	if err != nil {
		return nil, nil, err
	}
	m, err := e.Load(ctx, sourceFor(name, sources), o)
	if err != nil {
		e.Close()
		return nil, nil, err
	}
	return m, e, nil
}

func runEngine(ctx context.Context, name string, sources []common.Source, given common.Tensors, f runFlags) (*outcome, error) {
	start := time.Now()
	m, closer, err := load(ctx, name, sources, &common.Options{Device: f.device, Threads: f.threads})
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	e := m.Engine()
	o := &outcome{Engine: e.Name, Version: e.Version, Format: m.Info().Format, Device: m.Info().Device, LoadMS: milliseconds(start)}
	sig := m.Signatures()[0]
	if o.in, err = makeInputs(sig.Inputs, given); err != nil {
		return nil, err
	}
	start = time.Now()
	if o.out, err = m.Run(ctx, o.in); err != nil {
		return nil, err
	}
	o.RunMS = milliseconds(start)
	o.Inputs, o.Outputs = report(sig.Inputs, o.in), report(sig.Outputs, o.out)
	return o, nil
}

func milliseconds(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }

func report(infos []common.TensorInfo, tensors common.Tensors) []tensorReport {
	var reports []tensorReport
	for _, info := range infos {
		t := tensors[info.Name]
		r := tensorReport{Name: info.Name, DType: t.DType().String(), Shape: t.Shape()}
		if s := summarize(values.Float64s(t)); s.n > 0 {
			r.Min, r.Max, r.Mean = &s.min, &s.max, &s.mean
		}
		reports = append(reports, r)
	}
	return reports
}

// write writes the outputs to dir and notes the files.
func (o *outcome) write(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	written := map[string]string{}
	for i := range o.Outputs {
		r := &o.Outputs[i]
		r.File = filepath.Join(dir, strings.NewReplacer("/", "_", `\`, "_").Replace(r.Name)+".npy")
		if other, ok := written[r.File]; ok {
			return fmt.Errorf("outputs %q and %q would both be written to %s", other, r.Name, r.File)
		}
		written[r.File] = r.Name
		if err := npy.WriteFile(r.File, storable(o.out[r.Name])); err != nil {
			return err
		}
	}
	return nil
}

func printOutcomes(w io.Writer, outcomes []*outcome, differences []difference) error {
	for _, o := range outcomes {
		fmt.Fprintf(w, "%s %s on %s: %s model, load %.1f ms, run %.3f ms\n", o.Engine, o.Version, o.Device, o.Format, o.LoadMS, o.RunMS)
	}
	fmt.Fprintln(w)
	t := newTable(w, "ENGINE", "TENSOR", "DTYPE", "SHAPE", "MIN", "MAX", "MEAN", "FILE")
	for _, o := range outcomes {
		for _, side := range []struct {
			name    string
			reports []tensorReport
		}{{"in  ", o.Inputs}, {"out ", o.Outputs}} {
			for _, r := range side.reports {
				t.row(o.Engine, side.name+r.Name, r.DType, common.Shape(r.Shape).String(), number(r.Min), number(r.Max), number(r.Mean), r.File)
			}
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if len(outcomes) < 2 {
		return nil
	}
	fmt.Fprintln(w)
	t = newTable(w, "OUTPUT", "ENGINE", "AGAINST", "MAX ABS DIFF", "MAX REL DIFF")
	for _, d := range differences {
		if d.Why != "" {
			t.row(d.Output, d.Engine, d.Against, "not compared: "+d.Why, "")
			continue
		}
		t.row(d.Output, d.Engine, d.Against, fmt.Sprintf("%.3g", d.Abs), fmt.Sprintf("%.3g", d.Rel))
	}
	return t.flush()
}

func number(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.4g", *v)
}
