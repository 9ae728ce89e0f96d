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
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

var (
	errUsage = errors.New("usage: go run ./internal/ci STEP...; go run ./internal/ci --list shows the steps")
	inCI     = os.Getenv("CI") != "" // where what is missing is a failure
)

// cache is a path below what is installed and made, outside the checkout.
func cache(elem ...string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		panic(err) // there is no home
	}
	return filepath.Join(append([]string{dir, "anyinfer"}, elem...)...)
}

// quote quotes a word for a POSIX shell, where it needs that.
func quote(s string) string {
	if !strings.ContainsAny(s, " \t\n'\"\\$&|;<>()*?[]#~`!{}") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// names are those that lines of steps have for what differs from user to user.
var names = sync.OnceValue(func() *strings.Replacer {
	tnn, tensorrt := chosen("tnn", ""), chosen("tensorrt", "1015")
	return strings.NewReplacer("$CACHE", quote(cache()), "$PYTHON", quote(cmp.Or(os.Getenv("PYTHON"), "python3")),
		"$SANITIZE_CXX", sanitizersCXX, "$SANITIZE", sanitizers, "$TNN_SHIM", quote(tnn.shim()), "$TNN", quote(tnn.root()),
		"$TENSORRT_SHIM", quote(tensorrt.shim()), "$TENSORRT", quote(tensorrt.root()))
})

// test is the line that runs go test.
func (s step) test() string {
	words := []string{s.env, "go test", s.flags, "-timeout 20m"}
	if s.only != "" {
		words = append(words, "-run", quote(s.only))
	}
	if s.skip != "" {
		words = append(words, "-skip", quote(s.skip))
	}
	line := strings.Join(strings.Fields(strings.Join(append(words, s.packages), " ")), " ")
	if s.link != "" {
		line = "env=$(" + roots + " go run ./cmd/anyinfer sdk env " + s.link + `) && eval "$env" && ` + line
	}
	return line
}

// task is a step that runs, until something fails.
type task struct {
	step
	out   io.Writer // what its commands print
	names *strings.Replacer
	env   []string
	err   error
	took  time.Duration
	cpu   time.Duration // of its commands
}

func newTask(s step, out io.Writer) *task { return &task{step: s, out: out, names: names()} }

func (t *task) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// sh runs a line of shell, and returns what it prints. The line is printed as
// it can be typed.
func (t *task) sh(line string) string {
	if t.err != nil {
		return ""
	}
	line = t.names.Replace(names().Replace(line))
	fmt.Fprintln(t.out, "+", line)
	var printed bytes.Buffer
	cmd := exec.Command("sh", "-c", line)
	cmd.Env, cmd.Stdout = append(os.Environ(), t.env...), io.MultiWriter(t.out, &printed)
	cmd.Stderr = cmd.Stdout
	t.err = cmd.Run()
	t.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return printed.String()
}

// made makes a folder of the cache, unless it was made when the line of shell
// inputs printed the same.
func (t *task) made(dir, inputs string, do func()) {
	was, _ := os.ReadFile(filepath.Join(dir, ".made"))
	if is := t.sh(inputs); is != string(was) && t.err == nil {
		t.fail(errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o777)))
		do()
		t.write(filepath.Join(dir, ".made"), is, 0o666)
	}
}

// write writes a file, and makes the folders above it.
func (t *task) write(file, text string, mode os.FileMode) {
	file = t.names.Replace(file)
	if t.err == nil {
		t.err = cmp.Or(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte(t.names.Replace(text)), mode))
	}
}

func (t *task) do() {
	start := time.Now()
	for _, line := range t.lines {
		t.sh(line)
	}
	if t.run != nil && t.err == nil {
		t.run(t)
	}
	if t.packages != "" {
		t.sh(t.test())
	}
	t.took = time.Since(start)
}

func (t *task) String() string {
	text := fmt.Sprintf("=== %-26s %6.1f s, %6.1f s of processors", t.name, t.took.Seconds(), t.cpu.Seconds())
	switch {
	case t.err == nil:
		return text
	case t.optional && !inCI:
		return text + "  left out, and tests that need it are skipped: see above"
	}
	return fmt.Sprintf("%s  failed: %v; again: go run ./internal/ci %s", text, t.err, t.name)
}

// runner runs steps, each once.
type runner struct {
	steps map[string]func(beside bool) error
	mu    sync.Mutex
	done  []*task
}

func newRunner(steps []step) *runner {
	r := &runner{steps: map[string]func(bool) error{}}
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

// all runs steps side by side, as many as there are processors.
func (r *runner) all(names string) error {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for name := range strings.FieldsSeq(names) {
		group.Go(func() error { return r.steps[name](true) })
	}
	return group.Wait()
}

// run runs a step after those that it needs. Beside others its output is printed
// when it has ended, and go test takes one processor.
func (r *runner) run(s step, beside bool) error {
	if s.group != "" {
		return r.all(s.group)
	}
	t := newTask(s, os.Stdout)
	t.fail(r.all(s.needs))
	fmt.Printf("=== %s: %s\n", s.name, s.help)
	var printed bytes.Buffer
	if beside {
		t.out, t.flags = &printed, "-p 1 "+t.flags
	}
	t.do()
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Printf("%s%v\n", &printed, t)
	r.done = append(r.done, t)
	if s.optional && !inCI {
		return nil
	}
	return t.err
}

// runSteps runs all of the steps, also where one has failed.
func runSteps(chosen []string) error {
	if len(chosen) == 0 {
		return errUsage
	}
	r := newRunner(steps)
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
		lines := s.lines
		if s.packages != "" {
			lines = append(slices.Clip(lines), s.test())
		}
		for _, line := range lines {
			fmt.Println("    $", line)
		}
		for _, part := range []struct{ what, text string }{{"needs", s.needs}, {"stands for", s.group}} {
			if part.text != "" {
				fmt.Printf("    %s: %s\n", part.what, part.text)
			}
		}
	}
	return nil
}
