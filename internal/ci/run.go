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

var errUsage = errors.New("usage: go run ./internal/ci STEP...; go run ./internal/ci --list shows the steps")

// inCI is where what is missing is a failure.
var inCI = os.Getenv("CI") != ""

// values replaces names in the lines of steps, so that what is printed can be
// typed as well.
var values = func() *strings.Replacer {
	tnn, tensorrt := chosen("tnn", ""), chosen("tensorrt", "1015")
	return strings.NewReplacer("$SANITIZE_CXX", sanitizersCXX, "$SANITIZE", sanitizers, "$CACHE", quote(cache()), "$PYTHON", quote(cmp.Or(os.Getenv("PYTHON"), "python3")),
		"$TNN_SHIM", quote(tnn.shim()), "$TNN", quote(tnn.root()), "$TENSORRT_SHIM", quote(tensorrt.shim()), "$TENSORRT", quote(tensorrt.root()))
}()

// cache is where all that is installed lies, outside the checkout.
func cache(elem ...string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		panic(err) // there is neither a home nor a cache folder
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

// test is the line of a step that runs go test.
func (s step) test() string {
	line := strings.Join(slices.DeleteFunc([]string{s.env, "go test", s.flags}, func(s string) bool { return s == "" }), " ")
	for _, p := range []struct{ flag, pattern string }{{"-run", s.only}, {"-skip", s.skip}} {
		if p.pattern != "" {
			line += " " + p.flag + " " + quote(p.pattern)
		}
	}
	line += " -timeout 20m " + s.packages
	if s.link != "" {
		line = `env=$(` + roots[1:] + ` go run ./cmd/anyinfer sdk env ` + s.link + `) && eval "$env" && ` + line
	}
	return line
}

// task is a step that runs.
type task struct {
	step
	out io.Writer // what its commands print
	env []string
}

// sh runs a line of shell.
func (t *task) sh(line string) error {
	line = values.Replace(line)
	fmt.Fprintln(t.out, "+", line)
	cmd := exec.Command("sh", "-c", line)
	cmd.Env, cmd.Stdout, cmd.Stderr = t.env, t.out, t.out
	return cmd.Run()
}

func (t *task) do() error {
	for _, line := range t.lines {
		if err := t.sh(line); err != nil {
			return err
		}
	}
	if t.run != nil {
		if err := t.run(t); err != nil {
			return err
		}
	}
	if t.packages != "" {
		return t.sh(t.test())
	}
	return nil
}

// result is how a step went.
type result struct {
	step
	err   error
	last  string // line that it printed
	took  time.Duration
	ready sync.Once
}

type runner struct {
	results sync.Map // by the step's name
	mu      sync.Mutex
	order   []*result
}

// run runs a step after those that it needs, if it has not run yet. Beside
// others its output is kept until it has ended, and go test takes one processor.
func (r *runner) run(name string, beside bool) error {
	s, ok := find(name)
	if !ok {
		return fmt.Errorf("there is no step %q: %w", name, errUsage)
	}
	if s.group != "" {
		var all errgroup.Group
		all.SetLimit(runtime.GOMAXPROCS(0))
		for _, member := range strings.Fields(s.group) {
			all.Go(func() error { return r.run(member, true) })
		}
		return all.Wait()
	}
	stored, _ := r.results.LoadOrStore(name, &result{step: s})
	done := stored.(*result)
	done.ready.Do(func() {
		for _, need := range strings.Fields(s.needs) {
			if done.err = r.run(need, beside); done.err != nil {
				break
			}
		}
		r.do(done, beside)
	})
	if s.lacking && !inCI {
		return nil
	}
	return done.err
}

func (r *runner) do(done *result, beside bool) {
	start := time.Now()
	var text bytes.Buffer
	if done.err == nil {
		t := &task{step: done.step, out: io.MultiWriter(os.Stdout, &text), env: os.Environ()}
		fmt.Printf("=== %s: %s\n", done.name, done.help)
		if beside {
			t.out, t.flags = &text, strings.TrimSpace("-p 1 "+t.flags)
		}
		done.err = t.do()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	done.took, r.order = time.Since(start), append(r.order, done)
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	done.last = lines[len(lines)-1]
	if beside {
		fmt.Printf("=== %s has printed:\n%s", done.name, &text)
	}
	fmt.Printf("=== %s\n", done)
}

func (r *result) String() string {
	text := fmt.Sprintf("%-26s %7.1fs", r.name, r.took.Seconds())
	switch {
	case r.err == nil:
		return text
	case r.lacking && !inCI:
		return text + "  left out, and tests that need it are skipped: " + r.last
	}
	return fmt.Sprintf("%s  FAILED: %v; again: go run ./internal/ci %s", text, r.err, r.name)
}

// runSteps runs all of the steps also where one has failed.
func runSteps(names []string) error {
	if len(names) == 0 {
		return errUsage
	}
	var r runner
	var failed []error
	start := time.Now()
	for _, name := range names {
		failed = append(failed, r.run(name, false))
	}
	fmt.Printf("=== in all %24.1fs\n", time.Since(start).Seconds())
	for _, done := range r.order {
		fmt.Println(done)
	}
	return errors.Join(failed...)
}

func find(name string) (step, bool) {
	i := slices.IndexFunc(steps, func(s step) bool { return s.name == name })
	if i < 0 {
		return step{}, false
	}
	return steps[i], true
}

// list prints the table.
func list([]string) error {
	for _, s := range steps {
		fmt.Printf("%s\n    %s\n", s.name, s.help)
		for _, part := range []struct{ what, text string }{{"at once", s.group}, {"needs", s.needs}, {"links", s.link}} {
			if part.text != "" {
				fmt.Printf("    %s: %s\n", part.what, part.text)
			}
		}
		if s.packages != "" {
			fmt.Println("    $", s.test())
		}
	}
	return nil
}
