// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// races closes sessions and models at random moments of what others do with
// them, in a process of its own: a crash is a failure of this test.
func (s *suite) races(t *testing.T) { s.child(t, "races:") }

// The methods of a session during which it is closed. Each is called again and
// again until it fails.
var raceStates = map[string]func(m entry, session *common.Session, in []common.Tensors, round int) error{
	"making": nil, // of other sessions
	"binding": func(m entry, session *common.Session, in []common.Tensors, round int) error {
		for i, info := range m.Inputs { // also with another shape, where the cases have several
			if err := session.BindInput(i, in[round%len(in)][info.Name].Clone()); err != nil {
				return err
			}
		}
		return session.Run(ctx)
	},
	"running": func(_ entry, session *common.Session, _ []common.Tensors, round int) error {
		c, cancel := context.WithTimeout(ctx, time.Duration(round%100)*time.Microsecond)
		defer cancel()
		return session.Run(c)
	},
	"resetting": func(_ entry, session *common.Session, _ []common.Tensors, _ int) error {
		if err := session.Run(ctx); err != nil {
			return err
		}
		return session.Reset()
	},
	"profiling": func(_ entry, session *common.Session, _ []common.Tensors, _ int) error {
		if err := session.Run(ctx); err != nil {
			return err
		}
		_, err := session.Profile()
		return err
	},
}

// raceEffort is how many sessions to close in each state, or how long to go on
// in all, as ANYINFER_TEST_RACES says.
func raceEffort(t *testing.T) (closes int, length time.Duration) {
	text := os.Getenv("ANYINFER_TEST_RACES")
	if text == "" {
		return 0, 500 * time.Millisecond
	}
	if n, err := strconv.Atoi(text); err == nil {
		return n, 0
	}
	length, err := time.ParseDuration(text)
	require.NoError(t, err, "ANYINFER_TEST_RACES")
	return 0, length
}

func (s *suite) racesJob(t *testing.T) {
	closes, length := raceEffort(t)
	e := s.engine(t)
	names := []string{"digits"}
	for _, name := range []string{"accumulator", "rnn"} { // which keep a state
		if i := slices.IndexFunc(s.models, func(m entry) bool { return m.Name == name && len(m.Files) > 0 }); i >= 0 {
			names = append(names, name)
		}
	}
	states := slices.Sorted(maps.Keys(raceStates))
	debug.SetTraceback("all")
	hang := time.AfterFunc(time.Minute, func() { panic("a Close, or what it closes, does not return") })
	for _, name := range names {
		m := s.model(t, name)
		format := s.format(t, m)
		if reason := s.Skip["states/"+format+"/"+name]; reason != "" {
			t.Logf("%s: %s", name, reason)
			continue
		}
		for _, state := range states {
			r := &race{suite: s, engine: e, m: m, format: format, state: state}
			if !r.prepare(t) {
				t.Logf("%s, %s: the engine has no profile", name, state)
				continue
			}
			start, share := time.Now(), length/time.Duration(len(names)*len(states))
			sessions, models := 0, 0
			for closes > 0 && (sessions < closes || models < closes/5) || closes == 0 && time.Since(start) < share {
				hang.Reset(time.Minute)
				sessions += r.round(t, 5)
				models++
			}
			t.Logf("%s, %s: %d sessions and %d models closed in %v", name, state, sessions, models, time.Since(start).Round(time.Millisecond))
		}
	}
	hang.Stop()
}

type race struct {
	*suite
	engine  *common.Engine
	m       entry
	format  string
	state   string
	options *common.Options
	ins     []common.Tensors
	wants   []common.Tensors
}

// prepare reads the cases, and reports whether the engine has that state.
func (r *race) prepare(t *testing.T) bool {
	for n := range r.m.Cases {
		r.ins = append(r.ins, r.in(t, r.m, r.format, n))
		r.wants = append(r.wants, r.want(t, r.m, r.format, n))
	}
	r.options = r.suited(t, r.m, r.format, &common.Options{Sessions: 2, Profile: r.state == "profiling"})
	loaded, err := r.engine.Load(ctx, r.m.file(r.root, r.format), r.options)
	if r.state == "profiling" && errors.Is(err, common.ErrOption) {
		return false
	}
	require.NoError(t, err)
	session := newSession(t, loaded)
	runSession(t, session, r.ins[0])
	_, err = session.Profile()
	require.NoError(t, loaded.Close())
	return r.state != "profiling" || err == nil
}

// expected reports whether err may come of a Close or a deadline meanwhile. It
// fails for another one.
func expected(t *testing.T, err error) bool {
	for _, kind := range []error{common.ErrClosed, common.ErrInUse, context.DeadlineExceeded} {
		if errors.Is(err, kind) {
			return true
		}
	}
	if err != nil {
		t.Errorf("%v", err)
	}
	return err != nil
}

// round closes n sessions of a model one after the other, then the model while
// further ones and Model.Run are at work, and returns how many it has closed.
func (r *race) round(t *testing.T, n int) int {
	loaded, err := r.engine.Load(ctx, r.m.file(r.root, r.format), r.options)
	require.NoError(t, err)
	var all sync.WaitGroup
	for g := range 2 {
		all.Go(func() {
			for i := g; ; i++ {
				c := i % len(r.ins)
				out, err := loaded.Run(ctx, r.ins[c])
				if expected(t, err) {
					return
				}
				for name, want := range r.wants[c] { // from the initial state, whatever others do
					if diff := r.m.differ(want, out[name]); diff != "" {
						t.Errorf("%s, case %d: %s", r.m.Name, c, diff)
					}
				}
			}
		})
	}
	if r.state == "making" {
		all.Go(func() {
			for {
				session, err := loaded.NewSession("")
				if expected(t, err) {
					return
				}
				all.Go(func() { expected(t, session.Run(ctx)) })
				require.NoError(t, session.Close())
			}
		})
	}
	for range n {
		pause := r.start(t, &all, loaded)
		time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
		require.NoError(t, pause.Close())
	}
	r.start(t, &all, loaded) // closed with the model
	time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
	require.NoError(t, loaded.Close())
	all.Wait()
	return n + 1
}

// start makes a session and has a goroutine call the state's methods on it,
// until it is closed.
func (r *race) start(t *testing.T, all *sync.WaitGroup, loaded *common.Model) *common.Session {
	session := newSession(t, loaded)
	for i, info := range r.m.Inputs {
		require.NoError(t, session.BindInput(i, r.ins[0][info.Name].Clone()))
	}
	if call := raceStates[r.state]; call != nil {
		all.Go(func() {
			for i := 0; ; i++ {
				err := call(r.m, session, r.ins, i)
				if errors.Is(err, context.DeadlineExceeded) {
					continue
				}
				if expected(t, err) {
					return
				}
			}
		})
	}
	return session
}
