// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/anyinfer/anyinfer/isolate"
	"github.com/stretchr/testify/require"
)

// Main is the TestMain of a package with examples that need the engine's SDK. An example cannot skip itself,
// so where the SDK is missing, but in CI, they are all left out.
func Main(m *testing.M, engine string) {
	isolate.Main()
	if os.Getenv("CI") == "" && !isChild {
		e, err := openEngine(engine, nil)
		if errors.Is(err, common.ErrNotAvailable) {
			fmt.Fprintln(os.Stderr, "examples are skipped:", err)
			flag.Parse()
			flag.Set("test.skip", strings.TrimPrefix(flag.Lookup("test.skip").Value.String()+"|^Example", "|"))
		}
		e.Close()
	}
	os.Exit(m.Run())
}

// openEngine opens the engine in this process, or in children of it if ANYINFER_TEST_ISOLATE is set.
func openEngine(engine string, cfg *common.Config) (*common.Engine, error) {
	if os.Getenv("ANYINFER_TEST_ISOLATE") != "" {
		return isolate.Open(engine, cfg, nil)
	}
	return common.Open(engine, cfg)
}

// Require skips the test where the engine's SDK is missing; in CI that is a failure. It returns the SDK's
// version.
func Require(t testing.TB, engine string) (version string) {
	t.Helper()
	e, err := openEngine(engine, nil)
	if errors.Is(err, common.ErrNotAvailable) {
		Missing(t, err.Error())
	}
	require.NoError(t, err)
	defer e.Close()
	return e.Info().Version
}

// Missing skips what needs something that this machine lacks; in CI it fails.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// Open opens the engine until the test ends, and is Require too.
func Open(t testing.TB, engine string, cfg *common.Config) *common.Engine {
	t.Helper()
	Require(t, engine)
	e, err := openEngine(engine, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// File is a file of testdata.
func File(t testing.TB, name string) common.Source {
	t.Helper()
	return common.File(filepath.Join(root(t), "testdata", filepath.FromSlash(name)))
}

// Load loads a model until the test ends.
func Load(t testing.TB, e *common.Engine, src common.Source, o *common.Options) *common.Model {
	t.Helper()
	m, err := e.Load(ctx, src, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// NewSession makes a session of the model's first signature, until the test ends.
func NewSession(t testing.TB, m *common.Model) *common.Session {
	t.Helper()
	s, err := m.NewSession(ctx, "")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// Random is a tensor of seeded elements.
func Random(t testing.TB, seed uint64, dt common.DType, shape ...int) *common.Tensor {
	t.Helper()
	x, err := common.NewTensor(dt, shape...)
	require.NoError(t, err)
	values.Fill(x, seed)
	return x
}

// Instrumented reports whether the race detector or AddressSanitizer is on. They keep memory of their own for
// what there ever was, and allocate where Go does not.
func Instrumented() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "-asan" || s.Key == "-race" })
}

// NoAllocations calls f, which may allocate the first time only. Where the program is Instrumented it does
// nothing more.
func NoAllocations(t testing.TB, f func() error) {
	t.Helper()
	var err error
	n := testing.AllocsPerRun(100, func() {
		if e := f(); e != nil {
			err = e
		}
	})
	require.NoError(t, err)
	if !Instrumented() {
		require.Zero(t, n, "allocations")
	}
}

// Log is a log that may be read while it is written.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Logger writes all levels to l.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Wait fails where the log does not have the text some seconds later: records come from another goroutine.
func (l *Log) Wait(t testing.TB, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(l.String(), text) }, 30*time.Second, time.Millisecond, text)
}

// root is the folder of go.mod, above the package under test.
func root(t testing.TB) string {
	t.Helper()
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
