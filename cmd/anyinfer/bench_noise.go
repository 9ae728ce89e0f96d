// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
)

const (
	fewRounds = 5   // tell nothing about noise
	muchNoise = 0.2 // a spread that makes the numbers themselves doubtful
)

// noise says where the measurements cannot be relied on, and what to do.
func noise(all []benchResult) []string {
	var texts []string
	warn := func(format string, args ...any) { texts = append(texts, fmt.Sprintf(format, args...)) }
	var first []float64
	for _, e := range all {
		rounds := e.RoundP50US
		switch n := len(rounds); {
		case n == 0:
			continue
		case n < fewRounds:
			warn("%s: %d rounds are too few to tell noise from speed", e.Engine, n)
			continue
		case e.Spread > muchNoise:
			warn("%s: its P50 varies from round to round: %s to %s", e.Engine, latency(quantile(rounds, low)), latency(quantile(rounds, high)))
		}
		if first == nil {
			first = rounds
			continue
		}
		r := ratios(rounds, first)
		if from, to := quantile(r, low), quantile(r, high); from <= 1 && to >= 1 {
			warn("%s: whether it is slower or faster than the first engine cannot be told: in single rounds the ratio is %.2f to %.2f", e.Engine, from, to)
		}
	}
	if texts != nil {
		warn("to trust the numbers, leave the machine idle, give fewer --threads than it has cores, or measure longer with --duration")
	}
	return texts
}

// ratios compares rounds that were measured one after the other.
func ratios(a, b []float64) []float64 {
	var all []float64
	for i := range min(len(a), len(b)) {
		all = append(all, a[i]/b[i])
	}
	return all
}

// low and high are the quantiles that rounds are said to lie between, since
// one round may be an accident.
const low, high = 0.1, 0.9

// spread is how far v lies apart, relative to its median.
func spread(v []float64) float64 {
	return (quantile(v, high) - quantile(v, low)) / quantile(v, 0.5)
}

// quantile is that of v, which is not empty: the nearest.
func quantile(v []float64, q float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[int(q*float64(len(v)-1)+0.5)]
}
