// SPDX-License-Identifier: Apache-2.0

// Package nativelog leads what native libraries print and log into log/slog.
package nativelog

import (
	"context"
	"log/slog"
	"regexp"
	"sync"

	"github.com/anyinfer/anyinfer/internal/dylib"
)

// Log is the logger of an open engine, for what its library says.
type Log struct{ *slog.Logger }

// New makes each record of log bear the engine's name.
func New(log *slog.Logger, engine string) Log { return Log{log.With("engine", engine)} }

// During calls f; what the library prints meanwhile on C's stderr is logged.
func (l Log) During(f func() error) (err error) {
	dylib.Stderr(l.Say, func() { err = f() })
	return err
}

// Say logs a line of the library's, at the level that it begins with.
func (l Log) Say(line string) {
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

var levels = map[byte]slog.Level{
	'V': slog.LevelDebug, 'T': slog.LevelDebug, 'D': slog.LevelDebug, 'I': slog.LevelInfo,
	'W': slog.LevelWarn, 'E': slog.LevelError, 'F': slog.LevelError,
}

// parse tells the level of a line, Info where it has none, and the rest.
func parse(line string) (slog.Level, string) {
	for _, form := range forms {
		if m := form.FindStringSubmatch(line); m != nil {
			return levels[m[1][0]], m[2]
		}
	}
	return slog.LevelInfo, line
}

// Queue hands what is added to Do on a goroutine, one after the other. Add
// never waits: a library's callback comes on any thread, with the library's
// locks held, and a handler of log records may do anything.
type Queue[T any] struct {
	Do func(T)

	mu    sync.Mutex
	items []T
	busy  bool
}

// Add queues an item.
func (q *Queue[T]) Add(item T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = append(q.items, item)
	if !q.busy {
		q.busy = true
		go q.work()
	}
}

func (q *Queue[T]) work() {
	for {
		q.mu.Lock()
		items := q.items
		q.items, q.busy = nil, len(items) > 0
		q.mu.Unlock()
		if items == nil {
			return
		}
		for _, item := range items {
			q.Do(item)
		}
	}
}
