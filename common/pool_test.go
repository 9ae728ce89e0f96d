// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

// waitFor waits until f returns true, and fails the test after 10 seconds.
func waitFor(t *testing.T, what string, f func() bool) {
	t.Helper()
	for begin := time.Now(); !f(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func acquire(t *testing.T, m *common.Model) *common.Session {
	t.Helper()
	s, err := m.AcquireSession(ctx, "")
	require.NoError(t, err)
	return s
}

// TestMaxWaiting checks that calls above Options.MaxWaiting are refused immediately
// and counted.
func TestMaxWaiting(t *testing.T) {
	for waiting, max := range map[int]int{0: -1, 2: 2} {
		g := newBlockingEngine(t)
		m := load(t, g.Engine, &common.Options{MaxWaiting: max})
		var wg sync.WaitGroup
		for i := range 1 + waiting {
			wg.Go(func() {
				_, err := m.Run(ctx, scalar(t, 1))
				require.NoError(t, err)
			})
			if i == 0 {
				<-g.started
			}
			waitFor(t, "the call waits", func() bool { return m.Stats().Waiting == i })
		}
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_, err := m.Run(limited, scalar(t, 1))
		require.ErrorIs(t, err, common.ErrBusy)
		_, err = m.AcquireSession(limited, "")
		require.ErrorIs(t, err, common.ErrBusy)
		require.Equal(t, 1, m.Stats().InUse)
		close(g.finish)
		wg.Wait()
		stats := m.Stats()
		require.Positive(t, stats.RunDuration)
		require.Equal(t, waiting > 0, stats.WaitDuration > 0)
		stats.RunDuration, stats.WaitDuration = 0, 0
		require.Equal(t, common.Stats{Runs: uint64(1 + waiting), WaitCount: uint64(waiting), Refused: 2}, stats)
	}
}

// TestStats checks that failed and cancelled Runs are counted, and Runs with invalid
// inputs are not.
func TestStats(t *testing.T) {
	g := newBlockingEngine(t)
	m := load(t, g.Engine, nil)
	_, err := m.Run(ctx, nil)
	require.ErrorIs(t, err, common.ErrInput)
	require.Equal(t, common.Stats{}, m.Stats())
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err = m.Run(short, scalar(t, 1))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, uint64(1), m.Stats().Failures)
	s := acquire(t, m)
	require.Equal(t, 1, m.Stats().InUse)
	go func() { g.finish <- struct{}{} }()
	require.NoError(t, s.Run(ctx))
	require.Equal(t, uint64(2), m.Stats().Runs, "Runs of acquired sessions count when they end")
	require.NoError(t, s.Close())
	require.Zero(t, m.Stats().InUse)
	session := newSession(t, m)
	go func() { g.finish <- struct{}{} }()
	require.NoError(t, session.Run(ctx))
	require.Equal(t, uint64(2), m.Stats().Runs, "Runs of NewSession's sessions do not count")
}

// TestAcquireSession checks that an acquired session comes from the pool, holds no data
// of earlier callers, and refuses calls after Close.
func TestAcquireSession(t *testing.T) {
	e := echo(t)
	m := load(t, e, nil)
	secret := floats(t, []float32{41, 42}, 1, 2)
	_, err := m.Run(ctx, common.Tensors{"x": secret})
	require.NoError(t, err)
	live := e.Live()

	s := acquire(t, m)
	require.Equal(t, live, e.Live(), "it should be the session that Run used")
	require.Nil(t, s.Input(0), "an input with a dynamic shape must be nil")
	require.Nil(t, s.Output(0), "the last output belongs to another caller")
	limited, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	_, err = m.Run(limited, common.Tensors{"x": secret})
	require.ErrorIs(t, err, context.DeadlineExceeded, "Run must wait for the only session")
	bound := floats(t, []float32{1, 2}, 1, 2)
	require.NoError(t, s.BindInput(0, bound))
	result, err := common.NewTensor(common.Float32, 1, 2)
	require.NoError(t, err)
	require.NoError(t, s.BindOutput(0, result))
	require.NoError(t, s.Run(ctx))
	require.Equal(t, []float32{1, 2}, values(t, result))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "a second Close")

	_, err = m.Run(ctx, common.Tensors{"x": secret})
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2}, values(t, bound), "Run wrote to a tensor that an earlier holder bound")
	require.Equal(t, []float32{1, 2}, values(t, result))
	require.ErrorIs(t, s.Run(ctx), common.ErrClosed)
	require.ErrorIs(t, s.BindInput(0, bound), common.ErrClosed)
	require.ErrorIs(t, s.BindOutput(0, bound), common.ErrClosed)
	require.ErrorIs(t, s.Reset(), common.ErrClosed)
	require.Nil(t, s.Input(0))
	require.Nil(t, s.Output(0))

	_, err = m.AcquireSession(ctx, "no such")
	require.ErrorIs(t, err, common.ErrName)
	ended, cancelEnded := context.WithCancel(ctx)
	cancelEnded()
	_, err = m.AcquireSession(ended, "")
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, m.Stats().InUse, "a failed call kept a session")
}

// TestAcquiredSessionTensors checks that the pool does not use the tensors of a closed
// session again.
func TestAcquiredSessionTensors(t *testing.T) {
	g := newBlockingEngine(t)
	close(g.finish)
	m := load(t, g.Engine, nil)
	s := acquire(t, m)
	require.Equal(t, []float32{0}, values(t, s.Input(0)))
	values(t, s.Input(0))[0] = 7
	require.NoError(t, s.Run(ctx))
	in, out := s.Input(0), s.OutputByName("y")
	require.NoError(t, s.Close())
	next := acquire(t, m)
	require.Equal(t, []float32{0}, values(t, next.InputByName("x")), "inputs must begin with zeros for each holder")
	require.NoError(t, next.Run(ctx))
	require.NoError(t, next.Close())
	_, err := m.Run(ctx, scalar(t, 8))
	require.NoError(t, err)
	require.Equal(t, []float32{7}, values(t, in))
	require.Equal(t, []float32{7}, values(t, out))
}

// TestAcquiredSessionState checks that variables are reset before each next holder.
func TestAcquiredSessionState(t *testing.T) {
	e := stateful(t)
	resets := 0
	e.Reset = func(int) error { resets++; return nil }
	m := load(t, e, nil)
	for i := range 3 {
		s := acquire(t, m)
		require.NoError(t, s.BindInput(0, floats(t, []float32{1, 2}, 1, 2)))
		require.NoError(t, s.Run(ctx))
		require.NoError(t, s.Run(ctx))
		require.Equal(t, i, resets, "want one Reset for each holder but the first")
		require.NoError(t, s.Close())
	}
}

// TestNewSessionFails checks that a driver's NewSession which fails does not use up one
// of Options.Sessions.
func TestNewSessionFails(t *testing.T) {
	fail := true
	e, err := common.OpenEngine(common.Registration{Open: func(common.Config) (common.Driver, error) {
		return failingDriver{&fail}, nil
	}}, nil)
	require.NoError(t, err)
	m, err := e.Load(ctx, common.Bytes([]byte("m")), nil)
	require.NoError(t, err)
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for range 2 {
		_, err = m.Run(limited, nil)
		require.ErrorIs(t, err, common.ErrRun)
		_, err = m.AcquireSession(limited, "")
		require.ErrorIs(t, err, common.ErrRun)
	}
	require.Zero(t, m.Stats().InUse)
	fail = false
	requireReturns(t, "Run", func() {
		_, err = m.Run(ctx, nil)
		require.NoError(t, err)
	})
	require.NoError(t, e.Close())
}

// failingDriver is a slowDriver whose NewSession fails while fail is true.
type failingDriver struct{ fail *bool }

func (failingDriver) Info() common.EngineInfo                          { return common.EngineInfo{} }
func (failingDriver) Devices(context.Context) ([]common.Device, error) { return nil, nil }
func (failingDriver) Close() error                                     { return nil }
func (f failingDriver) Load(context.Context, *common.ModelFiles, common.Options) (common.DriverModel, error) {
	return failingModel{fail: f.fail}, nil
}

type failingModel struct {
	slowModel
	fail *bool
}

func (m failingModel) NewSession(context.Context, int) (common.DriverSession, error) {
	if *m.fail {
		return nil, &common.Error{Kind: common.ErrRun, Message: "no memory"}
	}
	return &slowSession{canceled: make(chan struct{}, 1)}, nil
}

// TestUnreachableAcquiredSession checks that an acquired session which was not closed
// returns to the pool when it is unreachable.
func TestUnreachableAcquiredSession(t *testing.T) {
	m := load(t, echo(t), nil)
	func() { acquire(t, m) }()
	waitFor(t, "the session returns to the pool", func() bool { runtime.GC(); return m.Stats().InUse == 0 })
	require.NoError(t, acquire(t, m).Close())
}

// TestCloseWithAcquiredSessions checks that a model can be closed while sessions are
// acquired and one of them executes a Run.
func TestCloseWithAcquiredSessions(t *testing.T) {
	g := newBlockingEngine(t)
	m := load(t, g.Engine, &common.Options{Sessions: 2})
	idle, running := acquire(t, m), acquire(t, m)
	errs := make(chan error)
	go func() { errs <- running.Run(ctx) }()
	<-g.started
	requireReturns(t, "Close", func() { require.NoError(t, m.Close()) })
	require.ErrorIs(t, <-errs, common.ErrClosed)
	require.ErrorIs(t, idle.Run(ctx), common.ErrClosed)
	require.NotNil(t, idle.Input(0), "tensors must remain until the session closes")
	require.NoError(t, idle.Close())
	require.Nil(t, idle.Input(0), "a closed session must have no tensors")
	require.NoError(t, running.Close())
	require.Equal(t, 1, g.Live(), "only the engine should be open")
}

// TestCloseAcquiredDuringRun checks that Close of an acquired session cancels its Run,
// and that the next caller gets another session.
func TestCloseAcquiredDuringRun(t *testing.T) {
	g := newBlockingEngine(t)
	m := load(t, g.Engine, nil)
	s := acquire(t, m)
	errs := make(chan error)
	go func() { errs <- s.Run(ctx) }()
	<-g.started
	requireReturns(t, "Close", func() { require.NoError(t, s.Close()) })
	require.ErrorIs(t, <-errs, common.ErrClosed)
	close(g.finish)
	_, err := m.Run(ctx, scalar(t, 1))
	require.NoError(t, err)
	require.Equal(t, 3, g.Live(), "want engine, model and one session")
}

// TestSignaturesShareSessions checks that all signatures together have at most
// Options.Sessions sessions.
func TestSignaturesShareSessions(t *testing.T) {
	vector := func(name string) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: common.Shape{1}}}
	}
	e := register(t, &fake.Engine{Signatures: []common.Signature{
		{Name: "add", Inputs: vector("a"), Outputs: vector("b")}, {Name: "double", Inputs: vector("c"), Outputs: vector("d")},
	}})
	e.Run = func(_ context.Context, signature int, in, out []*common.Tensor) error {
		x, _ := common.Data[float32](in[0])
		y, _ := common.Data[float32](out[0])
		y[0] = map[int]float32{0: x[0] + 1, 1: 2 * x[0]}[signature]
		return nil
	}
	m := load(t, e, &common.Options{Sessions: 2})
	one := floats(t, []float32{5})
	for range 3 {
		for _, c := range []struct {
			name, in, out string
			want          float32
		}{{"", "a", "b", 6}, {"add", "a", "b", 6}, {"double", "c", "d", 10}} {
			out, err := m.RunSignature(ctx, c.name, common.Tensors{c.in: one})
			require.NoError(t, err)
			got, err := common.Get[float32](out, c.out)
			require.NoError(t, err)
			require.Equal(t, []float32{c.want}, got)
			s, err := m.AcquireSession(ctx, c.name)
			require.NoError(t, err)
			require.NotEqual(t, -1, s.Signature().InputIndex(c.in))
			require.NoError(t, s.Close())
		}
		require.LessOrEqual(t, e.Live(), 4, "want at most engine, model and two sessions")
	}
	a, b := acquire(t, m), acquire(t, m)
	require.NoError(t, errors.Join(a.Close(), b.Close()))
	_, err := m.RunSignature(ctx, "double", common.Tensors{"c": one})
	require.NoError(t, err)
	require.Equal(t, 4, e.Live(), "a session of add must be closed for one of double")
	_, err = m.RunSignature(ctx, "multiply", nil)
	require.ErrorIs(t, err, common.ErrName)
	require.ErrorContains(t, err, `"add", "double"`)
}

// TestShutdown checks that Shutdown refuses new calls and waits for calls that
// execute or wait and for acquired sessions.
func TestShutdown(t *testing.T) {
	g := newBlockingEngine(t)
	m := load(t, g.Engine, nil)
	session := newSession(t, m)
	s := acquire(t, m)
	errs := make(chan error, 1)
	go func() {
		_, err := m.Run(ctx, scalar(t, 1))
		errs <- err
	}()
	waitFor(t, "Run waits", func() bool { return m.Stats().Waiting == 1 })
	done := make(chan error, 1)
	go func() { done <- m.Shutdown(ctx) }()
	waitFor(t, "new calls are refused", func() bool {
		_, err := m.NewSession(ctx, "")
		return errors.Is(err, common.ErrClosed)
	})
	go func() { g.finish <- struct{}{} }()
	require.NoError(t, s.Run(ctx), "an acquired session must work during Shutdown")
	require.NoError(t, s.Close())
	g.finish <- struct{}{}
	require.NoError(t, <-errs, "a call that waited before Shutdown must succeed")
	requireReturns(t, "Shutdown", func() { require.NoError(t, <-done) })
	require.ErrorIs(t, session.Run(ctx), common.ErrClosed)
	require.NoError(t, m.Shutdown(ctx), "a second Shutdown")
	require.NoError(t, m.Close())
	require.Equal(t, 1, g.Live(), "only the engine should be open")
}

// TestShutdownInterrupted checks that Shutdown cancels the remaining Runs when its
// context ends or Close is called.
func TestShutdownInterrupted(t *testing.T) {
	for name, interrupt := range map[string]func(*common.Model, context.CancelFunc){
		"context": func(_ *common.Model, cancel context.CancelFunc) { cancel() },
		"Close":   func(m *common.Model, _ context.CancelFunc) { m.Close() },
	} {
		for _, held := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				g := newBlockingEngine(t)
				m := load(t, g.Engine, nil)
				errs := make(chan error, 1)
				if held {
					s := acquire(t, m)
					defer s.Close()
					go func() { errs <- s.Run(ctx) }()
				} else {
					go func() {
						_, err := m.Run(ctx, scalar(t, 1))
						errs <- err
					}()
				}
				<-g.started
				limited, cancel := context.WithCancel(ctx)
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- m.Shutdown(limited) }()
				time.Sleep(5 * time.Millisecond)
				require.Empty(t, errs)
				interrupt(m, cancel)
				requireReturns(t, "Shutdown", func() { require.ErrorIs(t, <-done, limited.Err()) })
				require.ErrorIs(t, <-errs, common.ErrClosed)
			})
		}
	}
}

// TestShutdownWaitsForSessions checks that Shutdown waits for Runs of sessions that
// NewSession created.
func TestShutdownWaitsForSessions(t *testing.T) {
	g := newBlockingEngine(t)
	m := load(t, g.Engine, nil)
	s := newSession(t, m)
	errs, done := make(chan error, 1), make(chan error, 1)
	go func() { errs <- s.Run(ctx) }()
	<-g.started
	go func() { done <- m.Shutdown(ctx) }()
	waitFor(t, "the session refuses calls", func() bool { return errors.Is(s.Reset(), common.ErrClosed) })
	g.finish <- struct{}{}
	require.NoError(t, <-errs)
	requireReturns(t, "Shutdown", func() { require.NoError(t, <-done) })
}

// TestReplace replaces a model a thousand times while goroutines use it, and checks
// that no call fails.
func TestReplace(t *testing.T) {
	e := echo(t)
	engine := open(t, e)
	var live common.LiveModel
	_, err := live.Run(ctx, nil)
	require.ErrorIs(t, err, common.ErrClosed, "Run before Replace must fail")
	require.Nil(t, live.Model())
	newModel := func() *common.Model {
		m, err := engine.Load(ctx, common.Bytes([]byte("model")), &common.Options{Sessions: 2})
		require.NoError(t, err)
		return m
	}
	require.NoError(t, live.Replace(ctx, newModel()))
	var done atomic.Bool
	var calls atomic.Int64
	var wg sync.WaitGroup
	x := floats(t, []float32{1, 2}, 1, 2)
	for i := range 8 {
		wg.Go(func() {
			for !done.Load() {
				var err error
				if i%2 == 0 {
					_, err = live.Run(ctx, common.Tensors{"x": x})
				} else {
					var s *common.Session
					if s, err = live.AcquireSession(ctx, ""); err == nil {
						err = errorOf(s.BindInput(0, x), s.Run(ctx), s.Run(ctx), s.Close())
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	for range 1000 {
		require.NoError(t, live.Replace(ctx, newModel()))
	}
	done.Store(true)
	wg.Wait()
	require.Positive(t, calls.Load())
	same := live.Model()
	require.NoError(t, live.Replace(ctx, same))
	s, err := live.NewSession(ctx, "")
	require.NoError(t, err, "replacing a model by itself closed it")
	require.NoError(t, live.Shutdown(ctx))
	require.ErrorIs(t, s.Run(ctx), common.ErrClosed)
	_, err = live.RunSignature(ctx, "", common.Tensors{"x": x})
	require.ErrorIs(t, err, common.ErrClosed)
	late := newModel()
	require.ErrorIs(t, live.Replace(ctx, late), common.ErrClosed)
	_, err = late.Run(ctx, common.Tensors{"x": x})
	require.ErrorIs(t, err, common.ErrClosed, "Replace after Shutdown must close the model")
	require.Equal(t, 1, e.Live(), "only the engine should be open: each old model must be closed")
}
