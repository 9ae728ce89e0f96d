// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
	"github.com/anyinfer/anyinfer/internal/values"
)

// difference compares an engine's output with the first engine's.
type difference struct {
	Output  string  `json:"output"`
	Engine  string  `json:"engine"`
	Against string  `json:"against"`
	Abs     float64 `json:"max_abs"`
	Rel     float64 `json:"max_rel"`       // relative to the larger of the two, unless that is tiny
	Why     string  `json:"why,omitempty"` // the reason if it could not be compared
}

// compare compares each outcome with the first.
func compare(outcomes []*outcome) []difference {
	var all []difference
	for i, o := range outcomes {
		if i == 0 {
			continue
		}
		first := outcomes[0]
		for _, out := range first.Outputs {
			d := difference{Output: out.Name, Engine: o.Engine, Against: first.Engine}
			a, b := first.out[out.Name], o.out[out.Name]
			switch {
			case b == nil:
				d.Why = "no output of that name"
			case a.DType() == common.String || b.DType() == common.String:
				d.Why = "strings"
			case !slices.Equal(model.Squeeze(a.Shape()), model.Squeeze(b.Shape())):
				d.Why = fmt.Sprintf("shapes %v and %v", a.Shape(), b.Shape())
			default:
				d.Abs, d.Rel = largestDifference(values.Float64s(a), values.Float64s(b))
			}
			all = append(all, d)
		}
	}
	return all
}

// largestDifference returns the largest absolute and relative difference. It is
// math.MaxFloat64 if only one side is finite, as JSON has no infinity.
func largestDifference(a, b []float64) (abs, rel float64) {
	for i, x := range a {
		y := b[i]
		d := math.Abs(x - y)
		switch {
		case x == y || math.IsNaN(x) && math.IsNaN(y):
			continue
		case math.IsNaN(d) || math.IsInf(d, 0):
			abs, rel = math.MaxFloat64, math.MaxFloat64
			continue
		}
		abs = max(abs, d)
		if m := max(math.Abs(x), math.Abs(y)); m > 1e-6 {
			rel = max(rel, d/m)
		}
	}
	return abs, rel
}

func printDifferences(w io.Writer, differences []difference) error {
	t := newTable(w, "OUTPUT", "ENGINE", "AGAINST", "MAX ABS DIFF", "MAX REL DIFF")
	for _, d := range differences {
		if d.Why != "" {
			t.row(d.Output, d.Engine, d.Against, "not compared: "+d.Why, "")
			continue
		}
		t.row(d.Output, d.Engine, d.Against, fmt.Sprintf("%.3g", d.Abs), fmt.Sprintf("%.3g", d.Rel))
	}
	return t.flush()
}
