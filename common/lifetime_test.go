// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

type closer interface{ Close() error }

// TestCloseOrder closes an engine, its model and its session in every order, each
// of them twice.
func TestCloseOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		e := echo(t)
		engine := open(t, e)
		m, err := engine.Load(ctx, common.Bytes([]byte("m")), nil)
		require.NoError(t, err)
		s := newSession(t, m)
		in := common.Tensors{"x": floats(t, []float32{1, 2}, 1, 2)}
		_, err = m.Run(ctx, in)
		require.NoError(t, err)
		require.NoError(t, s.BindInput(0, in["x"]))
		require.NoError(t, s.Run(ctx))
		all := []closer{engine, m, s}
		live := []int{0, 1, 3} // open objects after this one was closed first
		for i, n := range order {
			require.NoError(t, all[n].Close())
			require.NoError(t, all[n].Close())
			if i == 0 {
				require.Equal(t, live[n], e.Live())
			}
			if n <= 2 { // closing any of the three closes the session
				require.ErrorIs(t, s.Run(ctx), common.ErrClosed)
				require.ErrorIs(t, s.BindInput(0, in["x"]), common.ErrClosed)
				_, err = s.Profile()
				require.ErrorIs(t, err, common.ErrClosed)
			}
		}
		require.Zero(t, e.Live())
		_, err = m.Run(ctx, in)
		require.ErrorIs(t, err, common.ErrClosed)
		_, err = m.NewSession(ctx, "")
		require.ErrorIs(t, err, common.ErrClosed)
		_, err = m.Property("k")
		require.ErrorIs(t, err, common.ErrClosed)
		_, err = engine.Load(ctx, common.Bytes([]byte("m")), nil)
		require.ErrorIs(t, err, common.ErrClosed)
		_, err = engine.Property("k")
		require.ErrorIs(t, err, common.ErrClosed)
		require.Equal(t, []float32{1, 2}, values(t, s.Output(0)), "outputs must remain valid after Close")
		require.NotEmpty(t, m.Signatures())
		require.NotEmpty(t, engine.Info().Name)
	}
}

// TestCloseDuringRun checks that Close of an engine, a model or a session cancels
// the Runs of models and sessions below it and waits for their end.
func TestCloseDuringRun(t *testing.T) {
	for level, name := range []string{"engine", "model", "session"} {
		t.Run(name, func(t *testing.T) {
			g := newBlockingEngine(t)
			engine := open(t, g.Engine)
			m, err := engine.Load(ctx, common.Bytes([]byte("m")), nil)
			require.NoError(t, err)
			s := newSession(t, m)
			errs := make(chan error, 3)
			runs := 1
			go func() { errs <- s.Run(ctx) }()
			if level < 2 {
				runs = 3 // and two of Model.Run: one executes, one waits
				for range 2 {
					go func() { _, err := m.Run(ctx, scalar(t, 1)); errs <- err }()
				}
				<-g.started
			}
			<-g.started
			requireReturns(t, "Close", func() {
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						if err := []closer{engine, m, s}[level].Close(); err != nil {
							t.Error(err)
						}
						if live := g.Live(); live != []int{0, 1, 2}[level] {
							t.Errorf("%d objects are open after Close, which should wait until all are freed", live)
						}
					})
				}
				wg.Wait()
				for range runs {
					require.ErrorIs(t, <-errs, common.ErrClosed)
				}
			})
		})
	}
}

// TestCloseDuringLoad checks that Close ends the context of a driver's Load.
func TestCloseDuringLoad(t *testing.T) {
	loading := make(chan struct{})
	name := uniqueName(t)
	common.Register(common.Registration{Name: name, Open: func(common.Config) (common.Driver, error) {
		return loader{func(ctx context.Context) error { close(loading); <-ctx.Done(); return ctx.Err() }}, nil
	}})
	e, err := common.Open(name, nil)
	require.NoError(t, err)
	errs := make(chan error)
	go func() { _, err := e.Load(ctx, common.Bytes([]byte("m")), nil); errs <- err }()
	<-loading
	requireReturns(t, "Close", func() { require.NoError(t, e.Close()) })
	require.ErrorIs(t, <-errs, common.ErrClosed, "the engine was closed; the caller's context has not ended")
}

// loader is a driver whose Load calls a function and returns no model.
type loader struct{ load func(context.Context) error }

func (loader) Info() common.EngineInfo                          { return common.EngineInfo{} }
func (loader) Devices(context.Context) ([]common.Device, error) { return nil, nil }
func (loader) Close() error                                     { return nil }
func (l loader) Load(ctx context.Context, _ *common.ModelFiles, _ common.Options) (common.DriverModel, error) {
	return nil, l.load(ctx)
}

// TestCloseRace runs, creates and closes from many goroutines, for the race
// detector.
func TestCloseRace(t *testing.T) {
	for round := range 30 {
		e := echo(t)
		engine := open(t, e)
		var wg sync.WaitGroup
		check := func(err error) {
			if err != nil && !errors.Is(err, common.ErrClosed) && !errors.Is(err, common.ErrInUse) {
				t.Error(err)
			}
		}
		for range 3 {
			wg.Go(func() {
				m, err := engine.Load(ctx, common.Bytes([]byte("m")), &common.Options{Sessions: 2})
				if check(err); err != nil {
					return
				}
				for range 3 {
					wg.Go(func() {
						for range 20 {
							_, err := m.Run(ctx, common.Tensors{"x": floats(t, []float32{1, 2}, 1, 2)})
							check(err)
							s, err := m.NewSession(ctx, "")
							if check(err); err != nil {
								return
							}
							check(s.BindInput(0, floats(t, []float32{1, 2}, 1, 2)))
							for range 2 {
								wg.Go(func() { check(s.Run(ctx)) })
							}
							wg.Go(func() { check(s.Close()) })
						}
					})
				}
				if round%3 == 0 {
					check(m.Close())
				}
			})
		}
		if round%2 == 0 {
			time.Sleep(time.Duration(round) * 10 * time.Microsecond)
		} else {
			wg.Wait()
		}
		require.NoError(t, engine.Close())
		require.Zero(t, e.Live())
		wg.Wait()
	}
}

func TestSessionInUse(t *testing.T) {
	g := newBlockingEngine(t)
	s := newSession(t, load(t, g.Engine, nil))
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	<-g.started
	require.ErrorIs(t, s.Run(ctx), common.ErrInUse)
	require.ErrorIs(t, s.BindInput(0, scalar(t, 1)["x"]), common.ErrInUse)
	_, err := s.Profile()
	require.ErrorIs(t, err, common.ErrInUse)
	g.finish <- struct{}{}
	require.NoError(t, <-done)
}

// TestUnreachableIsClosed checks that engines, models and sessions are closed when they
// are unreachable.
func TestUnreachableIsClosed(t *testing.T) {
	open := map[string]func(t *testing.T, e *fake.Engine){
		"engine": func(t *testing.T, e *fake.Engine) {
			_, err := common.Open(e.Name, nil)
			require.NoError(t, err)
		},
		"model": func(t *testing.T, e *fake.Engine) {
			engine, err := common.Open(e.Name, nil)
			require.NoError(t, err)
			_, err = engine.Load(ctx, common.Bytes([]byte("m")), nil)
			require.NoError(t, err)
		},
		"loaded model": func(t *testing.T, e *fake.Engine) {
			_, err := common.Load(ctx, common.Bytes([]byte("m")).As(e.Name), nil)
			require.NoError(t, err)
		},
		"session": func(t *testing.T, e *fake.Engine) {
			engine, err := common.Open(e.Name, nil)
			require.NoError(t, err)
			m, err := engine.Load(ctx, common.Bytes([]byte("m")), nil)
			require.NoError(t, err)
			s := newSession(t, m)
			require.NoError(t, s.BindInput(0, floats(t, []float32{1, 2}, 1, 2)))
			cancelable, cancel := context.WithCancel(ctx)
			defer cancel()
			require.NoError(t, s.Run(cancelable)) // starts a watcher
			_, err = m.Run(cancelable, common.Tensors{"x": floats(t, []float32{1, 2}, 1, 2)})
			require.NoError(t, err)
		},
	}
	for name, f := range open {
		t.Run(name, func(t *testing.T) {
			goroutines := runtime.NumGoroutine()
			e := echo(t)
			for range 10 {
				f(t, e)
			}
			for i := 0; e.Live() > 0 || runtime.NumGoroutine() > goroutines; i++ {
				require.Less(t, i, 500, "%d objects are open; %d goroutines, want %d", e.Live(), runtime.NumGoroutine(), goroutines)
				runtime.GC()
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// TestSlowCleanup checks that an unreachable engine which takes long to close
// does not delay other cleanups of the program.
func TestSlowCleanup(t *testing.T) {
	closing, finish := make(chan struct{}), make(chan struct{})
	name := uniqueName(t)
	common.Register(common.Registration{Name: name, Open: func(common.Config) (common.Driver, error) {
		return slowCloser{closing, finish}, nil
	}})
	func() {
		_, err := common.Open(name, nil)
		require.NoError(t, err)
	}()
	defer close(finish)
	requireReturns(t, "another cleanup", func() {
		collect := func(c chan struct{}) {
			for {
				runtime.GC()
				select {
				case <-c:
					return
				case <-time.After(time.Millisecond):
				}
			}
		}
		collect(closing)
		other := make(chan struct{})
		runtime.AddCleanup(new([64]byte), func(c chan struct{}) { close(c) }, other)
		collect(other)
	})
}

// slowCloser is a driver whose Close waits for finish.
type slowCloser struct{ closing, finish chan struct{} }

func (slowCloser) Devices(context.Context) ([]common.Device, error) { return nil, nil }

func (slowCloser) Info() common.EngineInfo { return common.EngineInfo{} }
func (s slowCloser) Close() error          { close(s.closing); <-s.finish; return nil }
func (slowCloser) Load(context.Context, *common.ModelFiles, common.Options) (common.DriverModel, error) {
	return nil, errors.New("no models")
}

// TestUnreachableSessionIsClosed checks that an unreachable session is closed while its
// model stays open.
func TestUnreachableSessionIsClosed(t *testing.T) {
	e := echo(t)
	m := load(t, e, nil)
	for range 10 {
		newSession(t, m)
	}
	for i := 0; e.Live() > 2; i++ {
		require.Less(t, i, 500, "%d objects are open", e.Live())
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	_, err := m.Run(ctx, common.Tensors{"x": floats(t, []float32{1, 2}, 1, 2)})
	require.NoError(t, err)
}

// TestReachableStaysOpen checks that a reachable session keeps its model and engine
// open.
func TestReachableStaysOpen(t *testing.T) {
	e := echo(t)
	s := func() *common.Session {
		engine, err := common.Open(e.Name, nil)
		require.NoError(t, err)
		m, err := engine.Load(ctx, common.Bytes([]byte("m")), nil)
		require.NoError(t, err)
		return newSession(t, m)
	}()
	require.NoError(t, s.BindInput(0, floats(t, []float32{1, 2}, 1, 2)))
	for range 10 {
		runtime.GC()
		time.Sleep(time.Millisecond)
		require.NoError(t, s.Run(ctx))
	}
	require.Equal(t, 3, e.Live())
	require.NoError(t, s.Close())
	require.Equal(t, 2, e.Live(), "closing a session must not close its model")
}
