// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"time"
)

// benchReport is what bench --json prints.
type benchReport struct {
	DurationS   float64       `json:"duration_s"` // of each engine
	RoundMS     float64       `json:"round_ms"`
	Warmup      int           `json:"warmup"`
	Concurrency int           `json:"concurrency"`
	Interrupted bool          `json:"interrupted"`
	Engines     []benchResult `json:"engines"`
	Warnings    []string      `json:"warnings"`
}

// benchResult is an engine's part of it.
type benchResult struct {
	Engine string `json:"engine"`
	Error  string `json:"error,omitempty"` // then nothing was measured
	loaded
	Runs       int64     `json:"runs"`
	MeasuredS  float64   `json:"measured_s"`
	Latency    latencyUS `json:"latency_us"`
	RunsPerS   float64   `json:"runs_per_s"` // of all sessions together
	PeakMemory int64     `json:"peak_memory_bytes"`
	Ratio      float64   `json:"ratio"`        // of P50 to the first engine's
	RoundP50US []float64 `json:"round_p50_us"` // the median latency in each round
	Spread     float64   `json:"spread"`       // between these
}

// latencyUS are latencies in microseconds.
type latencyUS struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
}

// newBenchReport has the results of contenders, but of those that were
// interrupted before there was one.
func newBenchReport(contenders []*contender, sessions int) benchReport {
	r := benchReport{Concurrency: sessions, Engines: []benchResult{}}
	var first float64 // P50
	for _, c := range contenders {
		e := benchResult{Engine: c.engine, RoundP50US: []float64{}}
		if c.loaded != nil {
			e.loaded = *c.loaded
		}
		switch l := c.latencies; {
		case c.err != nil:
			e.Error = c.err.Error()
		case l == nil || len(c.rounds) == 0:
			continue
		default:
			for _, d := range c.rounds {
				e.RoundP50US = append(e.RoundP50US, us(d))
			}
			first = cmp.Or(first, us(l.P50))
			e.Runs, e.MeasuredS, e.PeakMemory = l.Runs, c.measured.Seconds(), l.PeakMemory
			e.Latency = latencyUS{us(l.Min), us(l.Mean), us(l.P50), us(l.P90), us(l.P95), us(l.P99), us(l.Max)}
			e.RunsPerS = float64(sessions) / l.Mean.Seconds()
			e.Ratio, e.Spread = us(l.P50)/first, spread(e.RoundP50US)
		}
		r.Engines = append(r.Engines, e)
	}
	return r
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
