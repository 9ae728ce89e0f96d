// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

type closer interface{ Close() error }

func (s *suite) lifecycle(t *testing.T) {
	s.run(t, "close in any order", s.closeOrder)
	for level, name := range []string{"engine", "model", "session"} {
		s.run(t, "close the "+name+" during Run", func(t *testing.T) { s.closeDuring(t, level) })
	}
	s.run(t, "one goroutine a session", s.inUse)
	s.run(t, "close from everywhere", s.closeRace)
}

func (s *suite) closeOrder(t *testing.T) {
	m := s.model(t, "digits")
	format := s.format(t, m)
	in, want := s.in(t, m, format, 0), s.want(t, m, format, 0)
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		e, err := common.Open(s.Name, nil)
		require.NoError(t, err)
		loaded, err := e.Load(ctx, m.file(s.root, format), nil)
		require.NoError(t, err)
		session := newSession(t, loaded)
		result, err := loaded.Run(ctx, in)
		require.NoError(t, err)
		runSession(t, session, in)
		for _, i := range order {
			c := []closer{e, loaded, session}[i]
			require.NoError(t, c.Close())
			require.NoError(t, c.Close(), "twice")
			require.ErrorIs(t, session.Run(ctx), common.ErrClosed, "its session went with it")
			require.ErrorIs(t, session.BindInput(0, in[m.Inputs[0].Name]), common.ErrClosed)
			if i < 2 {
				_, err = loaded.Run(ctx, in)
				require.ErrorIs(t, err, common.ErrClosed)
				_, err = loaded.NewSession(ctx, "")
				require.ErrorIs(t, err, common.ErrClosed)
				_, err = loaded.Property("anything")
				require.ErrorIs(t, err, common.ErrClosed)
			}
		}
		_, err = e.Load(ctx, m.file(s.root, format), nil)
		require.ErrorIs(t, err, common.ErrClosed)
		m.check(t, want, result, "results outlive everything")
		m.check(t, want, outputs(session), "outputs outlive their session")
		session.Input(0).Bytes()[0] = 1 // Go memory, written without harm
	}
}

// slow is the model for interruptions: a Session on it that has run once, the
// time that takes and what comes out.
func (s *suite) slow(t *testing.T, e *common.Engine) (loaded *common.Model, session *common.Session, in common.Tensors, want *common.Tensor, full time.Duration) {
	t.Helper()
	m := s.model(t, "slow")
	if len(emulator()) > 0 {
		m = s.model(t, "slow_small")
	}
	loaded, err := e.Load(ctx, m.file(s.root, s.format(t, m)), nil)
	require.NoError(t, err)
	session = newSession(t, loaded)
	values.Fill(session.Input(0), 1)
	in = common.Tensors{m.Inputs[0].Name: session.Input(0).Clone()}
	require.NoError(t, session.Run(ctx)) // the first may take far longer, as in an emulator
	start := time.Now()
	require.NoError(t, session.Run(ctx))
	full = time.Since(start)
	require.Greater(t, full, 40*time.Millisecond, "the slow model is too fast to be interrupted")
	return loaded, session, in, session.Output(0).Clone(), full
}

// warm has the model's pool make its session, which nothing interrupts.
func warm(t *testing.T, loaded *common.Model, in common.Tensors) {
	t.Helper()
	_, err := loaded.Run(ctx, in)
	require.NoError(t, err)
}

// inside is a moment well inside a Run that takes full.
func inside(full time.Duration) time.Duration { return full / 8 }

// prompt fails where something that interrupts a Run took most of it.
func prompt(t *testing.T, what string, start time.Time, full time.Duration) {
	t.Helper()
	took := time.Since(start)
	t.Logf("%s took %v of %v", what, took.Round(time.Millisecond), full.Round(time.Millisecond))
	require.Less(t, took, full/2, what)
}

func (s *suite) closeDuring(t *testing.T, level int) {
	e := s.engine(t)
	loaded, session, in, _, full := s.slow(t, e)
	errs := make(chan error, 3)
	runs := []func() error{func() error { return session.Run(ctx) }}
	if level < 2 {
		warm(t, loaded, in)
		run := func() error { _, err := loaded.Run(ctx, in); return err }
		runs = []func() error{run, run} // the second waits for its turn
	}
	for _, run := range runs {
		go func() { errs <- run() }()
	}
	time.Sleep(inside(full))
	start := time.Now()
	require.NoError(t, []closer{e, loaded, session}[level].Close())
	for range runs {
		if err := <-errs; err != nil {
			require.ErrorIs(t, err, common.ErrClosed)
		}
	}
	prompt(t, "Close", start, full)
}

func (s *suite) inUse(t *testing.T) {
	_, session, in, _, full := s.slow(t, s.engine(t))
	done := make(chan error, 1)
	go func() { done <- session.Run(ctx) }()
	time.Sleep(inside(full))
	require.ErrorIs(t, session.Run(ctx), common.ErrInUse)
	for _, x := range in {
		require.ErrorIs(t, session.BindInput(0, x), common.ErrInUse)
	}
	require.NoError(t, session.Close())
	if err := <-done; err != nil {
		require.ErrorIs(t, err, common.ErrClosed)
	}
}

// closeRace closes at random moments what others use.
func (s *suite) closeRace(t *testing.T) {
	m := s.model(t, "digits")
	format := s.format(t, m)
	in, want := s.in(t, m, format, 0), s.want(t, m, format, 0)
	check := func(err error) bool {
		if err != nil && !errors.Is(err, common.ErrClosed) && !errors.Is(err, common.ErrInUse) {
			t.Error(err)
		}
		return err == nil
	}
	for round := range 8 {
		e, err := common.Open(s.Name, nil)
		require.NoError(t, err)
		loaded, err := e.Load(ctx, m.file(s.root, format), &common.Options{Sessions: 2})
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					out, err := loaded.Run(ctx, in)
					if !check(err) {
						return
					}
					if diff := m.differ(want["scores"], out["scores"]); diff != "" {
						t.Error(diff)
					}
				}
			})
			wg.Go(func() {
				for {
					session, err := loaded.NewSession(ctx, "")
					if !check(err) {
						return
					}
					wg.Go(func() { check(session.Run(ctx)) })
					check(session.BindInput(0, in[m.Inputs[0].Name]))
					check(session.Close())
				}
			})
		}
		time.Sleep(time.Duration(round) * 3 * time.Millisecond)
		require.NoError(t, []closer{e, loaded}[round%2].Close())
		wg.Wait()
		require.NoError(t, e.Close())
	}
}
