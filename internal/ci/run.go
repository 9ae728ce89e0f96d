// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

var (
	errUsage = errors.New("usage: go run ./internal/ci STEP...; go run ./internal/ci --list shows the steps")
	inCI     = os.Getenv("CI") != "" // there a missing SDK or tool is a failure
)

// cache is a path in the folder for what is installed and compiled.
func cache(elem ...string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		panic(err) // there is no home
	}
	return filepath.Join(append([]string{dir, "anyinfer"}, elem...)...)
}

// goflags keep go test from reusing results: it does not notice that an SDK, a stand-in or a shim has changed.
var goflags = os.Getenv("GOFLAGS") + " -count=1"

// environment is that of lines of shell.
func environment() []string {
	tnn, tensorrt := chosen("tnn", ""), chosen("tensorrt", "1015")
	return append(os.Environ(), "GOFLAGS="+goflags, "CACHE="+cache(), "PYTHON="+cmp.Or(os.Getenv("PYTHON"), "python3"), "SANITIZE="+sanitizers,
		"TNN="+tnn.root(), "TNN_SHIM="+tnn.shim(), "TENSORRT="+tensorrt.root(), "TENSORRT_SHIM="+tensorrt.shim())
}

// task is a running step. After a failure its methods do nothing.
type task struct {
	step
	out  io.Writer // what its commands print
	env  []string
	err  error
	took time.Duration
	cpu  time.Duration // of its commands
}

// fail records a failure outside a line of shell.
func (t *task) fail(err error) { t.err = cmp.Or(t.err, err) }

// sh runs a line of shell, and returns what it prints.
func (t *task) sh(line string) string {
	if t.err != nil {
		return ""
	}
	fmt.Fprintln(t.out, "+", line)
	var printed bytes.Buffer
	cmd := exec.Command("sh", "-c", line)
	cmd.Env, cmd.Stdout = t.env, io.MultiWriter(t.out, &printed)
	cmd.Stderr = cmd.Stdout
	t.err = cmd.Run()
	t.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return printed.String()
}

// made makes a folder of the cache with do, unless the line of shell inputs
// prints the same as when the folder was made.
func (t *task) made(dir, inputs string, do func()) {
	was, _ := os.ReadFile(filepath.Join(dir, ".made"))
	if is := t.sh(inputs); is != string(was) && t.err == nil {
		t.fail(os.RemoveAll(dir))
		t.write(filepath.Join(dir, ".made"), "", 0o666)
		do()
		t.write(filepath.Join(dir, ".made"), is, 0o666)
	}
}

// write writes a file, and makes the folders above it.
func (t *task) write(file, text string, mode os.FileMode) {
	if t.err == nil {
		t.err = cmp.Or(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte(text), mode))
	}
}

func (t *task) String() string {
	text := fmt.Sprintf("=== %-26s %6.1f s, %6.1f s of CPU", t.name, t.took.Seconds(), t.cpu.Seconds())
	switch {
	case t.err == nil:
		return text
	case t.optional && !inCI:
		return text + "  left out, and tests that need it are skipped: see above"
	}
	return fmt.Sprintf("%s  failed: %v; again: go run ./internal/ci %s", text, t.err, t.name)
}

// schedule runs steps, each once.
type schedule struct {
	steps map[string]func(beside bool) error
	mu    sync.Mutex
	done  []*task
}

func newSchedule(steps []step) *schedule {
	r := &schedule{steps: map[string]func(bool) error{}}
	for _, s := range steps {
		var once sync.Once
		var err error
		r.steps[s.name] = func(beside bool) error {
			once.Do(func() { err = r.run(s, beside) })
			return err
		}
	}
	return r
}

// all runs steps, as many at once as there are processors.
func (r *schedule) all(names string) error {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for name := range strings.FieldsSeq(names) {
		group.Go(func() error { return r.steps[name](true) })
	}
	return group.Wait()
}

// run runs a step after those that it needs. Beside other steps its output is
// printed when it has ended, and the go command uses one processor.
func (r *schedule) run(s step, beside bool) error {
	if s.group != "" {
		return r.all(s.group)
	}
	t := &task{step: s, out: os.Stdout, env: environment()}
	t.fail(r.all(s.needs))
	fmt.Printf("=== %s: %s\n", s.name, s.help)
	var printed bytes.Buffer
	if beside {
		t.out, t.env = &printed, append(t.env, "GOFLAGS="+goflags+" -p=1")
	}
	start := time.Now()
	for _, line := range s.lines {
		t.sh(line)
	}
	if s.run != nil {
		s.run(t)
	}
	t.took = time.Since(start)
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Printf("%s%v\n", &printed, t)
	r.done = append(r.done, t)
	if t.err == nil || s.optional && !inCI {
		return nil
	}
	return fmt.Errorf("%s: %w", s.name, t.err)
}

// runSteps runs the steps, also after one has failed.
func runSteps(chosen []string) error {
	if len(chosen) == 0 {
		return errUsage
	}
	r := newSchedule(steps)
	var problems []error
	start := time.Now()
	for _, name := range chosen {
		if r.steps[name] == nil {
			return fmt.Errorf("there is no step %q; %w", name, errUsage)
		}
		problems = append(problems, r.steps[name](false))
	}
	fmt.Printf("\n=== %-26s %6.1f s\n", "in all", time.Since(start).Seconds())
	for _, t := range r.done {
		fmt.Println(t)
	}
	return errors.Join(problems...)
}

// list prints the table.
func list([]string) error {
	for _, s := range steps {
		fmt.Printf("%s\n    %s\n", s.name, s.help)
		if also := s.needs + s.group; also != "" {
			fmt.Printf("    runs %s\n", also)
		}
		for _, line := range s.lines {
			fmt.Printf("    $ %s\n", line)
		}
	}
	return nil
}
