// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/internal/values"
)

// outcome is the result of running a model on one engine.
type outcome struct {
	Engine    string         `json:"engine"`
	Version   string         `json:"version"`
	Format    string         `json:"format"`
	Device    string         `json:"device"`
	Signature string         `json:"signature"`
	LoadMS    float64        `json:"load_ms"`
	RunMS     float64        `json:"run_ms"`
	Inputs    []tensorReport `json:"inputs"`
	Outputs   []tensorReport `json:"outputs"`

	out common.Tensors
}

// tensorReport describes an input or output and its content.
type tensorReport struct {
	Name    string       `json:"name"`
	DType   string       `json:"dtype"`
	Shape   []int        `json:"shape"`
	Min     *float64     `json:"min,omitempty"`
	Max     *float64     `json:"max,omitempty"`
	Mean    *float64     `json:"mean,omitempty"`
	Top     [][]labelled `json:"top,omitempty"` // of each row
	Strings []string     `json:"strings,omitempty"`
	File    string       `json:"file,omitempty"`
}

func report(info common.TensorInfo, t *common.Tensor) tensorReport {
	r := tensorReport{Name: info.Name, DType: t.DType().String(), Shape: t.Shape()}
	if t.DType() == common.String {
		r.Strings, _ = common.Data[string](t)
		return r
	}
	v := values.Float64s(t)
	if s := summarize(v); s.n > 0 {
		r.Min, r.Max, r.Mean = &s.min, &s.max, &s.mean
		r.Top = top(info, v)
	}
	return r
}

// write writes the outputs to dir, and sets their File.
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
		t := o.out[r.Name]
		r.File = filepath.Join(dir, strings.NewReplacer("/", "_", `\`, "_").Replace(r.Name)+".npy")
		write := func() error { return npy.WriteFile(r.File, npyTensor(t)) }
		if t.DType() == common.String {
			r.File = strings.TrimSuffix(r.File, ".npy") + ".json"
			write = func() error { return model.WriteJSON(r.File, t) }
		}
		if other, ok := written[r.File]; ok {
			return fmt.Errorf("outputs %q and %q would both be written to %s", other, r.Name, r.File)
		}
		written[r.File] = r.Name
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

func printOutcomes(w io.Writer, outcomes []*outcome, differences []difference) error {
	for _, o := range outcomes {
		printLoaded(w, o.Engine, o.Version, o.Device, o.Format+" model", fmt.Sprintf("load %.1f ms", o.LoadMS), fmt.Sprintf("run %.3f ms", o.RunMS))
	}
	fmt.Fprintln(w)
	t := newTable(w, "ENGINE", "TENSOR", "DTYPE", "SHAPE", "MIN", "MAX", "MEAN")
	var contents [][]string
	var files []string
	for _, o := range outcomes {
		for _, side := range []struct {
			name    string
			reports []tensorReport
		}{{"in  ", o.Inputs}, {"out ", o.Outputs}} {
			for _, r := range side.reports {
				t.row(o.Engine, side.name+r.Name, r.DType, common.Shape(r.Shape).String(), number(r.Min), number(r.Max), number(r.Mean))
				if r.File != "" {
					files = append(files, r.File)
				}
				for _, text := range r.contents() {
					contents = append(contents, []string{o.Engine, side.name + r.Name, text})
				}
			}
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if contents != nil {
		fmt.Fprintln(w)
		t = newTable(w, "ENGINE", "TENSOR", "HOLDS")
		for _, c := range contents {
			t.row(c...)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if len(outcomes) > 1 {
		fmt.Fprintln(w)
		if err := printDifferences(w, differences); err != nil {
			return err
		}
	}
	for i, f := range files {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "written: %s\n", f)
	}
	return nil
}

// contents returns lines with a tensor's labels or strings.
func (r tensorReport) contents() []string {
	var lines []string
	for _, row := range r.Top {
		lines = append(lines, topText(row))
	}
	if r.Strings != nil {
		lines = append(lines, listed(r.Strings))
	}
	return lines
}

// listed formats the first few of texts.
func listed(texts []string) string {
	const limit = 5
	var quoted []string
	for _, s := range texts[:min(len(texts), limit)] {
		quoted = append(quoted, fmt.Sprintf("%.40q", s))
	}
	if len(texts) > limit {
		quoted = append(quoted, fmt.Sprintf("... (%d)", len(texts)))
	}
	return strings.Join(quoted, ", ")
}

func number(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.4g", *v)
}
