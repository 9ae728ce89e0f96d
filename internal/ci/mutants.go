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
	"slices"
	"strings"
	"time"
)

// mutant is a deliberate break of one file: with new in place of old, which the file has exactly once, a test of the
// package must fail. C and C++ are compiled under the build tag of their engine.
type mutant struct {
	file, old, new, pkg string
	test                string // what -run takes, after other flags of go test
}

func (m mutant) String() string { return fmt.Sprintf("%s: %q -> %q", m.file, m.old, m.new) }

// command is what runs the test, with more flags.
func (m mutant) command(more string) string {
	if m.tag() != "" {
		more += "-tags=" + m.tag() + " "
	}
	flags := strings.TrimSuffix(m.test, m.pattern())
	return fmt.Sprintf("go test %s%s-run '%s' ./%s", more, flags, m.pattern(), m.pkg)
}

func (m mutant) pattern() string { return m.test[strings.LastIndex(m.test, " ")+1:] }

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
	chosen := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool {
		return !only.MatchString(m.String() + " " + m.pkg + " " + m.test)
	})
	if *n > 0 {
		chosen = choose(chosen, *n, *seed)
	}
	if len(chosen) == 0 {
		return errors.New("no entry matches --run")
	}
	r, verdicts := runner{root: ".", unbroken: map[string]outcome{}}, map[string]int{}
	for _, m := range chosen {
		start := time.Now()
		verdict, why := r.judge(m)
		verdicts[verdict]++
		fmt.Printf("%-8s %v (%s, %.0f s)%s\n", verdict, m, m.command(""), time.Since(start).Seconds(), why)
	}
	fmt.Printf("%d of %d deliberate breaks were noticed, %d skipped\n", verdicts["caught"], len(chosen), verdicts["skipped"])
	if wrong := len(chosen) - verdicts["caught"] - verdicts["skipped"]; wrong > 0 {
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
		_, err := m.broken(root)
		if err = cmp.Or(err, m.hasTest(root)); err != nil {
			errs = append(errs, fmt.Errorf("%v: %w", m, err))
		}
	}
	return errors.Join(errs...)
}

// hasTest is nil where the package has a test that the pattern matches.
func (m mutant) hasTest(root string) error {
	name, _, _ := strings.Cut(m.pattern(), "/")
	matches, err := regexp.Compile(name)
	if err != nil {
		return err
	}
	files, _ := filepath.Glob(filepath.Join(root, m.pkg, "*_test.go"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for _, f := range testFunction.FindAllSubmatch(text, -1) {
			if matches.Match(f[1]) {
				return nil
			}
		}
	}
	return fmt.Errorf("package %s has no test %s", m.pkg, name)
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
	root     string
	unbroken map[string]outcome // by command
}

// judge runs the test without the break and with it. A break is caught, it
// survives, its test is skipped, or all that is left unknown.
func (r *runner) judge(m mutant) (verdict, why string) {
	whole, ok := r.unbroken[m.command("")]
	if !ok {
		whole = r.test(m, "")
		r.unbroken[m.command("")] = whole
	}
	switch {
	case whole.kind == skipped && os.Getenv("CI") == "":
		return "skipped", "\n" + whole.text
	case whole.kind != passed:
		return "UNKNOWN", fmt.Sprintf(": the test %s on the code as it is; make it pass first\n%s", whole.kind, whole.text)
	}
	switch o, err := r.overlaid(m); {
	case err != nil:
		return "UNKNOWN", ": " + err.Error()
	case o.kind == failed:
		return "caught", ""
	case o.kind == passed:
		return "SURVIVES", ": no test sees this break; make the test see it, or take the code out if it is needed no more"
	default:
		return "UNKNOWN", fmt.Sprintf(": the test %s on the broken code; write another break\n%s", o.kind, o.text)
	}
}

// overlaid tests with the break. It writes only to a temporary folder.
func (r *runner) overlaid(m mutant) (outcome, error) {
	text, err := m.broken(r.root)
	if err != nil {
		return outcome{}, err
	}
	dir, err := os.MkdirTemp("", "anyinfer-mutant")
	if err != nil {
		return outcome{}, err
	}
	defer os.RemoveAll(dir)
	file, err := filepath.Abs(filepath.Join(r.root, m.file))
	other, overlay := filepath.Join(dir, filepath.Base(m.file)), filepath.Join(dir, "overlay.json")
	list, _ := json.Marshal(map[string]any{"Replace": map[string]string{file: other}})
	if err = cmp.Or(err, os.WriteFile(other, text, 0o600), os.WriteFile(overlay, list, 0o600)); err != nil {
		return outcome{}, err
	}
	return r.test(m, overlay), nil
}

// test runs the test, with a break where there is an overlay.
func (r *runner) test(m mutant, overlay string) outcome {
	line := "exec " + m.command("-v -count=1 -vet=off -failfast -timeout=3m -overlay='"+overlay+"' ")
	if m.tag() != "" && m.tag() != "reference" { // with the SDK linked
		line = "env=$(go run ./cmd/anyinfer sdk env " + m.tag() + `) || exit 3; eval "$env"; ` + line
	}
	cmd := exec.Command("sh", "-c", line)
	if overlay != "" && m.tag() != "" && filepath.Dir(m.file) != m.pkg { // the overlay has no effect on others' headers
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
