// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// contender is a measured engine with its worker.
type contender struct {
	engine    string
	loaded    *Loaded
	rounds    []time.Duration // the median of each
	measured  time.Duration
	latencies *latencies
	err       error
	missing   bool // err means that the engine is not installed

	worker  *exec.Cmd
	in      io.WriteCloser
	answers chan answer // closed when the worker has ended and exit is set
	exit    error
	output  output
}

// stopTime is the time that a worker has to stop: a native call may not be interruptible.
const stopTime = 3 * time.Second

// start starts the worker and makes it load the model.
func (c *contender) start(ctx context.Context, j job) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	c.worker = exec.Command(exe, WorkerCommand)
	c.worker.Stderr = &c.output
	if c.in, err = c.worker.StdinPipe(); err != nil {
		return err
	}
	out, err := c.worker.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.worker.Start(); err != nil {
		return err
	}
	c.answers = make(chan answer)
	go func() {
		defer close(c.answers)
		c.readAnswers(out)
		c.exit = c.worker.Wait()
	}()
	a, err := c.call(ctx, j)
	c.loaded = a.Loaded
	return err
}

// readAnswers sends the answers on until out ends.
func (c *contender) readAnswers(out io.Reader) {
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if text, ok := strings.CutPrefix(line, answerMark); ok {
			a := answer{}
			if err := json.Unmarshal([]byte(text), &a); err != nil {
				a.Error = fmt.Sprintf("unreadable answer of its worker, %.100q: %v", text, err)
			}
			c.answers <- a
		} else if line != "\n" {
			c.output.Write([]byte(line))
		}
		if err != nil {
			return
		}
	}
}

// call sends a request, a job or a duration, and waits for the answer.
func (c *contender) call(ctx context.Context, request any) (answer, error) {
	sent := json.NewEncoder(c.in).Encode(request) // fails if the worker has ended; then c.exit has the reason
	select {
	case a, ok := <-c.answers:
		switch {
		case !ok:
			return a, c.exitError()
		case a.NotInstalled != "":
			c.missing = true
			return a, errors.New(a.NotInstalled)
		case a.Error != "":
			return a, errors.New(a.Error)
		}
		return a, sent
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

// runRound measures for d.
func (c *contender) runRound(ctx context.Context, d time.Duration) error {
	a, err := c.call(ctx, d)
	if err != nil {
		return err
	}
	if a.Round == nil || a.Round.Runs == 0 {
		return fmt.Errorf("unexpected answer of its worker: %+v", a)
	}
	c.rounds = append(c.rounds, a.Round.P50)
	c.measured += a.Round.Took
	return nil
}

// stop makes the worker stop: its input ends.
func (c *contender) stop() {
	if c.in != nil {
		c.in.Close()
	}
}

// finish reads the result of the worker after stop, and waits until it has ended.
func (c *contender) finish() error {
	if c.answers == nil {
		return nil // the worker did not start
	}
	timeout := time.AfterFunc(stopTime, func() { c.worker.Process.Kill() })
	defer timeout.Stop()
	for a := range c.answers {
		if a.Latencies != nil {
			c.latencies = a.Latencies
		}
	}
	if c.latencies == nil {
		return c.exitError()
	}
	return nil
}

// exitError returns the error of a worker that ended by itself, with the last lines of
// the worker's output except the goroutine stacks of a crash.
func (c *contender) exitError() error {
	text := c.output.String()
	for _, trace := range []string{"\nruntime stack:", "\ngoroutine "} {
		text, _, _ = strings.Cut(text, trace)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := strings.Join(lines[max(len(lines)-5, 0):], "\n  ")
	return errors.New(strings.TrimSpace(fmt.Sprintf("its process ended: %v\n  %s", c.exit, last)))
}

// fail sets the error for which the engine is not measured.
func (c *contender) fail(err error) {
	if !strings.HasPrefix(err.Error(), c.engine) {
		err = fmt.Errorf("%s: %w", c.engine, err)
	}
	c.err = err
}

// output keeps the first bytes that a worker and its SDK print.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	const limit = 64 << 10
	o.text.Write(p[:min(len(p), max(limit-o.text.Len(), 0))])
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
