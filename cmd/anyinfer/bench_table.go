// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
)

func (r benchReport) print(w io.Writer) error {
	done := slices.DeleteFunc(slices.Clone(r.Engines), func(e benchResult) bool { return e.Error != "" })
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
		l := e.Latency
		cells := []string{e.Engine, latency(1000 * e.LoadMS), latency(1000 * e.FirstRunMS)}
		for _, v := range []float64{l.Min, l.P50, l.P90, l.P99, l.Max} {
			cells = append(cells, latency(v))
		}
		memory := "-"
		if e.PeakMemory > 0 {
			memory = digits3(float64(e.PeakMemory)/1e6) + " MB"
		}
		ratio := fmt.Sprintf("%.2f", e.Ratio)
		if e.Ratio >= 100 {
			ratio = digits3(e.Ratio)
		}
		t.row(append(cells, digits3(e.RunsPerS), memory, ratio)...)
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

// latency formats microseconds.
func latency(us float64) string {
	switch {
	case us < 999.5:
		return digits3(us) + " us"
	case us < 999.5e3:
		return digits3(us/1e3) + " ms"
	}
	return digits3(us/1e6) + " s"
}

// digits3 formats v with three digits, or all of a larger whole number.
func digits3(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
