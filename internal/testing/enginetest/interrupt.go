// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"context"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

type closer interface{ Close() error }

// closeOrder closes an engine, its model and its session in each order.
func (s *suite) closeOrder(t *testing.T) {
	m := s.model(t, "digits")
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		e := s.engine(t)
		loaded := m.load(t, e, common.Options{})
		session := NewSession(t, loaded)
		result := m.run(t, loaded, 0)
		m.runSession(t, session, 0)
		for _, i := range order {
			c := []closer{e, loaded, session}[i]
			require.NoError(t, c.Close())
			require.NoError(t, c.Close(), "twice")
			require.ErrorIs(t, session.Run(ctx), common.ErrClosed, "its session went with it")
			if i < 2 {
				_, err := loaded.Run(ctx, m.in[0])
				require.ErrorIs(t, err, common.ErrClosed)
				_, err = loaded.Property("anything")
				require.ErrorIs(t, err, common.ErrClosed)
			}
		}
		_, err := e.Load(ctx, m.file(), nil)
		require.ErrorIs(t, err, common.ErrClosed)
		m.check(t, 0, result, "results outlive everything")
		m.check(t, 0, outputs(session), "outputs outlive their session")
		session.Input(0).Bytes()[0] = 1 // Go memory, written without harm
	}
}

// slow is a model whose Run takes long enough to be interrupted.
type slow struct {
	*model
	in   common.Tensors
	want *common.Tensor
	full time.Duration // of a Run that is not interrupted
}

// interrupt ends Runs by their contexts and by Close. What is right afterwards
// is compared with a Run that was not disturbed.
func (s *suite) interrupt(t *testing.T) {
	m := &slow{model: s.model(t, "slow")}
	if len(emulator()) > 0 {
		m.model = s.model(t, "slow_small")
	}
	e := s.engine(t)
	loaded := m.load(t, e, common.Options{})
	session := NewSession(t, loaded)
	values.Fill(session.Input(0), 1)
	m.in = common.Tensors{m.Inputs[0].Name: session.Input(0).Clone()}
	start := time.Now()
	require.NoError(t, session.Run(ctx))
	m.full = time.Since(start)
	m.want = session.Output(0).Clone()
	for name, run := range map[string]func(context.Context) error{
		"model":   func(c context.Context) error { _, err := loaded.Run(c, m.in); return err },
		"session": session.Run,
	} {
		s.run(t, "context of a "+name, func(t *testing.T) {
			m.interrupts(t, context.Canceled, func(delay time.Duration) error {
				c, cancel := context.WithCancel(ctx)
				defer time.AfterFunc(delay, cancel).Stop()
				return run(c)
			})
			m.interrupts(t, context.DeadlineExceeded, func(delay time.Duration) error {
				c, cancel := context.WithTimeout(ctx, delay)
				defer cancel()
				return run(c)
			})
		})
	}
	s.run(t, "the next Run is right", func(t *testing.T) {
		limit := func(ref float64) float64 { return 1e-6 + 1e-5*ref }
		require.NoError(t, session.Run(ctx))
		require.Empty(t, differ(m.want, session.Output(0), limit))
		out, err := loaded.Run(ctx, m.in)
		require.NoError(t, err)
		require.Empty(t, differ(m.want, out[m.Outputs[0].Name], limit))
	})
	for level, name := range raceLevels {
		s.run(t, "close the "+name, func(t *testing.T) {
			m.interrupts(t, common.ErrClosed, func(delay time.Duration) error {
				e := s.engine(t)
				loaded := m.load(t, e, common.Options{})
				session := NewSession(t, loaded)
				require.NoError(t, session.BindInput(0, m.in[m.Inputs[0].Name]))
				closed := make(chan error, 1)
				time.AfterFunc(delay, func() { closed <- []closer{session, loaded, e}[level].Close() })
				err := session.Run(ctx)
				require.NoError(t, <-closed)
				return err
			})
		})
	}
	s.run(t, "at every moment of a short Run", s.interruptShort)
}

// interrupts fails where f, which interrupts a Run after a delay, never does so
// well before its end. On a busy machine the first attempts may come too late.
func (m *slow) interrupts(t *testing.T, want error, f func(delay time.Duration) error) {
	t.Helper()
	for attempt := range 6 {
		delay := m.full >> (3 + attempt)
		start := time.Now()
		err := f(delay)
		took := time.Since(start)
		t.Logf("%v after %v took %v of %v: %v", want, delay, took, m.full, err)
		if err == nil {
			continue // the Run was over
		}
		require.ErrorIs(t, err, want)
		if took < m.full*3/4 {
			return
		}
	}
	t.Fatal("nothing interrupts a Run")
}

// interruptShort ends contexts at every moment of a Run.
func (s *suite) interruptShort(t *testing.T) {
	m := s.model(t, "digits")
	session := NewSession(t, m.load(t, s.engine(t), common.Options{}))
	m.runSession(t, session, 0)
	cancelled := 0
	for i := range 500 {
		c, cancel := context.WithTimeout(ctx, time.Duration(i%100)*time.Microsecond)
		if err := session.Run(c); err == nil {
			m.check(t, 0, outputs(session))
		} else {
			require.Equal(t, context.DeadlineExceeded, err)
			cancelled++
		}
		cancel()
		if i%2 == 0 { // no late interrupt hits the next Run
			require.NoError(t, session.Run(ctx))
			m.check(t, 0, outputs(session))
		}
	}
	t.Logf("%d of 500 were cancelled", cancelled)
	require.NotZero(t, cancelled)
}
