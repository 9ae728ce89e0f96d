// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// races closes sessions, models and engines at random moments while others use
// them. A model that keeps a state must show nothing of it in Model.Run. Each
// model has a process of its own, where a crash is this test's failure.
func (s *suite) races(t *testing.T) {
	for _, m := range s.models {
		raced := slices.Contains([]string{"digits", "digits_dynamic", "accumulator", "rnn"}, m.Name)
		if raced && m.Files[s.Formats[0]] != nil && s.Skip["states/"+s.Formats[0]+"/"+m.Name] == "" {
			s.run(t, m.Name, func(t *testing.T) { s.child(t, "races:"+m.Name) })
		}
	}
}

// What is closed, and what others do with it meanwhile.
var (
	raceLevels = []string{"session", "model", "engine"}
	raceStates = []string{"making", "acquiring", "binding", "running", "resetting", "profiling"}
)

// raceLimits are how many closes of a session there are in each state, and how
// long the closes at one level in one state may take: ANYINFER_TEST_RACES says
// the one or, for all models together, the other. There is one close at least.
func raceLimits(t *testing.T) (closes int, limit time.Duration) {
	text := os.Getenv("ANYINFER_TEST_RACES")
	if n, err := strconv.Atoi(text); err == nil {
		return n, time.Hour
	}
	all := 500 * time.Millisecond
	if text != "" {
		var err error
		all, err = time.ParseDuration(text)
		require.NoError(t, err, "ANYINFER_TEST_RACES is a number of closes or a duration")
	}
	const models = 3
	return math.MaxInt, all / time.Duration(models*len(raceStates)*len(raceLevels))
}

// race is a model that is used and closed.
type race struct {
	*suite
	t        *testing.T
	m        entry
	src      common.Source
	options  common.Options
	in, want []common.Tensors // by case
	closes   atomic.Int64     // for the watchdog
}

func (s *suite) racesJob(t *testing.T, name string) {
	closes, limit := raceLimits(t)
	m := s.model(t, name)
	format := s.format(t, m)
	// At most five sessions are there at once, and TensorRT 8.2 bounds how many: one more than these.
	r := &race{suite: s, t: t, m: m, src: m.file(s.root, format), options: *s.suited(t, m, format, &common.Options{Sessions: 4})}
	for n := range m.Cases {
		r.in, r.want = append(r.in, s.in(t, m, format, n)), append(r.want, s.want(t, m, format, n))
	}
	defer r.watch()()
	quiet(t, func() {
		for _, state := range raceStates {
			if r.options.Profile = state == "profiling"; !r.takesOptions() {
				t.Log("the engine has no profile")
				continue
			}
			done := make([]int, len(raceLevels))
			start := time.Now()
			for level := range raceLevels {
				n := max(1, closes/[]int{1, 5, 50}[level])
				done[level] = r.race(level, state, n, limit)
			}
			t.Logf("%s, %s: closed %d sessions, %d models, %d engines in %v; %v",
				name, state, done[0], done[1], done[2], time.Since(start).Round(time.Millisecond), footprint())
		}
	})
}

// takesOptions reports whether the engine takes Options.Profile, where that is set.
func (r *race) takesOptions() bool {
	e, err := common.Open(r.Name, nil)
	require.NoError(r.t, err)
	defer e.Close()
	_, err = e.Load(ctx, r.src, &r.options)
	if err != nil {
		require.ErrorIs(r.t, err, common.ErrOption)
	}
	return err == nil
}

// watch ends the process, with the stacks of all goroutines, where nothing was
// closed for a minute.
func (r *race) watch() (stop func()) {
	over := make(chan struct{})
	go func() {
		for last := int64(-1); ; {
			select {
			case <-over:
				return
			case <-time.After(time.Minute):
			}
			n := r.closes.Load()
			if n == last {
				stacks := make([]byte, 1<<20)
				fmt.Printf("nothing was closed for a minute\n%s\n", stacks[:runtime.Stack(stacks, true)])
				os.Exit(2)
			}
			last = n
		}
	}()
	return func() { close(over) }
}

// race closes n times at a level, or as often as the time allows, what others
// use in a state.
func (r *race) race(level int, state string, n int, limit time.Duration) (done int) {
	var (
		e       *common.Engine
		m       *common.Model
		session *common.Session
		err     error
	)
	for start := time.Now(); done == 0 || done < n && time.Since(start) < limit; done++ {
		if e == nil {
			e, err = common.Open(r.Name, nil)
			require.NoError(r.t, err)
		}
		if m == nil {
			m, err = e.Load(ctx, r.src, &r.options)
			require.NoError(r.t, err)
		}
		session = newSession(r.t, m)
		runSession(r.t, session, r.in[0])
		u := user{race: r, model: m, session: session, level: level, alone: done%2 == 0}
		began := time.Now()
		u.use(state) // which tells how long it takes
		took := time.Since(began)

		var users sync.WaitGroup
		for range 2 - done%2 {
			users.Go(u.runModel)
		}
		for range 1 + done%2 { // the second gets ErrInUse, or is the reason for that
			users.Go(func() {
				for !u.over.Load() && u.use(state) {
					runtime.Gosched()
				}
			})
		}
		for d, begin := rand.N(2*took+time.Microsecond), time.Now(); time.Since(begin) < d; {
			runtime.Gosched()
		}
		require.NoError(r.t, []closer{session, m, e}[level].Close())
		u.over.Store(true)
		users.Wait()
		r.closes.Add(1)
		if level > 0 {
			m = nil
		}
		if level > 1 {
			e = nil
		}
		if r.t.Failed() {
			r.t.FailNow()
		}
	}
	if e != nil {
		require.NoError(r.t, e.Close())
	}
	return done
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
	switch {
	case err == nil:
		return true
	case level <= u.level && errors.Is(err, common.ErrClosed),
		level == 0 && !u.alone && errors.Is(err, common.ErrInUse),
		err == context.DeadlineExceeded:
	default:
		u.t.Errorf("close the %s: %v", raceLevels[u.level], err)
	}
	return false
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
	for name, want := range u.want[n] {
		if diff := u.m.differ(want, out[name]); diff != "" {
			u.t.Errorf("case %d, output %q: %s", n, name, diff)
		}
	}
}

// use has the session in a state once, and reports whether it is still open.
func (u *user) use(state string) bool {
	session, n := u.session, rand.N(len(u.in))
	get := map[string]func(context.Context, string) (*common.Session, error){
		"making": u.model.NewSession, "acquiring": u.model.AcquireSession,
	}[state]
	if get != nil {
		c, cancel := u.context()
		defer cancel()
		own, err := get(c, "")
		if !u.good(1, err) {
			return !errors.Is(err, common.ErrClosed)
		}
		defer own.Close()
		session = own
	}
	if get != nil || state == "binding" {
		for i, info := range u.m.Inputs {
			if err := session.BindInput(i, u.in[n][info.Name]); !u.good(0, err) {
				return !errors.Is(err, common.ErrClosed)
			}
		}
	} else {
		n = 0 // what is bound
	}
	// Another user's Run may come between Reset and Run.
	known := get != nil || u.alone && u.m.Stream == nil
	if state == "resetting" || state == "binding" {
		if err := session.Reset(); !u.good(0, err) {
			return !errors.Is(err, common.ErrClosed)
		}
		known = u.alone
	}
	c, cancel := u.context()
	defer cancel()
	err := session.Run(c)
	if u.good(0, err) && known {
		u.right(n, outputs(session))
	}
	if state == "profiling" {
		_, err = session.Profile()
		u.good(0, err)
	}
	return !errors.Is(err, common.ErrClosed)
}
