// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"time"
)

// Each engine is measured in a process of its own, a worker: this executable,
// started anew. JSON goes over its standard input and output: first a job,
// then a slice of time whenever it is the worker's turn; each gets an answer.
// At the end of its input the worker stops, gives its result and exits, so
// that none is left behind, whatever ends the process that started it.

// job is what a worker is to measure.
type job struct {
	Engine    string   `json:"engine"`
	Files     []string `json:"files"`
	Signature string   `json:"signature"`
	Inputs    []string `json:"inputs"` // as in --input
	Shapes    []string `json:"shapes"` // as in --shape
	Device    string   `json:"device"`
	Threads   int      `json:"threads"`
	Sessions  int      `json:"sessions"`
	Warmup    int      `json:"warmup"`
}

// answer has one of its fields set.
type answer struct {
	Error        string     `json:"error,omitempty"`
	NotInstalled string     `json:"not_installed,omitempty"` // there is no SDK for the engine; an error
	Loaded       *loaded    `json:"loaded,omitempty"`        // to the job
	Round        *round     `json:"round,omitempty"`         // to a slice
	Latencies    *latencies `json:"latencies,omitempty"`     // of all rounds, at the end
}

// loaded is how the model was loaded.
type loaded struct {
	Version    string            `json:"version"`
	Library    string            `json:"library"`
	File       string            `json:"file"`
	Format     string            `json:"format"`
	Device     string            `json:"device"`
	Precision  string            `json:"precision"` // empty where the engine does not tell
	Threads    int               `json:"threads"`   // of a session; 0: the engine decides
	Details    map[string]string `json:"details,omitempty"`
	Signature  string            `json:"signature"`
	OpenMS     float64           `json:"open_ms"`      // the engine's library
	LoadMS     float64           `json:"load_ms"`      // the model, until a session is ready
	FirstRunMS float64           `json:"first_run_ms"` // of that session
}

// round is what was measured in one turn.
type round struct {
	Runs int64         `json:"runs"`
	P50  time.Duration `json:"p50"`
	Took time.Duration `json:"took"` // how long each session ran
}

// latencies sum up all rounds. Durations are of one Run each.
type latencies struct {
	Runs       int64         `json:"runs"`
	Min        time.Duration `json:"min"`
	Mean       time.Duration `json:"mean"`
	P50        time.Duration `json:"p50"`
	P90        time.Duration `json:"p90"`
	P95        time.Duration `json:"p95"`
	P99        time.Duration `json:"p99"`
	Max        time.Duration `json:"max"`
	PeakMemory int64         `json:"peak_memory"` // bytes, less what the process had before it opened the engine
}

// answerMark begins the lines that are answers: an SDK may print lines too.
const answerMark = "\x1eanyinfer "

// say writes an answer, on a line of its own in one write.
func say(w io.Writer, a answer) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = w.Write([]byte("\n" + answerMark + string(text) + "\n"))
	return err
}
