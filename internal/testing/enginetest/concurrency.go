// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

// closeOrder closes an engine, its model and its session in each order, beside another engine.
func (s *suite) closeOrder(t *testing.T) {
	m := s.model(t, "digits")
	beside := m.load(t, s.engine(t), common.Options{})
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		e := s.engine(t)
		loaded := m.load(t, e, common.Options{})
		session := NewSession(t, loaded)
		result := m.run(t, loaded, 0)
		m.run(t, beside, 0)
		m.runSession(t, session, 0)
		for _, i := range order {
			c := []io.Closer{e, loaded, session}[i]
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
		m.run(t, beside, 0)
	}
}

// interrupt ends Runs by their contexts and by Close. What is right afterwards is compared with a Run that
// was not disturbed.
func (s *suite) interrupt(t *testing.T) {
	name := "slow"
	if len(emulator()) > 0 {
		name = "slow_small"
	}
	m, e := s.model(t, name), s.engine(t)
	loaded := m.load(t, e, common.Options{})
	session := NewSession(t, loaded)
	values.Fill(session.Input(0), 1)
	in := common.Tensors{m.Inputs[0].Name: session.Input(0).Clone()}
	require.NoError(t, session.Run(ctx)) // the first may take far longer
	start := time.Now()
	require.NoError(t, session.Run(ctx))
	full := time.Since(start)
	want := session.Output(0).Clone()
	// interrupts fails if f, which interrupts a Run after a delay, never does so well before its end. On a busy
	// machine the first attempts may be late. In an emulator the SDK's exception takes longer than the small
	// model's Run, and the error alone shows that it was interrupted.
	// f may call begin after its preparations, which are no part of the Run.
	interrupts := func(t *testing.T, kind error, f func(delay time.Duration, begin func()) error) {
		for attempt := range 6 {
			delay, start := full>>(3+attempt), time.Now()
			err := f(delay, func() { start = time.Now() })
			took := time.Since(start)
			t.Logf("%v after %v took %v of %v: %v", kind, delay, took, full, err)
			if err == nil {
				continue // the Run was over
			}
			if require.ErrorIs(t, err, kind); took < full*3/4 || len(emulator()) > 0 {
				return
			}
		}
		t.Fatal("nothing interrupts a Run")
	}
	for name, run := range map[string]func(context.Context) error{
		"model":   func(c context.Context) error { _, err := loaded.Run(c, in); return err },
		"session": session.Run,
	} {
		s.run(t, "context of a "+name, func(t *testing.T) {
			interrupts(t, context.Canceled, func(delay time.Duration, _ func()) error {
				c, cancel := context.WithCancel(ctx)
				defer time.AfterFunc(delay, cancel).Stop()
				return run(c)
			})
			interrupts(t, context.DeadlineExceeded, func(delay time.Duration, _ func()) error {
				c, cancel := context.WithTimeout(ctx, delay)
				defer cancel()
				return run(c)
			})
		})
	}
	s.run(t, "the next Run is right", func(t *testing.T) {
		limit := func(ref float64) float64 { return 1e-6 + 1e-5*ref }
		require.NoError(t, session.Run(ctx))
		require.Empty(t, Differ(want, session.Output(0), limit))
		out, err := loaded.Run(ctx, in)
		require.NoError(t, err)
		require.Empty(t, Differ(want, out[m.Outputs[0].Name], limit))
	})
	for level, name := range raceLevels {
		s.run(t, "close the "+name, func(t *testing.T) {
			interrupts(t, common.ErrClosed, func(delay time.Duration, begin func()) error {
				e := s.engine(t)
				loaded := m.load(t, e, common.Options{})
				session := NewSession(t, loaded)
				require.NoError(t, session.BindInput(0, in[m.Inputs[0].Name]))
				closed := make(chan error, 1)
				begin()
				time.AfterFunc(delay, func() { closed <- []io.Closer{session, loaded, e}[level].Close() })
				err := session.Run(ctx)
				require.NoError(t, <-closed)
				return err
			})
		})
	}
}

// concurrency has many goroutines on one model, and on a session each, and every result right.
func (s *suite) concurrency(t *testing.T) {
	// all runs f in goroutines, each with the numbers of cases by turns.
	all := func(t *testing.T, m *model, goroutines, runs int, f func(g, n int) (common.Tensors, error)) {
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := range runs {
					n := (g + i) % len(m.in)
					if out, err := f(g, n); err != nil || m.differ(m.want[n], out) != "" {
						t.Errorf("goroutine %d, case %d: %v %s", g, n, err, m.differ(m.want[n], out))
						return
					}
				}
			})
		}
		wg.Wait()
	}
	for _, name := range []string{"digits", "digits_dynamic", "nonzero_cast"} {
		for _, sessions := range []int{1, 4} {
			s.run(t, fmt.Sprintf("%s, %d sessions", name, sessions), func(t *testing.T) {
				m := s.model(t, name)
				loaded := m.load(t, s.engine(t), common.Options{Sessions: sessions})
				require.Equal(t, sessions, loaded.Info().Sessions)
				all(t, m, 32, 8, func(_, n int) (common.Tensors, error) { return loaded.Run(ctx, m.in[n]) })
			})
		}
	}
	s.run(t, "a session a goroutine", func(t *testing.T) {
		m := s.model(t, "digits")
		loaded := m.load(t, s.engine(t), s.oneThread())
		var sessions []*common.Session
		for range 8 {
			sessions = append(sessions, NewSession(t, loaded))
		}
		all(t, m, len(sessions), 50, func(g, n int) (common.Tensors, error) {
			err := sessions[g].BindInput(0, m.in[n][m.Inputs[0].Name])
			return outputs(sessions[g]), errors.Join(err, sessions[g].Run(ctx))
		})
	})
}

// What is closed, and what other goroutines do with it meanwhile.
var (
	raceLevels = []string{"session", "model", "engine"}
	raceStates = []string{"making", "acquiring", "binding", "running", "resetting", "profiling"}
)

// races closes sessions, models and engines at random moments while others use them. A model that keeps a
// state must show nothing of it in Model.Run. Each model has a process of its own, where a crash is this
// test's failure.
func (s *suite) races(t *testing.T) {
	names := []string{"digits", "digits_dynamic", "accumulator", "rnn"}
	require.Subset(t, s.names, names)
	for _, e := range s.entries {
		if format := s.Formats[0]; e.Files[format] != nil && e.named(names) && s.Skip["states/"+format+"/"+e.Name] == "" {
			s.run(t, e.Name, func(t *testing.T) {
				alone(t, settings{}, func(t *testing.T) { quiet(t, func() { s.read(t, e, format).races(t) }) })
			})
		}
	}
}

// races closes at each level, as often as the time allows, while goroutines use the session in each state.
func (m *model) races(t *testing.T) {
	limit := time.Duration(soak(t)) * 10 * time.Millisecond
	for _, state := range raceStates {
		// At most five sessions are there at once, and TensorRT 8.2 bounds how many: one more than these.
		options := m.options(common.Options{Sessions: 4, Profile: state == "profiling"})
		for level := range raceLevels {
			var e *common.Engine
			var loaded *common.Model
			var err error
			start, done := time.Now(), 0
			for ; done == 0 || time.Since(start) < limit; done++ {
				if e == nil {
					e, err = common.Open(m.suite.Name, nil)
					require.NoError(t, err)
				}
				if loaded == nil {
					if loaded, err = e.Load(ctx, m.file(), options); options.Profile && errors.Is(err, common.ErrOption) {
						require.NoError(t, e.Close())
						return
					}
					require.NoError(t, err)
				}
				r := &race{model: m, t: t, state: state, level: level, alone: rand.N(2) == 0, loaded: loaded}
				r.close(e)
				if level > 0 {
					loaded = nil
				}
				if level > 1 {
					e = nil
				}
			}
			require.NoError(t, e.Close())
			t.Logf("%s: closed %d times, the %s", state, done, raceLevels[level])
		}
	}
}

// race is a model that goroutines use while it, its session or its engine is closed.
type race struct {
	*model
	t       *testing.T
	state   string
	level   int
	alone   bool // one goroutine uses the session: its outputs can be read
	loaded  *common.Model
	session *common.Session
	over    atomic.Bool
}

// close closes at the level while goroutines use the session and the model.
func (r *race) close(e *common.Engine) {
	var err error
	r.session, err = r.loaded.NewSession(ctx, "")
	require.NoError(r.t, err)
	r.runSession(r.t, r.session, 0)
	began := time.Now()
	r.use() // which shows how long it takes
	took := time.Since(began)
	users := []func() error{r.runModel, r.use, r.runModel}
	if !r.alone {
		users[2] = r.use // one of the two gets ErrInUse
	}
	var wg sync.WaitGroup
	for _, use := range users {
		wg.Go(func() {
			for !r.over.Load() && !errors.Is(use(), common.ErrClosed) {
				runtime.Gosched()
			}
		})
	}
	for d, begin := rand.N(2*took+time.Microsecond), time.Now(); time.Since(begin) < d; {
		runtime.Gosched()
	}
	require.NoError(r.t, []io.Closer{r.session, r.loaded, e}[r.level].Close())
	r.over.Store(true)
	wg.Wait()
	if r.t.Failed() {
		r.t.FailNow()
	}
}

// good reports success. The errors of a call on what is closed at level or above, and those of contexts, are
// no success either, but right.
func (r *race) good(level int, err error) bool {
	expected := err == nil || err == context.DeadlineExceeded || level <= r.level && errors.Is(err, common.ErrClosed) ||
		level == 0 && !r.alone && errors.Is(err, common.ErrInUse)
	if !expected {
		r.t.Errorf("close the %s: %v", raceLevels[r.level], err)
	}
	return err == nil
}

// right fails where out are not the outputs of case n.
func (r *race) right(n int, out common.Tensors) {
	if diff := r.differ(r.want[n], out); diff != "" {
		r.t.Errorf("case %d: %s", n, diff)
	}
}

// context is one that does not end, or ends at any moment.
func (r *race) context() (context.Context, context.CancelFunc) {
	if rand.N(3) > 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, rand.N(200*time.Microsecond))
}

// runModel runs the model. The result is that of the initial state.
func (r *race) runModel() error {
	n := rand.N(len(r.in))
	c, cancel := r.context()
	defer cancel()
	out, err := r.loaded.Run(c, r.in[n])
	if r.good(1, err) {
		r.right(n, out)
	}
	return err
}

// use has the session in the state once.
func (r *race) use() (err error) {
	session, n := r.session, rand.N(len(r.in))
	c, cancel := r.context()
	defer cancel()
	get := map[string]func(context.Context, string) (*common.Session, error){
		"making": r.loaded.NewSession, "acquiring": r.loaded.AcquireSession,
	}[r.state]
	if get != nil {
		if session, err = get(c, ""); !r.good(1, err) {
			return err
		}
		defer session.Close()
	}
	if get != nil || r.state == "binding" {
		for i, info := range r.Inputs {
			if err := session.BindInput(i, r.in[n][info.Name]); !r.good(0, err) {
				return err
			}
		}
	} else {
		n = 0 // what is bound
	}
	// Another user's Run may come between Reset and Run.
	known := get != nil || r.alone && r.Stream == nil
	if r.state == "resetting" || r.state == "binding" {
		if err := session.Reset(); !r.good(0, err) {
			return err
		}
		known = r.alone
	}
	if err = session.Run(c); r.good(0, err) && known {
		r.right(n, outputs(session))
	}
	if r.state == "profiling" {
		_, err = session.Profile()
		r.good(0, err)
	}
	return err
}
