// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cancel ends contexts before, while waiting for and during a Run. What is
// right afterwards is compared with a Run that nobody disturbed.
func (s *suite) cancel(t *testing.T) {
	e := s.engine(t)
	loaded, session, in, want, full := s.slow(t, e)
	warm(t, loaded, in)
	over, cancelOver := context.WithCancel(ctx)
	cancelOver()
	model := func(c context.Context) error { _, err := loaded.Run(c, in); return err }
	ways := map[string]func(context.Context) error{"model": model, "session": session.Run}

	// right runs undisturbed in both ways.
	right := func(t *testing.T) {
		t.Helper()
		limit := func(ref float64) float64 { return 1e-6 + 1e-5*ref }
		require.NoError(t, session.Run(ctx))
		require.Empty(t, differ(want, session.Output(0), limit))
		out, err := loaded.Run(ctx, in)
		require.NoError(t, err)
		require.Len(t, out, 1)
		for _, x := range out {
			require.Empty(t, differ(want, x, limit))
		}
	}
	s.run(t, "before", func(t *testing.T) {
		start := time.Now()
		for range 10 {
			for name, run := range ways {
				require.Equal(t, context.Canceled, run(over), name)
			}
			_, err := e.Load(over, s.model(t, "digits").file(s.root, s.Formats[0]), nil)
			require.ErrorIs(t, err, context.Canceled)
		}
		prompt(t, "30 cancelled calls", start, full)
	})
	for name, run := range ways {
		s.run(t, "during "+name, func(t *testing.T) {
			for range 2 {
				c, cancel := context.WithCancel(ctx)
				time.AfterFunc(inside(full), cancel)
				start := time.Now()
				require.Equal(t, context.Canceled, run(c))
				prompt(t, "a cancelled Run", start, full)
			}
			c, cancel := context.WithTimeout(ctx, inside(full))
			defer cancel()
			start := time.Now()
			require.Equal(t, context.DeadlineExceeded, run(c))
			prompt(t, "a Run with a deadline", start, full)
		})
	}
	s.run(t, "the next Run is right", right)
	s.run(t, "waiting for a turn", func(t *testing.T) {
		running, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- model(running) }()
		time.Sleep(inside(full))
		c, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		start := time.Now()
		require.Equal(t, context.DeadlineExceeded, model(c))
		prompt(t, "waiting with a deadline", start, full)
		stop()
		require.Equal(t, context.Canceled, <-done)
	})
	s.run(t, "at every moment of a short Run", func(t *testing.T) {
		loaded, m, format := s.load(t, "digits", nil)
		session := newSession(t, loaded)
		in, want := s.in(t, m, format, 0), s.want(t, m, format, 0)
		runSession(t, session, in)
		cancelled := 0
		for i := range 1000 {
			c, cancel := context.WithTimeout(ctx, time.Duration(i%100)*time.Microsecond)
			if err := session.Run(c); err == nil {
				m.check(t, want, outputs(session))
			} else {
				require.Equal(t, context.DeadlineExceeded, err)
				cancelled++
			}
			cancel()
			if i%2 == 0 { // no late interrupt hits the next Run
				require.NoError(t, session.Run(ctx))
				m.check(t, want, outputs(session))
			}
		}
		t.Logf("%d of 1000 were cancelled", cancelled)
		require.NotZero(t, cancelled)
	})
}
