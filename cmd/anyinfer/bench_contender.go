// SPDX-License-Identifier: Apache-2.0

package main

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

// contender is an engine in bench, with its worker.
type contender struct {
	engine    string
	loaded    *loaded
	rounds    []time.Duration // the median of each
	measured  time.Duration
	latencies *latencies
	err       error
	missing   bool // err is that it is not installed

	worker  *exec.Cmd
	in      io.WriteCloser
	answers chan answer // closed when the worker has ended and exit says how
	exit    error
	said    said
}

// stopTime is how long a worker may take to stop: a native call may not be interruptible.
const stopTime = 3 * time.Second

// start starts the worker and has it load the model.
func (c *contender) start(ctx context.Context, j job) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	c.worker = exec.Command(exe, benchWorkerName)
	c.worker.Stderr = &c.said
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
		c.listen(out)
		c.exit = c.worker.Wait()
	}()
	a, err := c.ask(ctx, j)
	c.loaded = a.Loaded
	return err
}

// listen passes answers on until out ends.
func (c *contender) listen(out io.Reader) {
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if text, ok := strings.CutPrefix(line, answerMark); ok {
			a := answer{}
			if err := json.Unmarshal([]byte(text), &a); err != nil {
				a.Error = fmt.Sprintf("its worker answers %.100q: %v", text, err)
			}
			c.answers <- a
		} else if line != "\n" {
			c.said.Write([]byte(line))
		}
		if err != nil {
			return
		}
	}
}

// ask sends a job or a slice, and waits for the answer.
func (c *contender) ask(ctx context.Context, order any) (answer, error) {
	sent := json.NewEncoder(c.in).Encode(order) // fails where the worker has ended, of which receive knows more
	select {
	case a, ok := <-c.answers:
		switch {
		case !ok:
			return a, c.died()
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

// turn measures for d.
func (c *contender) turn(ctx context.Context, d time.Duration) error {
	a, err := c.ask(ctx, d)
	if err != nil {
		return err
	}
	if a.Round == nil || a.Round.Runs == 0 {
		return fmt.Errorf("its worker answers nonsense: %+v", a)
	}
	c.rounds = append(c.rounds, a.Round.P50)
	c.measured += a.Round.Took
	return nil
}

// stop tells the worker to stop.
func (c *contender) stop() {
	if c.in != nil {
		c.in.Close()
	}
}

// finish has the result of the worker, which was told to stop, and waits until it has ended.
func (c *contender) finish() error {
	if c.answers == nil {
		return nil // it did not start
	}
	timeout := time.AfterFunc(stopTime, func() { c.worker.Process.Kill() })
	defer timeout.Stop()
	for a := range c.answers {
		if a.Latencies != nil {
			c.latencies = a.Latencies
		}
	}
	if c.latencies == nil {
		return c.died()
	}
	return nil
}

// died is the error of a worker that ended by itself, with its last words:
// those before what Go prints of its goroutines when it crashes.
func (c *contender) died() error {
	text := c.said.String()
	for _, trace := range []string{"\nruntime stack:", "\ngoroutine "} {
		text, _, _ = strings.Cut(text, trace)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := strings.Join(lines[max(len(lines)-5, 0):], "\n  ")
	return errors.New(strings.TrimSpace(fmt.Sprintf("its process ended: %v\n  %s", c.exit, last)))
}

// fail notes what keeps the engine from being measured.
func (c *contender) fail(err error) {
	if !strings.HasPrefix(err.Error(), c.engine) {
		err = fmt.Errorf("%s: %w", c.engine, err)
	}
	c.err = err
}

// said keeps the beginning of what a worker and its SDK print.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const most = 64 << 10
	s.text.Write(p[:min(len(p), max(most-s.text.Len(), 0))])
	return len(p), nil
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
