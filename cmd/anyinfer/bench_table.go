// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/anyinfer/anyinfer/internal/bench"
)

func printBench(w io.Writer, r *bench.Report) error {
	done := slices.DeleteFunc(slices.Clone(r.Engines), func(e bench.Result) bool { return e.Error != "" })
	if len(done) == 0 {
		return nil
	}
	for _, e := range done {
		printLoaded(w, e.Engine, e.Version, e.Device, e.File, threads(e.Threads), details(e.Details))
	}
	fmt.Fprintln(w)
	t := newTable(w, "ENGINE", "LOAD", "FIRST", "MIN", "P50", "P90", "P99", "MAX", "RUNS/S", "PEAK MEM", "RATIO")
	for _, e := range r.Engines {
		if e.Error != "" {
			t.row(e.Engine, "failed, see below")
			continue
		}
		l, name := e.Latency, e.Engine
		if e.Isolated {
			name += " (isolated)"
		}
		cells := []string{name, bench.FormatLatency(1000 * e.LoadMS), bench.FormatLatency(1000 * e.FirstRunMS)}
		for _, v := range []float64{l.Min, l.P50, l.P90, l.P99, l.Max} {
			cells = append(cells, bench.FormatLatency(v))
		}
		memory := "-"
		if e.PeakMemory > 0 {
			memory = bench.FormatNumber(float64(e.PeakMemory)/1e6) + " MB"
		}
		ratio := fmt.Sprintf("%.2f", e.Ratio)
		if e.Ratio >= 100 {
			ratio = bench.FormatNumber(e.Ratio)
		}
		t.row(append(cells, bench.FormatNumber(e.RunsPerS), memory, ratio)...)
	}
	if err := t.flush(); err != nil {
		return err
	}
	for i, text := range r.Warnings {
		if i == 0 {
			fmt.Fprintln(w)
		}
		paragraph(w, "warning: "+text, "  ")
	}
	return nil
}
