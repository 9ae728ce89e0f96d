// SPDX-License-Identifier: Apache-2.0

// Package nativelog sends what native libraries print and log to log/slog.
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
// records are queued, and a goroutine that nobody waits for delivers them. So
// a library's callback, which may come on any thread with the library's locks
// held, can log, and a handler may block, or load a model.
type Log struct {
	*slog.Logger
	captures bool
}

// Unchecked logs the operators of a model for which its checker has no rules.
func (l Log) Unchecked(operators []string) {
	if operators != nil {
		l.Debug("operators that this version does not know were not checked", "operators", operators)
	}
}

// New makes a Log whose records have the engine's name. printsLog says that
// the library has no log of its own and prints on C's stderr instead, which
// Capture then takes unless c.KeepStderr is set.
func New(c common.Config, engine string, printsLog bool) Log {
	return Log{slog.New(handler{c.Logger.With("engine", engine).Handler(), new(queue)}), printsLog && !c.KeepStderr}
}

// Capture calls f and logs what the library prints on C's stderr meanwhile.
func (l Log) Capture(f func() error) (err error) {
	l.CaptureLines(l.Line, func() { err = f() })
	return err
}

// CaptureLines is Capture with another use of the lines; onLine must not block.
func (l Log) CaptureLines(onLine func(line string), f func()) {
	if l.captures {
		dylib.CaptureStderr(onLine, f)
	} else {
		f()
	}
}

// Line logs a line of the library's text, at the level that it begins with.
func (l Log) Line(line string) {
	level, text := parse(line)
	l.Log(context.Background(), level, text)
}

// forms are how libraries write a level and, behind it, the text.
var forms = []*regexp.Regexp{
	regexp.MustCompile(`^(VERBOSE|DEBUG|INFO|WARNING|ERROR|FATAL): (.*)`),           // TFLite, LiteRT, absl before its start
	regexp.MustCompile(`^([IWEF])\d{4} \d\d:\d\d:\d[\d.]* +\d+ ([\w./-]+:\d+\].*)`), // absl
	regexp.MustCompile(`^\[libprotobuf (INFO|WARNING|ERROR|FATAL) (.*)`),            // Protobuf
	regexp.MustCompile(`^\[[\d:.]+\]([TDIWEF])[A-Z]*(\[.*)`),                        // OpenVINO
	regexp.MustCompile(`^([DIE])/tnn: (.*)`),                                        // TNN
}

// parse returns the level of a line and the rest of it. SDKs use INFO for how
// they set themselves up, which is Debug to a program that loads a model.
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

// Enabled is asked of the user's handler later, by the queue.
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

// queue runs functions one after the other, on a goroutine that ends when none
// is left.
type queue struct {
	mu      sync.Mutex
	waiting []func()
	running bool
}

func (q *queue) add(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
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
