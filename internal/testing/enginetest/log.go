// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// log: what the SDK prints arrives in the Logger, and nothing on stderr. Each test has a process of its own:
// a handler that never returns would block the tests after it.
func (s *suite) log(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("C's stderr is captured on Linux only")
	}
	for name, f := range map[string]func(*testing.T){
		"attributes": s.logAttributes, "quiet": s.logQuiet, "blocked handler": s.blockedHandler,
	} {
		s.run(t, name, func(t *testing.T) { require.Empty(t, alone(t, settings{}, f), "stderr") })
	}
}

// logAttributes loads and runs whole and cut models, which may make an SDK log. Each record must have the engine's name.
func (s *suite) logAttributes(t *testing.T) {
	var log Log
	s.loadAll(t, log.Logger().Handler(), true)
	for line := range strings.Lines(log.String()) {
		require.Contains(t, line, "engine="+s.Name)
	}
}

// logQuiet: with the default logger, at its level Info, nothing is printed where all goes well.
func (s *suite) logQuiet(t *testing.T) {
	s.loadAll(t, slog.Default().Handler(), false, "digits")
	time.Sleep(100 * time.Millisecond) // a record would come later
}

// blockedHandler: a handler that never returns blocks no Load, neither of its own engine nor of another. So a
// handler may wait for what the caller of Load holds, and may itself load models.
func (s *suite) blockedHandler(t *testing.T) {
	var blocked slog.Handler = slog.NewTextHandler(blockedWriter{}, &slog.HandlerOptions{Level: slog.LevelDebug})
	for _, h := range []slog.Handler{blocked, slog.DiscardHandler} {
		done := make(chan struct{})
		go func() {
			s.loadAll(t, h, true, "digits")
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Fatal("Load hangs")
		}
		time.Sleep(100 * time.Millisecond) // a record may come later
	}
}

type blockedWriter struct{}

func (blockedWriter) Write([]byte) (int, error) { select {} }

// loadAll opens the engine with a handler, loads each model of the names, or all, in each format, and runs
// it. With cut it also loads each without its end, of which SDKs have more to log.
func (s *suite) loadAll(t *testing.T, h slog.Handler, cut bool, names ...string) {
	e, err := openEngine(s.Name, &common.Config{Logger: slog.New(h)})
	assert.NoError(t, err)
	for _, entry := range s.entries {
		for format := range entry.Files {
			if !entry.named(names) || !slices.Contains(s.Formats, format) {
				continue
			}
			m := s.read(t, entry, format)
			o := m.options(common.Options{})
			loaded, err := e.Load(ctx, m.file(), o)
			if err != nil {
				assert.Nil(t, names, "%v", err)
				continue // some engines lack operators
			}
			for range min(2, 2*len(m.in)) { // the second has what the first left to be reset
				_, err := loaded.Run(ctx, m.in[0])
				assert.NoError(t, err)
			}
			assert.NoError(t, loaded.Close())
			if cut {
				files := m.bytes(t)
				for i := range files {
					files[i] = files[i][:len(files[i])*2/3]
				}
				loaded, err := e.Load(ctx, common.Bytes(files...).As(format), o)
				if err == nil {
					assert.NoError(t, loaded.Close())
				}
			}
		}
	}
	assert.NoError(t, e.Close())
}
