// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// concurrency has many goroutines on one model, and on a session each, and every
// result right.
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
		loaded := m.load(t, s.engine(t), common.Options{})
		var sessions []*common.Session
		for range 8 {
			sessions = append(sessions, NewSession(t, loaded))
		}
		all(t, m, len(sessions), 50, func(g, n int) (common.Tensors, error) {
			err := sessions[g].BindInput(0, m.in[n][m.Inputs[0].Name])
			return outputs(sessions[g]), errors.Join(err, sessions[g].Run(ctx))
		})
	})
	s.run(t, "two engines", func(t *testing.T) {
		m := s.model(t, "digits")
		a, b := m.load(t, s.engine(t), common.Options{}), m.load(t, s.engine(t), common.Options{})
		for _, loaded := range []*common.Model{a, b, a, b} {
			m.run(t, loaded, 0)
		}
		require.NoError(t, a.Close())
		m.run(t, b, 0)
	})
}

// What is closed, and what others do with it meanwhile.
var (
	raceLevels = []string{"session", "model", "engine"}
	raceStates = []string{"making", "acquiring", "binding", "running", "resetting", "profiling"}
)

// races closes sessions, models and engines at random moments while others use
// them. A model that keeps a state must show nothing of it in Model.Run. Each
// model has a process of its own, where a crash is this test's failure.
func (s *suite) races(t *testing.T) {
	for _, e := range s.entries {
		if e.Files[s.Formats[0]] == nil || !e.named([]string{"digits", "digits_dynamic", "accumulator", "rnn"}) ||
			s.Skip["states/"+s.Formats[0]+"/"+e.Name] != "" {
			continue
		}
		s.run(t, e.Name, func(t *testing.T) {
			alone(t, settings{}, func(t *testing.T) {
				m := s.read(t, e, s.Formats[0])
				quiet(t, func() {
					for _, state := range raceStates {
						// At most five sessions are there at once, and TensorRT 8.2 bounds how many: one more than these.
						r := &race{model: m, t: t, state: state, options: m.options(common.Options{Sessions: 4, Profile: state == "profiling"})}
						r.run()
					}
				})
			})
		})
	}
}

// race is a model that is used and closed.
type race struct {
	*model
	t       *testing.T
	state   string
	options *common.Options
}

// run closes at each level what others use, as often as the time allows.
func (r *race) run() {
	for level, name := range raceLevels {
		var (
			e    *common.Engine
			m    *common.Model
			err  error
			done = 0
		)
		for start := time.Now(); done < 2 || time.Since(start) < time.Duration(soak(r.t))*10*time.Millisecond; done++ {
			if e == nil {
				e, err = common.Open(r.suite.Name, nil)
				require.NoError(r.t, err)
			}
			if m == nil {
				m, err = e.Load(ctx, r.file(), r.options)
				if r.options.Profile && errors.Is(err, common.ErrOption) {
					r.t.Log("the engine has no profile")
					require.NoError(r.t, e.Close())
					return
				}
				require.NoError(r.t, err)
			}
			r.close(e, m, level, done%2 == 0)
			if level > 0 {
				m = nil
			}
			if level > 1 {
				e = nil
			}
		}
		if e != nil {
			require.NoError(r.t, e.Close())
		}
		r.t.Logf("%s, %s: closed %d times", r.state, name, done)
	}
}

// close closes at a level what others use.
func (r *race) close(e *common.Engine, m *common.Model, level int, alone bool) {
	session, err := m.NewSession(ctx, "")
	require.NoError(r.t, err)
	r.runSession(r.t, session, 0)
	u := user{race: r, model: m, session: session, level: level, alone: alone}
	began := time.Now()
	u.use() // which shows how long it takes
	took := time.Since(began)
	var users sync.WaitGroup
	users.Go(u.runModel)
	users.Go(u.repeat)
	if alone {
		users.Go(u.runModel)
	} else {
		users.Go(u.repeat) // one of the two gets ErrInUse
	}
	for d, begin := rand.N(2*took+time.Microsecond), time.Now(); time.Since(begin) < d; {
		runtime.Gosched()
	}
	require.NoError(r.t, []closer{session, m, e}[level].Close())
	u.over.Store(true)
	users.Wait()
	if r.t.Failed() {
		r.t.FailNow()
	}
}

// user is what uses a session and its model in goroutines.
type user struct {
	*race
	model   *common.Model
	session *common.Session
	level   int
	alone   bool // nobody else has the session: its outputs can be read
	over    atomic.Bool
}

// good reports success. The errors of a call on what is closed at level or
// above, and those of contexts, are no success either, but right.
func (u *user) good(level int, err error) bool {
	expected := err == nil || err == context.DeadlineExceeded || level <= u.level && errors.Is(err, common.ErrClosed) ||
		level == 0 && !u.alone && errors.Is(err, common.ErrInUse)
	if !expected {
		u.t.Errorf("close the %s: %v", raceLevels[u.level], err)
	}
	return err == nil
}

// context is one that does not end, or ends at any moment.
func (u *user) context() (context.Context, context.CancelFunc) {
	if rand.N(3) > 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, rand.N(200*time.Microsecond))
}

// runModel runs the model until it is closed. Each result is that of the
// initial state.
func (u *user) runModel() {
	for !u.over.Load() {
		n := rand.N(len(u.in))
		c, cancel := u.context()
		out, err := u.model.Run(c, u.in[n])
		cancel()
		if u.good(1, err) {
			u.right(n, out)
		} else if errors.Is(err, common.ErrClosed) {
			return
		}
		runtime.Gosched()
	}
}

func (u *user) right(n int, out common.Tensors) {
	if diff := u.differ(u.want[n], out); diff != "" {
		u.t.Errorf("case %d: %s", n, diff)
	}
}

func (u *user) repeat() {
	for !u.over.Load() && !errors.Is(u.use(), common.ErrClosed) {
		runtime.Gosched()
	}
}

// use has the session in the state once.
func (u *user) use() (err error) {
	session, n := u.session, rand.N(len(u.in))
	get := map[string]func(context.Context, string) (*common.Session, error){
		"making": u.model.NewSession, "acquiring": u.model.AcquireSession,
	}[u.state]
	c, cancel := u.context()
	defer cancel()
	if get != nil {
		if session, err = get(c, ""); !u.good(1, err) {
			return err
		}
		defer session.Close()
	}
	if get != nil || u.state == "binding" {
		for i, info := range u.Inputs {
			if err := session.BindInput(i, u.in[n][info.Name]); !u.good(0, err) {
				return err
			}
		}
	} else {
		n = 0 // what is bound
	}
	// Another user's Run may come between Reset and Run.
	known := get != nil || u.alone && u.Stream == nil
	if u.state == "resetting" || u.state == "binding" {
		if err := session.Reset(); !u.good(0, err) {
			return err
		}
		known = u.alone
	}
	err = session.Run(c)
	if u.good(0, err) && known {
		u.right(n, outputs(session))
	}
	if u.state == "profiling" {
		_, err = session.Profile()
		u.good(0, err)
	}
	return err
}
