// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// log: what the SDK prints arrives in the Logger, and nothing on stderr.
func (s *suite) log(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("C's stderr is exchanged on Linux only")
	}
	cmd := s.command(t, "log:")
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	require.NoError(t, cmd.Run(), "%s\n%s", &out, &stderr)
	require.Contains(t, out.String(), "--- PASS: "+s.top, "it must not have skipped")
	require.Empty(t, stderr.String())
}

// lines are what is logged. A library's own come from other goroutines, also
// later than what they are about.
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

// logJob does all that may make an SDK talk.
func (s *suite) logJob(t *testing.T) {
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
