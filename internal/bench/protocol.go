// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/json"
	"io"
	"time"
)

// Each engine is measured in a process of its own, a worker, which runs the same
// executable. Requests and answers are JSON on its standard input and output: first
// a job, then the duration of a round whenever it is the worker's turn; each gets an
// answer. At the end of its input the worker sends its result and exits, so it does
// not outlive the process that started it, however that ends.

// job is a worker's task.
type job struct {
	Engine   string   `json:"engine"`
	Workload Workload `json:"workload"`
}

// answer has one of its fields set.
type answer struct {
	Error        string     `json:"error,omitempty"`
	NotInstalled string     `json:"not_installed,omitempty"` // the error if the engine has no SDK here
	Loaded       *Loaded    `json:"loaded,omitempty"`        // to the job
	Round        *round     `json:"round,omitempty"`         // to a duration
	Latencies    *latencies `json:"latencies,omitempty"`     // of all rounds, at the end
}

// Loaded describes how the model was loaded.
type Loaded struct {
	Version    string            `json:"version"`
	Library    string            `json:"library"`
	File       string            `json:"file"`
	Format     string            `json:"format"`
	Device     string            `json:"device"`
	Precision  string            `json:"precision"` // empty if the engine does not report it
	Threads    int               `json:"threads"`   // of a session; 0: the engine decides
	Details    map[string]string `json:"details,omitempty"`
	Isolated   bool              `json:"isolated,omitempty"` // in a child of the worker
	Signature  string            `json:"signature"`
	OpenMS     float64           `json:"open_ms"`      // the engine's library
	LoadMS     float64           `json:"load_ms"`      // the model, until a session is ready
	FirstRunMS float64           `json:"first_run_ms"` // of that session
}

// round has the measurements of one round.
type round struct {
	Runs int64         `json:"runs"`
	P50  time.Duration `json:"p50"`
	Took time.Duration `json:"took"` // the time that each session ran
}

// latencies has the statistics of all rounds. Its durations are of one Run.
type latencies struct {
	Runs       int64         `json:"runs"`
	Min        time.Duration `json:"min"`
	Mean       time.Duration `json:"mean"`
	P50        time.Duration `json:"p50"`
	P90        time.Duration `json:"p90"`
	P95        time.Duration `json:"p95"`
	P99        time.Duration `json:"p99"`
	Max        time.Duration `json:"max"`
	PeakMemory int64         `json:"peak_memory"` // bytes, without the memory of the process before it opened the engine
}

// answerMark begins the lines that are answers, since an SDK may print lines too.
const answerMark = "\x1eanyinfer "

// writeAnswer writes an answer as one line, in one write.
func writeAnswer(w io.Writer, a answer) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = w.Write([]byte("\n" + answerMark + string(text) + "\n"))
	return err
}
