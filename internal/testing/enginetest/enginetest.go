// SPDX-License-Identifier: Apache-2.0

// Package enginetest is the conformance suite that every engine passes. It runs real models of testdata on
// the real SDK; models.json has the expected outputs. An engine's test is a few lines:
//
//	func TestConformance(t *testing.T) {
//		enginetest.Run(t, enginetest.Engine{Name: "tflite", Formats: []string{"tflite"}})
//	}
//
// Its other tests open engines and load models with the functions of open.go.
//
// Environment variables: CI makes a missing SDK a failure. ANYINFER_TEST_SOAK is a factor, 1 by default, for
// how long the tests of resources and races go on, how many damaged models there are and how large the big
// ones are. ANYINFER_TEST_PYTHON is the interpreter that has the SDKs' packages, ANYINFER_TEST_MODELS the
// folder of the public models, ANYINFER_TEST_EMULATOR the command that emulates the processor, as for go
// test's -exec. With ANYINFER_TEST_CHILD a test starts its own process.
package enginetest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// Engine is what differs from engine to engine.
type Engine struct {
	Name    string
	Formats []string // which files of testdata it reads
	// Bounded is set where it loads a model with dynamic dimensions only with Options.Shapes.
	Bounded bool
	// Threadless is set where it refuses Options.Threads: a GPU has none.
	Threadless bool
	// Skip has the reason for each test that cannot hold for this engine, by its name below the caller's:
	// "results/onnx/dtypes/bfloat16".
	Skip map[string]string
	// Without has the reason for each model that it cannot run, by its name or, where that is so in one
	// format only, by "format/name".
	Without map[string]string
	// Memory is what loading a model of a format of bigFormats takes at most, in sizes of its files, where
	// that is more than 1.1: the SDK copies them.
	Memory map[string]float64
	// Adapt, where set, changes the rest for the installed version.
	Adapt func(e *Engine, version string)
}

// Run is the suite.
func Run(t *testing.T, e Engine) {
	s := &suite{Engine: e, top: t.Name(), root: root(t)}
	if !child.Unopened {
		version := Require(t, e.Name)
		if e.Adapt != nil {
			e.Adapt(&s.Engine, version)
		}
	}
	s.readManifest(t)
	for _, group := range []struct {
		name string
		test func(*testing.T)
	}{
		{"open", s.open}, {"sources", s.sources}, {"files", s.files}, {"metadata", s.metadata}, {"results", s.results},
		{"states", s.states}, {"shapes", s.shapes}, {"options", s.options}, {"big", s.big},
		{"close", s.closeOrder}, {"interrupt", s.interrupt}, {"concurrency", s.concurrency}, {"races", s.races},
		{"resources", s.resources}, {"damage", s.damage}, {"log", s.log}, {"reference", s.reference},
	} {
		s.run(t, group.name, group.test)
	}
}

var ctx = context.Background()

type suite struct {
	Engine
	top     string // name of the caller's test
	root    string // of the repository
	entries []*entry
	names   []string // of all models in models.json
}

// run is t.Run for a test that Skip may name.
func (s *suite) run(t *testing.T, name string, f func(*testing.T)) {
	t.Run(name, func(t *testing.T) {
		if reason := s.Skip[strings.TrimPrefix(t.Name(), s.top+"/")]; reason != "" {
			t.Skip(reason)
		}
		f(t)
	})
}

// parallel is run for a test that measures nothing of the process.
func (s *suite) parallel(t *testing.T, name string, f func(*testing.T)) {
	s.run(t, name, func(t *testing.T) {
		t.Parallel()
		f(t)
	})
}

// each runs f for every model of that name, or every model at all, in every format.
func (s *suite) each(t *testing.T, f func(*testing.T, *model), names ...string) {
	require.Subset(t, s.names, names)
	for _, format := range s.Formats {
		s.run(t, format, func(t *testing.T) {
			for _, e := range s.entries {
				if e.Files[format] != nil && e.named(names) {
					s.parallel(t, e.Name, func(t *testing.T) { f(t, s.read(t, e, format)) })
				}
			}
		})
	}
}

// engine opens the engine until the test ends.
func (s *suite) engine(t *testing.T) *common.Engine { return Open(t, s.Name, nil) }

// oneThread are options for a Run that takes one: pools of threads would wait for each other's.
func (s *suite) oneThread() (o common.Options) {
	if !s.Threadless {
		o.Threads = 1
	}
	return o
}

func soak(t *testing.T) int {
	factor, err := strconv.Atoi(cmp.Or(os.Getenv("ANYINFER_TEST_SOAK"), "1"))
	require.NoError(t, err, "ANYINFER_TEST_SOAK")
	return factor
}

// typed reports whether err is a common.Error of some kind.
func typed(err error) bool {
	var e *common.Error
	return errors.As(err, &e) && e.Kind != nil
}

// childVariable is set in a process that a test started for itself: to have no other test's memory in its
// own, or to outlive a crash.
const childVariable = "ANYINFER_TEST_CHILD"

// settings are what such a process needs to know, as JSON in the variable.
type settings struct {
	Unopened bool // the test is the first to open the engine
}

// child are the settings of this process, and whether it has any.
var child, isChild = func() (s settings, is bool) {
	is = json.Unmarshal([]byte(os.Getenv(childVariable)), &s) == nil
	return s, is
}()

// emulator is the command that runs this process; empty on real processors. It must run other processes of
// this binary, too.
func emulator() []string { return strings.Fields(os.Getenv("ANYINFER_TEST_EMULATOR")) }

// command runs this test, and no other, in a process of its own.
func command(t *testing.T, s settings) *exec.Cmd {
	exe, err := os.Executable()
	require.NoError(t, err)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(t.Name()), "/", "$/^") + "$"
	args := append(emulator(), exe, "-test.run="+pattern, "-test.v", "-test.timeout=10m")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childVariable+"="+string(text), "TMPDIR="+t.TempDir())
	return cmd
}

// alone runs f in a process of its own, and returns what that wrote to stderr.
func alone(t *testing.T, s settings, f func(*testing.T)) string {
	if isChild {
		f(t)
		return ""
	}
	var out, stderr bytes.Buffer
	cmd := command(t, s)
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	for line := range strings.Lines(out.String() + stderr.String()) {
		if l := strings.TrimSpace(line); l != "" && !strings.HasPrefix(l, "---") && !strings.HasPrefix(l, "===") && l != "PASS" {
			t.Log(l)
		}
	}
	require.NoError(t, err, "the process failed")
	if strings.Contains(out.String(), "--- SKIP: "+t.Name()+" ") {
		Missing(t, "the process skipped: see above")
	}
	require.Contains(t, out.String(), "--- PASS: "+t.Name()+" ")
	return stderr.String()
}
