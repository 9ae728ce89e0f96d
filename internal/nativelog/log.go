// SPDX-License-Identifier: Apache-2.0

// Package nativelog sends the log and the output of native libraries to log/slog.
package nativelog

import (
	"context"
	"log/slog"
	"regexp"
	"sync"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// Log is the logger of an open engine. Logging never calls the user's handler:
// records are queued, and a goroutine for which no call waits delivers them. So a
// library can log on any thread and while it holds locks, and a handler may block
// or load a model.
type Log struct {
	*slog.Logger
	captures bool
}

// New makes a Log whose records have the engine's name. With printsLog the library
// has no log interface and prints to C's stderr, which Capture then logs unless
// c.KeepStderr is set.
func New(c common.Config, engine string, printsLog bool) Log {
	return Log{slog.New(handler{c.Logger.With("engine", engine).Handler(), new(queue)}), printsLog && !c.KeepStderr}
}

// Capture calls f and logs the lines that C code prints to stderr meanwhile.
func (l Log) Capture(f func() error) (err error) {
	l.CaptureLines(l.Line, func() { err = f() })
	return err
}

// CaptureLines is like Capture, but calls onLine, which must not block.
func (l Log) CaptureLines(onLine func(line string), f func()) {
	if l.captures {
		dylib.CaptureStderr(onLine, f)
	} else {
		f()
	}
}

// Line logs a line of the library's text, at the level that the line begins with.
func (l Log) Line(line string) {
	level, text := parse(line)
	l.Log(context.Background(), level, text)
}

// forms are the formats in which libraries write a level and a text.
var forms = []*regexp.Regexp{
	regexp.MustCompile(`^(VERBOSE|DEBUG|INFO|WARNING|ERROR|FATAL): (.*)`),           // TFLite, LiteRT, absl before its start
	regexp.MustCompile(`^([IWEF])\d{4} \d\d:\d\d:\d[\d.]* +\d+ ([\w./-]+:\d+\].*)`), // absl
	regexp.MustCompile(`^\[libprotobuf (INFO|WARNING|ERROR|FATAL) (.*)`),            // Protobuf
	regexp.MustCompile(`^\[[\d:.]+\]([TDIWEF])[A-Z]*(\[.*)`),                        // OpenVINO
	regexp.MustCompile(`^([DIE])/tnn: (.*)`),                                        // TNN
}

// parse returns the level of a line and its text. SDKs use INFO for messages about
// their own set-up, which are Debug to a program that loads a model.
func parse(line string) (slog.Level, string) {
	for _, form := range forms {
		if m := form.FindStringSubmatch(line); m != nil {
			switch m[1][0] {
			case 'W':
				return slog.LevelWarn, m[2]
			case 'E', 'F':
				return slog.LevelError, m[2]
			}
			return slog.LevelDebug, m[2]
		}
	}
	return slog.LevelDebug, line
}

// handler queues records for the user's handler.
type handler struct {
	user  slog.Handler
	queue *queue
}

// Enabled returns true, because the queue asks the user's handler later.
func (h handler) Enabled(context.Context, slog.Level) bool { return true }

func (h handler) Handle(_ context.Context, r slog.Record) error {
	h.queue.add(func() {
		if ctx := context.Background(); h.user.Enabled(ctx, r.Level) {
			h.user.Handle(ctx, r)
		}
	})
	return nil
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.user.WithAttrs(attrs), h.queue}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.user.WithGroup(name), h.queue}
}

// queue runs functions one after the other, on a goroutine that ends when the queue
// is empty.
type queue struct {
	mu      sync.Mutex
	waiting []func()
	running bool
}

// maxWaiting is the number of records that wait for a handler that blocks. Later ones
// are dropped.
const maxWaiting = 1 << 14

func (q *queue) add(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= maxWaiting {
		return
	}
	q.waiting = append(q.waiting, f)
	if !q.running {
		q.running = true
		go q.run()
	}
}

func (q *queue) run() {
	for {
		q.mu.Lock()
		fs := q.waiting
		q.waiting, q.running = nil, len(fs) > 0
		q.mu.Unlock()
		if fs == nil {
			return
		}
		for _, f := range fs {
			f()
		}
	}
}
