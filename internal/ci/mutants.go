// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// mutant is a deliberate break of one file: with new in place of old, which the
// file has exactly once, a test of the package must fail. C and C++ are compiled
// under the build tag of their engine.
type mutant struct {
	file, old, new, pkg string
	test                string // what -run takes, after other flags of go test
}

func (m mutant) String() string { return fmt.Sprintf("%s: %q -> %q", m.file, m.old, m.new) }

// split returns the flags of go test and what -run takes.
func (m mutant) split() (flags []string, pattern string) {
	words := strings.Fields(m.test)
	flags, pattern = words[:len(words)-1], words[len(words)-1]
	if m.tag() != "" {
		flags = append(flags, "-tags="+m.tag())
	}
	return flags, pattern
}

// command is what runs the test on the code as it is.
func (m mutant) command() string {
	flags, pattern := m.split()
	return strings.Join(append(append([]string{"go test"}, flags...), "-run '"+pattern+"'", "./"+m.pkg), " ")
}

// tag is the build tag that compiles C or C++, as named as its package.
func (m mutant) tag() string {
	if filepath.Ext(m.file) == ".go" {
		return ""
	}
	return filepath.Base(m.pkg)
}

func runMutants(args []string) error {
	flags := flag.NewFlagSet("mutants", flag.ExitOnError)
	run := flags.String("run", "", "only the entries whose file, text or test matches this regular expression")
	n := flags.Int("n", 0, "only so many entries, chosen by --seed")
	seed := flags.String("seed", "", "text that chooses, as the id of a commit")
	check := flags.Bool("check", false, "only check that the table fits the tree; run no test")
	flags.Parse(args)
	if err := checkMutants(".", mutants); err != nil || *check {
		return err
	}
	only, err := regexp.Compile(*run)
	if err != nil {
		return err
	}
	var chosen []mutant
	for _, m := range mutants {
		if only.MatchString(m.String() + " " + m.pkg + " " + m.test) {
			chosen = append(chosen, m)
		}
	}
	if *n > 0 {
		chosen = choose(chosen, *n, *seed)
	}
	if len(chosen) == 0 {
		return errors.New("no entry matches --run")
	}
	r := runner{root: ".", unbroken: map[string]outcome{}}
	for _, m := range chosen {
		r.run(m)
	}
	fmt.Printf("%d of %d deliberate breaks were noticed, %d skipped\n", r.caught, len(chosen), r.skipped)
	if wrong := len(chosen) - r.caught - r.skipped; wrong > 0 {
		return fmt.Errorf("%d were not", wrong)
	}
	return nil
}

// choose takes n entries that the same seed always chooses.
func choose(all []mutant, n int, seed string) []mutant {
	random := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(seed))))
	random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	return all[:min(n, len(all))]
}

// checkMutants reports the entries that do not fit the tree.
func checkMutants(root string, all []mutant) error {
	var errs []error
	for _, m := range all {
		wrong := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("%v: %s", m, fmt.Sprintf(format, args...)))
		}
		if _, err := m.broken(root); err != nil {
			wrong("%v", err)
		}
		_, pattern := m.split()
		top, _, _ := strings.Cut(pattern, "/")
		matches, err := regexp.Compile(top)
		if err != nil {
			wrong("%v", err)
			continue
		}
		tests, _ := filepath.Glob(filepath.Join(root, m.pkg, "*_test.go"))
		found := false
		for _, file := range tests {
			text, _ := os.ReadFile(file)
			for _, f := range testFunction.FindAllSubmatch(text, -1) {
				found = found || matches.Match(f[1])
			}
		}
		if !found {
			wrong("package %s has no test %s", m.pkg, top)
		}
	}
	return errors.Join(errs...)
}

var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)

// broken is the content of the file with the break.
func (m mutant) broken(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(text, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("the file has the old text %d times, not once: change the entry with the code", n)
	}
	if m.old == m.new {
		return nil, errors.New("the new text is the old one")
	}
	return bytes.Replace(text, []byte(m.old), []byte(m.new), 1), nil
}

// runner runs the tests of mutants, each test also without a break.
type runner struct {
	root            string
	unbroken        map[string]outcome
	caught, skipped int
}

func (r *runner) run(m mutant) {
	start := time.Now()
	say := func(what, then string) {
		fmt.Printf("%-8s %v (%s, %.0f s)%s\n", what, m, m.command(), time.Since(start).Seconds(), then)
	}
	whole, ok := r.unbroken[m.command()]
	if !ok {
		whole = r.test(m, "")
		r.unbroken[m.command()] = whole
	}
	if whole.kind == skipped && os.Getenv("CI") == "" {
		r.skipped++
		say("skipped", "\n"+whole.text)
		return
	}
	if whole.kind != passed {
		say("UNKNOWN", fmt.Sprintf(": the test %s on the code as it is; make it pass first\n%s", whole.kind, whole.text))
		return
	}
	o, err := r.overlaid(m)
	switch {
	case err != nil:
		say("UNKNOWN", ": "+err.Error())
	case o.kind == failed:
		r.caught++
		say("caught", "")
	case o.kind == passed:
		say("SURVIVES", ": no test sees this break; make the test see it, or take the code out if it is needed no more")
	default:
		say("UNKNOWN", fmt.Sprintf(": the test %s on the broken code; write another break\n%s", o.kind, o.text))
	}
}

// overlaid tests with the break. It writes only to a temporary folder.
func (r *runner) overlaid(m mutant) (outcome, error) {
	dir, err := os.MkdirTemp("", "anyinfer-mutant")
	if err != nil {
		return outcome{}, err
	}
	defer os.RemoveAll(dir)
	text, err := m.broken(r.root)
	if err != nil {
		return outcome{}, err
	}
	file, err := filepath.Abs(filepath.Join(r.root, m.file))
	if err != nil {
		return outcome{}, err
	}
	other, overlay := filepath.Join(dir, filepath.Base(m.file)), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{file: other}})
	if err = errors.Join(err, os.WriteFile(other, text, 0o600), os.WriteFile(overlay, list, 0o600)); err != nil {
		return outcome{}, err
	}
	return r.test(m, overlay), nil
}

// linked runs go with the SDK linked that the first argument names.
const linked = `env=$(go run ./cmd/anyinfer sdk env "$0") || exit 3; eval "$env"; exec go "$@"`

// test runs the test, with a break where there is an overlay.
func (r *runner) test(m mutant, overlay string) outcome {
	flags, pattern := m.split()
	args := append([]string{"test", "-v", "-vet=off", "-failfast", "-timeout=3m", "-overlay=" + overlay, "-run=" + pattern}, flags...)
	args = append(args, "./"+m.pkg)
	cmd := exec.Command("go", args...)
	if m.tag() != "" && m.tag() != "reference" {
		cmd = exec.Command("sh", append([]string{"-c", linked, m.tag()}, args...)...)
	}
	if overlay != "" && m.tag() != "" && filepath.Dir(m.file) != m.pkg { // the overlay has no effect on headers in other folders
		cmd.Env = append(os.Environ(), "CGO_CPPFLAGS=-I"+filepath.Dir(overlay)+" "+os.Getenv("CGO_CPPFLAGS"))
	}
	cmd.Dir = r.root
	out, err := cmd.CombinedOutput()
	return read(string(out), err)
}

type outcome struct{ kind, text string }

const (
	passed      = "passes"
	failed      = "fails"
	skipped     = "is skipped"
	notCompiled = "does not compile or run"
)

var (
	ranAndFailed = regexp.MustCompile(`(?m)^FAIL\t\S+\t[\d.]+s$`) // else it ends in [build failed]
	topSkipped   = regexp.MustCompile(`(?m)^--- SKIP`)
	topPassed    = regexp.MustCompile(`(?m)^--- PASS`)
)

// read says what the output of go test -v means.
func read(out string, err error) outcome {
	var exit *exec.ExitError
	kind := notCompiled
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 3: // there is no SDK to link
		kind = skipped
	case err != nil && ranAndFailed.MatchString(out):
		kind = failed
	case err == nil && topPassed.MatchString(out):
		kind = passed
	case err == nil && topSkipped.MatchString(out):
		kind = skipped
	}
	const most = 2000
	return outcome{kind, cmp.Or(out[max(0, len(out)-most):], fmt.Sprint(err))}
}
