// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"slices"
)

const (
	minRounds = 5   // the minimum to estimate the noise of the machine
	maxSpread = 0.2 // the numbers are unreliable if the spread is larger
)

// noiseWarnings returns a warning for each unreliable measurement, and advice.
func noiseWarnings(all []Result) []string {
	var texts []string
	warn := func(format string, args ...any) { texts = append(texts, fmt.Sprintf(format, args...)) }
	var first []float64
	for _, e := range all {
		rounds := e.RoundP50US
		switch n := len(rounds); {
		case n == 0:
			continue
		case n < minRounds:
			warn("%s: %d rounds, too few to tell speed from noise", e.Engine, n)
			continue
		case e.Spread > maxSpread:
			warn("%s: its P50 varies between rounds, from %s to %s", e.Engine, FormatLatency(quantile(rounds, low)), FormatLatency(quantile(rounds, high)))
		}
		if first == nil {
			first = rounds
			continue
		}
		r := ratios(rounds, first)
		if from, to := quantile(r, low), quantile(r, high); from <= 1 && to >= 1 {
			warn("%s: it may be slower or faster than the first engine: the ratio of single rounds is between %.2f and %.2f", e.Engine, from, to)
		}
	}
	if texts != nil {
		warn("for reliable numbers leave the machine idle, use fewer threads than it has cores, or measure for longer")
	}
	return texts
}

// ratios divides the rounds of a by the rounds of b that were measured right after.
func ratios(a, b []float64) []float64 {
	var all []float64
	for i := range min(len(a), len(b)) {
		all = append(all, a[i]/b[i])
	}
	return all
}

// low and high are the quantiles that are reported as the range of the rounds,
// since a single round may be disturbed by chance.
const low, high = 0.1, 0.9

// spread returns the range of v, relative to its median.
func spread(v []float64) float64 {
	return (quantile(v, high) - quantile(v, low)) / quantile(v, 0.5)
}

// quantile returns the value of v, which is not empty, that is nearest to quantile q.
func quantile(v []float64, q float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[int(q*float64(len(v)-1)+0.5)]
}
