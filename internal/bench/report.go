// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"cmp"
	"fmt"
	"time"
)

// Report is the result of Run.
type Report struct {
	DurationS   float64  `json:"duration_s"` // of each engine
	RoundMS     float64  `json:"round_ms"`
	Warmup      int      `json:"warmup"`
	Concurrency int      `json:"concurrency"`
	Interrupted bool     `json:"interrupted"`
	Engines     []Result `json:"engines"`
	Warnings    []string `json:"warnings"`
}

// Result is an engine's part of a Report.
type Result struct {
	Engine string `json:"engine"`
	Error  string `json:"error,omitempty"` // if nothing was measured
	Loaded
	Runs       int64     `json:"runs"`
	MeasuredS  float64   `json:"measured_s"`
	Latency    Latencies `json:"latency_us"`
	RunsPerS   float64   `json:"runs_per_s"` // of all sessions together
	PeakMemory int64     `json:"peak_memory_bytes"`
	Ratio      float64   `json:"ratio"`        // of P50 to the first engine's
	RoundP50US []float64 `json:"round_p50_us"` // the median latency in each round
	Spread     float64   `json:"spread"`       // of RoundP50US
}

// Latencies are in microseconds.
type Latencies struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
}

// newReport makes the report of contenders. It omits contenders that were
// interrupted in their first round.
func newReport(contenders []*contender, sessions int) *Report {
	r := &Report{Concurrency: sessions, Engines: []Result{}}
	var first float64 // P50
	for _, c := range contenders {
		e := Result{Engine: c.engine, RoundP50US: []float64{}}
		if c.loaded != nil {
			e.Loaded = *c.loaded
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
			e.Latency = Latencies{us(l.Min), us(l.Mean), us(l.P50), us(l.P90), us(l.P95), us(l.P99), us(l.Max)}
			e.RunsPerS = float64(sessions) / l.Mean.Seconds()
			e.Ratio, e.Spread = us(l.P50)/first, spread(e.RoundP50US)
		}
		r.Engines = append(r.Engines, e)
	}
	return r
}

// us returns d in microseconds.
func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// FormatLatency formats microseconds with their unit.
func FormatLatency(us float64) string {
	switch {
	case us < 999.5:
		return FormatNumber(us) + " us"
	case us < 999.5e3:
		return FormatNumber(us/1e3) + " ms"
	}
	return FormatNumber(us/1e6) + " s"
}

// FormatNumber formats v with three digits, or as a whole number if that has more.
func FormatNumber(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
