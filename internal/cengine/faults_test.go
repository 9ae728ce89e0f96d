// SPDX-License-Identifier: Apache-2.0

package cengine_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/anyinfer/anyinfer/cinclude/reference" // registers its sources
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/cengine"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/anyinfer/anyinfer/internal/toolchain"
	"github.com/anyinfer/anyinfer/internal/toolchain/sources"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

// faulty is the library compiled from testdata/faulty.c, which injects faults.
type faulty struct {
	path    string
	control *dylib.Library
}

var folder string // for the library

var library = sync.OnceValues(func() (*faulty, error) {
	path := filepath.Join(folder, "libfaulty.so")
	reference, _ := sources.Find("reference")
	if err := toolchain.C.Compile(context.Background(), path, []string{"faulty.c"}, toolchain.Strict, []string{"-lm"}, reference, os.DirFS("testdata")); err != nil {
		return nil, err
	}
	control, err := dylib.Open(dylib.Spec{Engine: "faulty"}, []dylib.Decl{{C: "void anyinfer_fault(const char* name, const int64_t* value)"}}, path)
	return &faulty{path, control}, err
})

func TestMain(m *testing.M) {
	cengine.Register(cengine.Engine{
		Library: dylib.Spec{Engine: "faulty", Stem: "faulty"}, Formats: []common.Format{formats.Reference}, PrintsLog: true, Rebuild: "type this",
		Native: func(native any) (map[string]string, error) { return native.(map[string]string), nil },
	})
	var err error
	if folder, err = os.MkdirTemp("", "anyinfer-faulty"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// engine returns the library with no fault set.
func engine(t *testing.T) *faulty {
	t.Helper()
	f, err := library()
	if err != nil && strings.Contains(err.Error(), "no C compiler") && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { f.set("", 0) })
	return f
}

func (f *faulty) set(fault string, value int64) {
	f.control.Call(0, dylib.String(fault), dylib.Ptr(&value))
}

func (f *faulty) open(t *testing.T, log *slog.Logger) (*common.Engine, error) {
	e, err := common.Open("faulty", &common.Config{Library: f.path, Logger: log})
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e, err
}

var ctx = context.Background()

func load(e *common.Engine, model string, o *common.Options) (*common.Model, error) {
	return e.Load(ctx, common.File("../../testdata/"+model+".ref"), o)
}

// useModel calls all functions of a model, and returns the first error.
func (f *faulty) useModel(t *testing.T, model string) error {
	e, err := f.open(t, nil)
	if err != nil {
		return err
	}
	m, err := load(e, model, &common.Options{Profile: true})
	if err != nil {
		return err
	}
	s, err := m.NewSession(ctx, "")
	if err != nil {
		return err
	}
	for i, info := range s.Signature().Inputs {
		x, err := common.NewTensor(info.DType, info.Shape...)
		if err != nil {
			return err
		}
		values.Fill(x, 1)
		if err := s.BindInput(i, x); err != nil {
			return err
		}
	}
	if err := errors.Join(s.Run(ctx), s.Reset()); err != nil {
		return err
	}
	for i, info := range s.Signature().Outputs {
		require.Equal(t, info.DType, s.Output(i).DType())
	}
	_, err = s.Profile()
	return err
}

const (
	dynamic = "nonzero"
	fixed   = "multi"
)

var faults = []struct {
	fault, model string
	value        int64
	is           error  // nil if the fault must not fail
	text         string // part of the error
}{
	{"", fixed, 0, nil, ""},
	{"", dynamic, 0, nil, ""},

	{"table: NULL", fixed, 0, common.ErrVersion, "no table"},
	{"table: ABI", fixed, 1, common.ErrVersion, "version 1 of the engine ABI, but this program needs version 2; type this"},
	{"table: ABI", fixed, 0, common.ErrVersion, "version 0"},
	{"table: ABI", fixed, math.MaxUint32, common.ErrVersion, "version 4294967295"},
	{"table: size", fixed, 0, common.ErrVersion, "of 0 bytes, lacks function 0"},
	{"table: size", fixed, 8, common.ErrVersion, "of 8 bytes, lacks function 0"},
	{"table: size", fixed, math.MaxUint32, nil, ""}, // a table of a later version may be longer
	{"table: name", fixed, 0, common.ErrVersion, `the engine "another"`},
	{"table: no name", fixed, 0, common.ErrVersion, `the engine ""`},
	{"table: function", fixed, 0, common.ErrVersion, "lacks function 0"},
	{"table: function", fixed, 15, common.ErrVersion, "lacks function 15"},
	{"table: function", fixed, 16, nil, ""}, // cancel
	{"table: function", fixed, 17, nil, ""}, // reset
	{"table: function", fixed, 18, common.ErrOption, "no profile"},

	{"open", fixed, 1, common.ErrNotAvailable, "fault in open"},
	{"open", fixed, 4, common.ErrDevice, "fault in open"},
	{"open: NULL", fixed, 0, common.ErrRun, "the engine returned no handle"},
	{"version: NULL", fixed, 0, nil, ""},
	{"version: endless", fixed, 0, common.ErrRun, "a name of"},
	{"device", fixed, 9, common.ErrRun, "fault in device"},
	{"device: none", fixed, 0, common.ErrDevice, "no device at all"},
	{"device: for ever", fixed, 0, common.ErrRun, "more than 1024 devices"},
	{"device: NULL", fixed, 0, common.ErrDevice, "a device without a name"},
	{"device: endless", fixed, 0, common.ErrRun, "a name of"},
	{"device: description", fixed, 0, common.ErrRun, "a name of"},

	{"load", fixed, 2, common.ErrVersion, "fault in load"},
	{"load", fixed, 3, common.ErrModel, "fault in load"},
	{"load", fixed, 5, common.ErrOption, "fault in load"},
	{"load", fixed, 77, common.ErrRun, "fault in load"},
	{"load", fixed, -1, common.ErrRun, "fault in load"},
	{"load", fixed, math.MinInt32, common.ErrRun, "fault in load"},
	{"load: NULL", fixed, 0, common.ErrRun, "the engine returned no handle"},
	{"load: no end", fixed, 0, common.ErrModel, strings.Repeat("x", 1020) + " (code"},
	{"load: no text", fixed, 0, common.ErrModel, ""},

	{"property", fixed, 9, nil, ""}, // the property is left out
	{"property: no end", fixed, 0, nil, ""},
	{"property: threads", fixed, -7, nil, ""},
	{"property: threads", fixed, math.MaxInt64, nil, ""},
	{"signature", fixed, 9, common.ErrRun, "fault in signature"},
	{"signature: none", fixed, 0, common.ErrName, "no signature at all"},
	{"signature: for ever", fixed, 0, common.ErrRun, "more than 4096 signatures"},
	{"signature: NULL", fixed, 0, nil, ""},
	{"signature: endless", fixed, 0, common.ErrRun, "a name of"},
	{"signature: inputs", fixed, -1, common.ErrModel, "-1 as the number of tensors"},
	{"signature: inputs", fixed, math.MinInt32, common.ErrModel, "as the number of tensors"},
	{"signature: inputs", fixed, math.MaxInt32, common.ErrModel, "as the number of tensors"},
	{"signature: inputs", fixed, 5, common.ErrName, "no tensor 2"},
	{"signature: outputs", fixed, -1, common.ErrModel, "-1 as the number of tensors"},
	{"signature: outputs", fixed, 1 << 20, common.ErrModel, "as the number of tensors"},

	{"input", fixed, 9, common.ErrRun, "fault in input"},
	{"input: NULL", fixed, 0, nil, ""}, // the name is ""
	{"input: endless", fixed, 0, common.ErrRun, "a name of"},
	{"input: dtype", fixed, 0, common.ErrDType, "element type 0"},
	{"input: dtype", fixed, 14, common.ErrDType, "element type 14"},
	{"input: dtype", fixed, -1, common.ErrDType, "element type -1"},
	{"input: dtype", fixed, math.MinInt32, common.ErrDType, "element type"},
	{"input: rank", fixed, 17, common.ErrModel, "rank 17"},
	{"input: rank", fixed, -2, common.ErrModel, "rank -2"},
	{"input: rank", fixed, math.MaxInt32, common.ErrModel, "a shape of rank"},
	{"input: dimension", fixed, -2, common.ErrModel, "dimension -2"},
	{"input: dimension", fixed, math.MinInt64, common.ErrModel, "dimension"},
	{"input: dimension", fixed, math.MaxInt64, common.ErrModel, "dimension"},
	{"input: dimension", fixed, math.MaxInt32, common.ErrShape, "[2147483647 3]"},
	{"input: scales", fixed, -1, common.ErrModel, "-1 scales"},
	{"input: scales", fixed, math.MaxInt32, common.ErrModel, "2147483647 scales"},
	{"input: scales", fixed, 2, nil, ""}, // the length of axis 0 is 2
	{"input: axis", fixed, 2, common.ErrModel, "3 scales on axis 2"},
	{"input: axis", fixed, -1, common.ErrModel, "3 scales on axis -1"},
	{"input: axis", fixed, math.MinInt32, common.ErrModel, "3 scales on axis"},
	{"input: no scale", fixed, 0, common.ErrModel, "1 scales"},
	{"input: no zero point", fixed, 0, common.ErrModel, "1 scales"},
	{"output", fixed, 9, common.ErrRun, "fault in output"},
	{"output: endless", fixed, 0, common.ErrRun, "a name of"},
	{"output: dtype", fixed, 14, common.ErrDType, "element type 14"},
	{"output: rank", fixed, 17, common.ErrModel, "rank 17"},
	{"output: rank", fixed, -1, nil, ""}, // the shape comes from reshape
	{"output: dimension", fixed, math.MaxInt64, common.ErrModel, "dimension"},

	{"session", fixed, 9, common.ErrRun, "fault in session"},
	{"session: NULL", fixed, 0, common.ErrRun, "the engine returned no handle"},
	{"reshape", fixed, 6, common.ErrShape, "fault in reshape"},
	{"reshape: rank", fixed, 17, common.ErrModel, "rank 17"},
	{"reshape: rank", fixed, 1, common.ErrRun, "the shape [2] for output"},
	{"reshape: rank", fixed, math.MinInt32, common.ErrModel, "rank"},
	{"reshape: dimension", fixed, math.MaxInt64, common.ErrModel, "dimension"},
	{"reshape: dimension", fixed, math.MaxInt32, common.ErrRun, "the shape [2147483647 3] for output"},
	{"reshape: dimension", dynamic, 1 << 10, nil, ""}, // only uses more memory
	{"bind", fixed, 9, common.ErrRun, "fault in bind"},
	{"run", fixed, 9, common.ErrRun, "fault in run"},
	{"run", fixed, -9, common.ErrRun, "fault in run"},
	{"run: no text", fixed, 0, common.ErrRun, ""},
	{"result", dynamic, 9, common.ErrRun, "fault in result"},
	{"result: rank", dynamic, -1, common.ErrRun, "the shape [...] for output"},
	{"result: rank", dynamic, 17, common.ErrModel, "rank 17"},
	{"result: rank", dynamic, 0, common.ErrRun, "the shape [] for output"},
	{"result: dimension", dynamic, -1, common.ErrRun, "the shape [? 1] for output"},
	{"result: dimension", dynamic, math.MinInt64, common.ErrModel, "dimension"},
	{"result: dimension", dynamic, math.MaxInt64, common.ErrModel, "dimension"},
	{"result: NULL", dynamic, 0, common.ErrRun, "no data for output"},
	{"reset", "accumulator", 9, common.ErrRun, "fault in reset"},
	{"layer", fixed, 9, common.ErrRun, "fault in layer"},
	{"layer: for ever", fixed, 0, common.ErrRun, "more than 1048576 layers"},
	{"layer: NULL", fixed, 0, nil, ""},
	{"layer: endless", fixed, 0, common.ErrRun, "a name of"},
}

// TestFaults checks that every fault of an engine becomes a typed error or is
// harmless, and that the engine can be used after it.
func TestFaults(t *testing.T) {
	f := engine(t)
	for _, c := range faults {
		t.Run(c.fault, func(t *testing.T) {
			f.set(c.fault, c.value)
			err := f.useModel(t, c.model)
			if c.is == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.text)
			var typed *common.Error
			require.ErrorAs(t, err, &typed)
			require.Equal(t, "faulty", typed.Engine)
			f.set("", 0)
			require.NoError(t, f.useModel(t, c.model), "the fault has lasting effects")
		})
	}
}

// TestRunAfterFault checks that a session can be used after a failed Run, and that
// an error does not contain the text of an earlier one.
func TestRunAfterFault(t *testing.T) {
	f := engine(t)
	e, err := f.open(t, nil)
	require.NoError(t, err)
	for model, fault := range map[string][]string{fixed: {"run"}, dynamic: {"run", "result"}} {
		m, err := load(e, model, nil)
		require.NoError(t, err)
		s, err := m.NewSession(ctx, "")
		require.NoError(t, err)
		for _, name := range fault {
			f.set(name, 9)
			require.ErrorContains(t, s.Run(ctx), "fault in "+name)
			f.set("run: no text", 0)
			err = s.Run(ctx)
			require.ErrorIs(t, err, common.ErrRun)
			require.NotContains(t, err.Error(), "fault in")
			f.set("", 0)
			require.NoError(t, s.Run(ctx))
		}
	}
}

// TestBindAfterFault checks that a session can be used after a failed bind or
// reshape.
func TestBindAfterFault(t *testing.T) {
	f := engine(t)
	e, err := f.open(t, nil)
	require.NoError(t, err)
	m, err := load(e, "edges", nil)
	require.NoError(t, err)
	s, err := m.NewSession(ctx, "")
	require.NoError(t, err)
	for i, fault := range []string{"reshape", "bind", "reshape: rank", "bind"} {
		x, err := common.NewTensor(common.Float32, 1, 1, 8+i, 9)
		require.NoError(t, err)
		require.NoError(t, s.BindInput(0, x))
		f.set(fault, 9)
		require.Error(t, s.Run(ctx))
		require.Error(t, s.Run(ctx))
		f.set("", 0)
		require.NoError(t, s.Run(ctx))
		require.Equal(t, common.Shape{1, 1, 8 + i, 9}, s.Output(0).Shape())
	}
}

// TestInvalidThreads checks that an implausible number of threads is reported as 0.
func TestInvalidThreads(t *testing.T) {
	f := engine(t)
	e, err := f.open(t, nil)
	require.NoError(t, err)
	for value, want := range map[int64]int{4: 4, -7: 0, math.MaxInt64: 0} {
		f.set("property: threads", value)
		m, err := load(e, fixed, nil)
		require.NoError(t, err)
		require.Equal(t, want, m.Info().Threads)
	}
}

// TestQuantizationAxis checks that the axis of a tensor with a single scale is 0.
func TestQuantizationAxis(t *testing.T) {
	f := engine(t)
	e, err := f.open(t, nil)
	require.NoError(t, err)
	f.set("input: axis of one", -7)
	m, err := load(e, "digits_int8", nil)
	require.NoError(t, err)
	require.Zero(t, m.Signatures()[0].Inputs[0].Quant.Axis)
}

// TestCancelRun checks that a long Run ends with its context, and when the engine
// closes.
func TestCancelRun(t *testing.T) {
	f := engine(t)
	e, err := f.open(t, nil)
	require.NoError(t, err)
	m, err := load(e, fixed, nil)
	require.NoError(t, err)
	s, err := m.NewSession(ctx, "")
	require.NoError(t, err)
	require.NoError(t, s.Run(ctx))
	f.set("run: slow", 20_000)
	start := time.Now()
	c, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	require.Equal(t, context.DeadlineExceeded, s.Run(c))
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	time.Sleep(20 * time.Millisecond)
	require.NoError(t, e.Close())
	require.ErrorIs(t, <-done, common.ErrClosed)
	require.Less(t, time.Since(start), 10*time.Second)
}

// TestCancelLoad checks that the end of the context reaches a load that is executing.
func TestCancelLoad(t *testing.T) {
	f := engine(t)
	e, err := f.open(t, nil)
	require.NoError(t, err)
	f.set("load: waits", 0)
	c, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err = e.Load(c, common.File("../../testdata/multi.ref"), nil)
	require.Equal(t, context.DeadlineExceeded, err)
}

// TestLog checks that lines which an engine logs from its own thread, at any level,
// and lines that it prints reach the logger.
func TestLog(t *testing.T) {
	f := engine(t)
	for fault, lines := range map[string][]string{
		"load: talks": {
			"level=DEBUG msg=\"line -4\" engine=faulty", "level=INFO msg=\"line 0\" engine=faulty",
			"level=WARN msg=\"line 4\" engine=faulty", "level=ERROR msg=\"line 8\" engine=faulty",
			"level=ERROR+91 msg=\"line 99\" engine=faulty", "level=INFO msg=\"\" engine=faulty",
		},
		"load: prints": {"level=WARN msg=printed engine=faulty"},
	} {
		var out buffer
		e, err := f.open(t, slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		require.NoError(t, err)
		f.set(fault, 0)
		_, err = load(e, fixed, nil)
		require.NoError(t, err)
		require.NoError(t, e.Close())
		for _, line := range lines {
			require.Eventually(t, func() bool { return strings.Contains(out.String(), line) }, 5*time.Second, time.Millisecond, line)
		}
		require.NotContains(t, out.String(), "line -99", "a line below the handler's level was logged")
	}
}

// TestKeepStderr checks that, with Config.KeepStderr, printed lines are not logged
// and the engine's log is.
func TestKeepStderr(t *testing.T) {
	f := engine(t)
	var out buffer
	e, err := common.Open("faulty", &common.Config{Library: f.path, Logger: slog.New(slog.NewTextHandler(&out, nil)), KeepStderr: true})
	require.NoError(t, err)
	defer e.Close()
	for _, fault := range []string{"load: prints", "load: talks"} {
		f.set(fault, 0)
		_, err = load(e, fixed, nil)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "line 8") }, 5*time.Second, time.Millisecond)
	require.NotContains(t, out.String(), "printed")
}

// buffer can be read while the goroutine of the log writes to it.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestInvalidOptions checks that pairs which cannot be passed to C, or which the engine
// does not know, are refused.
func TestInvalidOptions(t *testing.T) {
	f := engine(t)
	e, err := f.open(t, nil)
	require.NoError(t, err)
	for _, c := range []struct {
		pairs map[string]string
		text  string
	}{
		{map[string]string{"verbose": "1\x00"}, "NUL"},
		{map[string]string{"a\x00": ""}, "NUL"},
		{map[string]string{"unknown": "1"}, "unknown=1"},
		{map[string]string{"shape:a": "1;2"}, "MIN;OPT;MAX"},
		{map[string]string{"shape:a": "1,2;1,2;1"}, "MIN;OPT;MAX"},
		{map[string]string{"shape:a": "2,3;2,3;2,x"}, "MIN;OPT;MAX"},
		{map[string]string{"shape:a": strings.Repeat("2,", 16) + "3;2,3;2,3"}, "MIN;OPT;MAX"},
	} {
		_, err := load(e, fixed, &common.Options{Native: c.pairs})
		require.ErrorIs(t, err, common.ErrOption)
		require.ErrorContains(t, err, c.text)
	}
	m, err := load(e, fixed, &common.Options{Native: map[string]string{"verbose": "1"}})
	require.NoError(t, err)
	require.NoError(t, m.Close())
}
