// SPDX-License-Identifier: Apache-2.0

// Package enginetest is the conformance suite that every engine passes. It
// runs real models of testdata on the real SDK; models.json says what they
// must answer. An engine's test is a few lines:
//
//	func TestConformance(t *testing.T) {
//		enginetest.Run(t, enginetest.Engine{Name: "tflite", Formats: []string{"tflite"}})
//	}
//
// Environment variables: CI makes a missing SDK a failure, ANYINFER_TEST_SOAK
// runs the resource tests at full length, ANYINFER_TEST_RACES says how long the
// test of races goes on (5s) or how many sessions it closes in each state
// (1000), ANYINFER_TEST_BIG the size of large models in MB, ANYINFER_TEST_FLIPS sets the number of damaged models a format, ANYINFER_TEST_MODELS the folder of the public
// models and ANYINFER_TEST_PYTHON the interpreter that has the SDKs' packages.
// ANYINFER_TEST_EMULATOR is the command that emulates the processor.
package enginetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// Engine is what differs from engine to engine.
type Engine struct {
	Name    string
	Formats []string // which files of testdata it reads
	// Bounded tells that it loads a model with dynamic dimensions only with
	// Options.Shapes.
	Bounded bool
	// Threadless tells that it refuses Options.Threads: a GPU has none.
	Threadless bool
	// Skip has the reason for each test that cannot hold for this engine, by
	// its name below the caller's: "results/onnx/dtypes/bfloat16".
	Skip map[string]string
	// Without has the reason for each model that it cannot run, by its name or,
	// where that is so in one format only, by "format/name".
	Without map[string]string
	// Memory is what loading a model of a format of BigFormats takes at most, in
	// sizes of its files, where that is more than 1.1: the SDK copies them.
	Memory map[string]float64
	// Adapt, where set, changes the rest for the version that is at hand.
	Adapt func(e *Engine, version string)
	// Damaged lists damaged files that crash the SDK by itself, where no
	// driver can know: names as the test prints them, with the reason.
	Damaged map[string]string
}

// Run is the suite, or in a process that the suite started, the job for it.
func Run(t *testing.T, e Engine) {
	s := &suite{Engine: e, top: t.Name(), root: root(t)}
	s.models = readManifest(t, s.root, e.Name)
	job := os.Getenv(jobVariable)
	if job != nowhere { // which is to be the first to open it
		version := Require(t, e.Name)
		if e.Adapt != nil {
			e.Adapt(&s.Engine, version)
		}
	}
	for i, m := range s.models {
		if reason := s.Without[m.Name]; reason != "" {
			t.Logf("without the model %s: %s", m.Name, reason)
			s.models[i].Files = nil
		}
		for _, format := range s.Formats {
			if reason := s.Without[format+"/"+m.Name]; reason != "" {
				t.Logf("without the model %s in format %s: %s", m.Name, format, reason)
				delete(s.models[i].Files, format)
			}
		}
	}
	if job != "" {
		s.work(t, job)
		return
	}
	for _, group := range []struct {
		name string
		test func(*testing.T)
	}{
		{"open", s.open}, {"sources", s.sources}, {"files", s.files}, {"metadata", s.metadata}, {"results", s.results}, {"states", s.states},
		{"shapes", s.shapes}, {"big", s.big},
		{"inputs", s.inputs}, {"options", s.options}, {"lifecycle", s.lifecycle}, {"cancel", s.cancel},
		{"concurrency", s.concurrency}, {"races", s.races}, {"resources", s.resources}, {"damage", s.damage}, {"log", s.log}, {"reference", s.reference},
	} {
		s.run(t, group.name, group.test)
	}
}

// Require skips the test where the engine's SDK is missing, saying why; in CI
// that is a failure. It returns the SDK's version.
func Require(t *testing.T, engine string) (version string) {
	t.Helper()
	e, err := common.Open(engine, nil)
	switch {
	case err == nil:
		version = e.Info().Version
		require.NoError(t, e.Close())
	case errors.Is(err, common.ErrNotAvailable):
		missing(t, err.Error())
	default:
		t.Fatal(err)
	}
	return version
}

// missing skips, or fails where CI promises that all is there.
func missing(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

var ctx = context.Background()

type suite struct {
	Engine
	top    string // name of the caller's test
	root   string // of the repository
	models []entry
}

// run is t.Run for a test that Skip may name.
func (s *suite) run(t *testing.T, name string, f func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		if reason := s.Skip[strings.TrimPrefix(t.Name(), s.top+"/")]; reason != "" {
			t.Skip(reason)
		}
		f(t)
	})
}

// each runs f for every model in every format.
func (s *suite) each(t *testing.T, f func(*testing.T, entry, string)) {
	for _, format := range s.Formats {
		s.run(t, format, func(t *testing.T) {
			for _, m := range s.models {
				if m.Files[format] != nil {
					s.run(t, m.Name, func(t *testing.T) { f(t, m, format) })
				}
			}
		})
	}
}

// model is the entry of that name.
func (s *suite) model(t *testing.T, name string) entry {
	t.Helper()
	for _, m := range s.models {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("testdata has no model %q", name)
	return entry{}
}

// first is the first of these models that the engine has in one of its formats.
func (s *suite) first(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		for _, f := range s.Formats {
			if s.model(t, name).Files[f] != nil {
				return name
			}
		}
	}
	t.Fatalf("none of %q is in a format of this engine", names)
	return ""
}

// format is the engine's first format that m has.
func (s *suite) format(t *testing.T, m entry) string {
	t.Helper()
	for _, f := range s.Formats {
		if m.Files[f] != nil {
			return f
		}
	}
	t.Skipf("%s is in no format of this engine", m.Name)
	return ""
}

// engine opens the engine until the test ends.
func (s *suite) engine(t *testing.T) *common.Engine {
	t.Helper()
	e, err := common.Open(s.Name, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// load loads the model of that name with an engine of its own.
func (s *suite) load(t *testing.T, name string, o *common.Options) (*common.Model, entry, string) {
	t.Helper()
	m := s.model(t, name)
	format := s.format(t, m)
	loaded, err := s.engine(t).Load(ctx, m.file(s.root, format), s.suited(t, m, format, o))
	require.NoError(t, err)
	return loaded, m, format
}

func newSession(t *testing.T, m *common.Model) *common.Session {
	t.Helper()
	s, err := m.NewSession(ctx, "")
	require.NoError(t, err)
	return s
}

// root is the folder of go.mod, above the package under test.
func root(t testing.TB) string {
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		require.NotEqual(t, up, dir, "no go.mod above the test")
		dir = up
	}
}

var kinds = []error{
	common.ErrNotAvailable, common.ErrVersion, common.ErrClosed, common.ErrInUse, common.ErrModel, common.ErrDevice,
	common.ErrOption, common.ErrRun, common.ErrInput,
}

// typed reports whether err is as errors are promised to be.
func typed(err error) bool {
	var e *common.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, k := range kinds {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}
