// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/anyinfer/anyinfer/common"
)

// printInspections prints the loaded models.
func printInspections(w io.Writer, all []inspection) error {
	all = slices.DeleteFunc(slices.Clone(all), func(i inspection) bool { return i.Error != "" })
	for n, i := range all {
		if n > 0 {
			fmt.Fprintln(w)
		}
		if err := i.print(w); err != nil {
			return err
		}
	}
	return nil
}

func (i inspection) print(w io.Writer) error {
	fmt.Fprintln(w, strings.Join(i.Files, " "))
	printLoaded(w, i.Engine, i.Version, i.Device, i.Format+" model", threads(i.Threads), i.Precision, details(i.Details))
	for _, key := range slices.Sorted(maps.Keys(i.Metadata)) {
		name := "  " + shortened(key, tableWidth/2) + ": "
		fmt.Fprintln(w, name+shortened(i.Metadata[key], tableWidth-utf8.RuneCountInString(name)))
	}
	fmt.Fprintln(w)
	named := slices.ContainsFunc(i.Signatures, func(s signatureDescription) bool { return s.Name != "" })
	cells := func(signature string, more ...string) []string {
		if !named {
			return more
		}
		return append([]string{signature}, more...)
	}
	t := newTable(w, cells("SIGNATURE", "TENSOR", "DTYPE", "SHAPE", "QUANTIZATION")...)
	labels := newTable(w, cells("SIGNATURE", "TENSOR", "LABELS")...)
	for _, sig := range i.Signatures {
		name := cmp.Or(sig.Name, "-")
		for _, side := range []struct {
			name    string
			tensors []tensorDescription
		}{{"in  ", sig.Inputs}, {"out ", sig.Outputs}} {
			for _, d := range side.tensors {
				t.row(cells(name, side.name+d.Name, d.DType, common.Shape(d.Shape).String(), d.Quantization.String())...)
				if len(d.Labels) > 0 {
					labels.row(cells(name, side.name+d.Name, listed(d.Labels))...)
				}
			}
		}
	}
	if err := t.flush(); err != nil || len(labels.rows) == 1 {
		return err
	}
	fmt.Fprintln(w)
	return labels.flush()
}

// shortened returns text in one line of at most width columns, with the size of a text
// that it cuts.
func shortened(text string, width int) string {
	line := []rune(printable(strings.Join(strings.Fields(text), " ")))
	if len(line) <= width {
		return string(line)
	}
	size := fmt.Sprintf("... (%d bytes)", len(text))
	return string(line[:width-len(size)]) + size
}

// details formats ModelInfo.Details.
func details(all map[string]string) string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		list = append(list, key+" "+all[key])
	}
	return strings.Join(list, ", ")
}

func (q *quantizationDescription) String() string {
	switch {
	case q == nil || len(q.Scale) == 0:
		return "-"
	case len(q.Scale) == 1 && len(q.ZeroPoint) == 1:
		return fmt.Sprintf("scale %s, zero point %d", scale(q.Scale[0]), q.ZeroPoint[0])
	}
	low, high := q.Scale[0], q.Scale[0]
	for _, s := range q.Scale {
		if s == nil || low == nil {
			return fmt.Sprintf("%d scales, not all finite, along axis %d", len(q.Scale), q.Axis)
		}
		if *s < *low {
			low = s
		}
		if *s > *high {
			high = s
		}
	}
	return fmt.Sprintf("%d scales from %s to %s along axis %d", len(q.Scale), scale(low), scale(high), q.Axis)
}

func scale(s *float32) string {
	if s == nil {
		return "not finite"
	}
	return fmt.Sprintf("%.4g", *s)
}
