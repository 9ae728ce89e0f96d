// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// log: what the SDK prints arrives in the Logger, and nothing on stderr. Each
// job has a process of its own: a handler that is waited for would block all
// that comes after it.
func (s *suite) log(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("C's stderr is captured on Linux only")
	}
	for _, name := range slices.Sorted(maps.Keys(logJobs)) {
		s.run(t, name, func(t *testing.T) {
			cmd := s.command(t, "log:"+name)
			var out, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &stderr
			require.NoError(t, cmd.Run(), "%s\n%s", &out, &stderr)
			require.Contains(t, out.String(), "--- PASS: "+s.top, "it must not have skipped")
			require.Empty(t, stderr.String())
		})
	}
}

var logJobs = map[string]func(*suite, *testing.T){
	"attributes": (*suite).logAttributes, "quiet": (*suite).quietByDefault,
	"blocked handler": (*suite).blockedHandler, "handler loads": (*suite).handlerLoads, "handler locks": (*suite).handlerLocks,
}

// lines are what is logged. They come from another goroutine, later than what
// they are about.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// logAttributes does all that may make an SDK log. Each record must have the
// engine's name.
func (s *suite) logAttributes(t *testing.T) {
	var out lines
	e, err := common.Open(s.Name, &common.Config{Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	for _, format := range s.Formats {
		for _, m := range s.models {
			if m.Files[format] == nil {
				continue
			}
			bad := m.bytes(t, s.root, format)
			for i := range bad {
				bad[i] = bad[i][:len(bad[i])*2/3]
			}
			for _, src := range []common.Source{m.file(s.root, format), common.Bytes(bad...).As(format)} {
				loaded, err := e.Load(ctx, src, s.suited(t, m, format, nil))
				if err != nil {
					continue
				}
				for range 2 { // the second has what the first left to be reset
					if src.Name() != "" && len(m.Cases) > 0 {
						_, err := loaded.Run(ctx, s.in(t, m, format, 0))
						require.NoError(t, err)
					}
				}
				require.NoError(t, loaded.Close())
			}
		}
	}
	require.NoError(t, e.Close())
	for line := range strings.Lines(out.String()) {
		require.Contains(t, line, "engine="+s.Name)
	}
}

// quietByDefault: with the default logger, at its level Info, nothing is
// printed where all goes well.
func (s *suite) quietByDefault(t *testing.T) {
	require.NoError(t, s.loadsOf(t, false).run(slog.Default().Handler()))
	time.Sleep(100 * time.Millisecond) // a record would come later
}

// blockedHandler: a handler that never returns blocks no Load, neither of its
// own engine nor of another.
func (s *suite) blockedHandler(t *testing.T) {
	all := s.loadsOf(t, true)
	within(t, "Load with a handler that blocks", func() error { return all.run(handler(func() { select {} })) })
	within(t, "Load with another engine", func() error { return all.run(slog.DiscardHandler) })
}

// handlerLoads: a handler may itself open an engine and load models.
func (s *suite) handlerLoads(t *testing.T) {
	all := s.loadsOf(t, true)
	var once sync.Once
	result := make(chan error, 1)
	begun := make(chan struct{})
	within(t, "Load", func() error {
		return all.run(handler(func() {
			once.Do(func() {
				close(begun)
				result <- all.run(slog.DiscardHandler)
			})
		}))
	})
	select {
	case <-begun:
		within(t, "Load in a handler", func() error { return <-result })
	case <-time.After(100 * time.Millisecond):
		t.Log("the engine logs nothing")
	}
}

// handlerLocks: a handler may wait for a lock that the caller of Load holds.
func (s *suite) handlerLocks(t *testing.T) {
	all := s.loadsOf(t, true)
	var mu sync.Mutex
	within(t, "Load", func() error {
		mu.Lock()
		defer mu.Unlock()
		return all.run(handler(func() {
			mu.Lock()
			defer mu.Unlock()
		}))
	})
}

// loads are models to load with an engine.
type loads struct {
	engine string
	models []loadable
}

type loadable struct {
	src     common.Source
	options *common.Options
	cut     bool // it need not load: its end is missing
}

// loadsOf is a model in each format that the engine reads, with cut the same
// without its end too, of which SDKs have more to log.
func (s *suite) loadsOf(t *testing.T, cut bool) loads {
	all := loads{engine: s.Name}
	m := s.model(t, "digits")
	for _, format := range s.Formats {
		if m.Files[format] == nil {
			continue
		}
		o := s.suited(t, m, format, nil)
		all.models = append(all.models, loadable{m.file(s.root, format), o, false})
		if cut {
			files := m.bytes(t, s.root, format)
			for i := range files {
				files[i] = files[i][:len(files[i])*2/3]
			}
			all.models = append(all.models, loadable{common.Bytes(files...).As(format), o, true})
		}
	}
	require.NotEmpty(t, all.models)
	return all
}

// run opens the engine with a handler, and loads the models and a session each.
func (l loads) run(h slog.Handler) error {
	e, err := common.Open(l.engine, &common.Config{Logger: slog.New(h)})
	if err != nil {
		return err
	}
	defer e.Close()
	for _, c := range l.models {
		m, err := e.Load(ctx, c.src, c.options)
		if c.cut && err != nil {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := m.NewSession(ctx, ""); err != nil {
			return err
		}
	}
	return e.Close()
}

// within fails where f has not returned after 20 s, or with its error.
func within(t *testing.T, what string, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		require.NoError(t, err, what)
	case <-time.After(20 * time.Second):
		t.Fatalf("%s hangs", what)
	}
}

// handler is called for every record.
type handler func()

func (handler) Enabled(context.Context, slog.Level) bool { return true }

func (h handler) Handle(context.Context, slog.Record) error {
	h()
	return nil
}

func (h handler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h handler) WithGroup(string) slog.Handler      { return h }
