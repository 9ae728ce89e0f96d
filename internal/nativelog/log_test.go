// SPDX-License-Identifier: Apache-2.0

package nativelog

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/stretchr/testify/require"
)

// output can be read while the queue's goroutine writes to it.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func newLog(out *output, level slog.Level) Log {
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	logger := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: noTime}))
	return New(common.Config{Logger: logger}, "tflite", true)
}

func requireLogged(t *testing.T, out *output, want string) {
	t.Helper()
	require.Eventually(t, func() bool { return out.String() == want }, 5*time.Second, time.Millisecond, "want %s", want)
}

func TestLine(t *testing.T) {
	for line, want := range map[string]string{
		"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.":                 "level=DEBUG msg=\"Created TensorFlow Lite XNNPACK delegate for CPU.\"",
		"WARNING: All log messages before absl::InitializeLog() is called":        "level=WARN msg=\"All log messages before absl::InitializeLog() is called\"",
		"VERBOSE: Replacing 3 out of 3 node(s)":                                   "level=DEBUG msg=\"Replacing 3 out of 3 node(s)\"",
		"ERROR: [cpu_registry.cc:78] no":                                          "level=ERROR msg=\"[cpu_registry.cc:78] no\"",
		"I0000 00:00:1795476835.650945    4202 cpu_registry.cc:78] registered":    "level=DEBUG msg=\"cpu_registry.cc:78] registered\"",
		"E0000 00:00:1795476835.650945    4202 text_format.cc:417] Error parsing": "level=ERROR msg=\"text_format.cc:417] Error parsing\"",
		"F0000 00:00:1795476835.650945    4202 text_format.cc:417] Check failed":  "level=ERROR msg=\"text_format.cc:417] Check failed\"",
		"[libprotobuf ERROR google/protobuf/text.cc:335] Expected":                "level=ERROR msg=\"google/protobuf/text.cc:335] Expected\"",
		"[23:45:08.6134]D[plugin.cpp:289][AUTO] deviceNameWithID:CPU":             "level=DEBUG msg=\"[plugin.cpp:289][AUTO] deviceNameWithID:CPU\"",
		"D/tnn: virtual Status Init() [File a.cc][Line 1] no":                     "level=DEBUG msg=\"virtual Status Init() [File a.cc][Line 1] no\"",
		"something else: ERROR: it is":                                            "level=DEBUG msg=\"something else: ERROR: it is\"",
	} {
		out := new(output)
		newLog(out, slog.LevelDebug).Line(line)
		requireLogged(t, out, want+" engine=tflite\n")
	}
}

func TestCaptureReturnsError(t *testing.T) {
	out := new(output)
	err := errors.New("failed")
	require.Equal(t, err, newLog(out, slog.LevelDebug).Capture(func() error { return err }))
	require.Empty(t, out.String())
}

// TestRecordOrder checks that records arrive in order, with their attributes, and only
// at the handler's level.
func TestRecordOrder(t *testing.T) {
	out := new(output)
	l := newLog(out, slog.LevelInfo)
	l.Debug("not wanted")
	l.With("a", 1).WithGroup("g").Info("one", "b", 2)
	l.Line("WARNING: two")
	time.Sleep(time.Millisecond) // time for the queue's goroutine to end
	l.Error("three")
	requireLogged(t, out, "level=INFO msg=one engine=tflite a=1 g.b=2\nlevel=WARN msg=two engine=tflite\nlevel=ERROR msg=three engine=tflite\n")
}

// Functions of the C library that print to stderr or end the process.
const (
	perror = iota
	assertFail
	exit
)

func libc(t *testing.T) *dylib.Library {
	t.Helper()
	lib, err := dylib.Open(dylib.Spec{Engine: "c", Stem: "c", Sonames: []string{"libc.so.6"}}, []dylib.Decl{
		perror:     {C: "void perror(const char* text)"},
		assertFail: {C: "void __assert_fail(const char* assertion, const char* file, unsigned line, const char* function)"},
		exit:       {C: "void _exit(int status)"},
	}, "")
	if err != nil {
		t.Skip("C's stderr is captured with glibc only: ", err)
	}
	return lib
}

// blockedHandler is a handler that never returns.
type blockedHandler struct{ slog.Handler }

func (blockedHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (blockedHandler) Handle(context.Context, slog.Record) error { select {} }
func (b blockedHandler) WithAttrs([]slog.Attr) slog.Handler      { return b }

// TestBlockedHandler checks that no capture waits for a handler that blocks, and
// that the lines of other engines arrive.
func TestBlockedHandler(t *testing.T) {
	c := libc(t)
	out := new(output)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l := New(common.Config{Logger: slog.New(blockedHandler{slog.DiscardHandler})}, "blocked", true)
		for range 2 {
			l.Capture(func() error { c.Call(perror, dylib.String("ERROR: first")); return nil })
		}
		newLog(out, slog.LevelDebug).Capture(func() error { c.Call(perror, dylib.String("ERROR: second")); return nil })
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("a capture waited for the handler")
	}
	require.Eventually(t, func() bool { return strings.Contains(out.String(), `level=ERROR msg="second`) }, 5*time.Second, time.Millisecond)
}

// endingVariable is set in the child process of TestKeepStderr.
const endingVariable = "ANYINFER_TEST_ENDING"

// TestKeepStderr checks that, with Config.KeepStderr, the last line that C prints
// before it ends the process reaches the standard error.
func TestKeepStderr(t *testing.T) {
	c := libc(t)
	if ending := os.Getenv(endingVariable); ending != "" {
		New(common.Config{Logger: slog.New(slog.DiscardHandler), KeepStderr: true}, "dying", true).Capture(func() error {
			if ending == "assert" {
				c.Call(assertFail, dylib.String("the last line"), dylib.String("file.c"), dylib.Int(1), dylib.String("f"))
			}
			c.Call(perror, dylib.String("the last line"))
			c.Call(exit, dylib.Int(1))
			return nil
		})
	}
	for _, ending := range []string{"assert", "_exit"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKeepStderr$")
		cmd.Env = append(os.Environ(), endingVariable+"="+ending)
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), "the last line", ending)
	}
}
