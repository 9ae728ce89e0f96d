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

// eventually waits for what another goroutine brings about.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for begin := time.Now(); !f(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("%s: not after 10 s", what)
		}
	}
}

func acquire(t *testing.T, m *common.Model) *common.Session {
	t.Helper()
	s, err := m.AcquireSession(ctx, "")
	require.NoError(t, err)
	return s
}

// TestMaxWaiting: one call too many is refused at once, and counted.
func TestMaxWaiting(t *testing.T) {
	for waiting, max := range map[int]int{0: -1, 2: 2} {
		g := newGate(t)
		m := load(t, g.Engine, &common.Options{MaxWaiting: max})
		var wg sync.WaitGroup
		for i := range 1 + waiting {
			wg.Go(func() {
				_, err := m.Run(ctx, scalar(t, 1))
				require.NoError(t, err)
			})
			if i == 0 {
				<-g.entered
			}
			eventually(t, "the call waits", func() bool { return m.Stats().Waiting == i })
		}
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_, err := m.Run(limited, scalar(t, 1))
		require.ErrorIs(t, err, common.ErrBusy)
		_, err = m.AcquireSession(limited, "")
		require.ErrorIs(t, err, common.ErrBusy)
		require.Equal(t, 1, m.Stats().InUse)
		close(g.leave)
		wg.Wait()
		stats := m.Stats()
		require.Positive(t, stats.RunDuration)
		require.Equal(t, waiting > 0, stats.WaitDuration > 0)
		stats.RunDuration, stats.WaitDuration = 0, 0
		require.Equal(t, common.Stats{Runs: uint64(1 + waiting), WaitCount: uint64(waiting), Refused: 2}, stats)
	}
}

// TestStats: failed and cancelled Runs count, wrong inputs do not.
func TestStats(t *testing.T) {
	g := newGate(t)
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
	go func() { g.leave <- struct{}{} }()
	require.NoError(t, s.Run(ctx))
	require.Equal(t, uint64(2), m.Stats().Runs, "those of acquired sessions count when they end")
	require.NoError(t, s.Close())
	require.Zero(t, m.Stats().InUse)
	own := newSession(t, m)
	go func() { g.leave <- struct{}{} }()
	require.NoError(t, own.Run(ctx))
	require.Equal(t, uint64(2), m.Stats().Runs, "those of a session of one's own do not")
}

// TestAcquire: an acquired session is the pool's, keeps nothing of others, and
// is of no use once it was given back.
func TestAcquire(t *testing.T) {
	e := echo(t)
	m := load(t, e, nil)
	secret := floats(t, []float32{41, 42}, 1, 2)
	_, err := m.Run(ctx, common.Tensors{"x": secret})
	require.NoError(t, err)
	live := e.Live()

	s := acquire(t, m)
	require.Equal(t, live, e.Live(), "the session that Run used")
	require.Nil(t, s.Input(0), "its shape is dynamic")
	require.Nil(t, s.Output(0), "what it had is another's")
	waits, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	_, err = m.Run(waits, common.Tensors{"x": secret})
	require.ErrorIs(t, err, context.DeadlineExceeded, "there is one session")
	mine := floats(t, []float32{1, 2}, 1, 2)
	require.NoError(t, s.BindInput(0, mine))
	result, err := common.NewTensor(common.Float32, 1, 2)
	require.NoError(t, err)
	require.NoError(t, s.BindOutput(0, result))
	require.NoError(t, s.Run(ctx))
	require.Equal(t, []float32{1, 2}, values(t, result))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "twice")

	_, err = m.Run(ctx, common.Tensors{"x": secret})
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2}, values(t, mine), "Run does not write to what a holder has bound")
	require.Equal(t, []float32{1, 2}, values(t, result))
	require.ErrorIs(t, s.Run(ctx), common.ErrClosed)
	require.ErrorIs(t, s.BindInput(0, mine), common.ErrClosed)
	require.ErrorIs(t, s.BindOutput(0, mine), common.ErrClosed)
	require.ErrorIs(t, s.Reset(), common.ErrClosed)
	require.Nil(t, s.Input(0))
	require.Nil(t, s.Output(0))

	_, err = m.AcquireSession(ctx, "no such")
	require.ErrorIs(t, err, common.ErrName)
	gone, cancelGone := context.WithCancel(ctx)
	cancelGone()
	_, err = m.AcquireSession(gone, "")
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, m.Stats().InUse, "no error keeps a session")
}

// TestAcquiredTensors: what a holder still has after Close is not used again.
func TestAcquiredTensors(t *testing.T) {
	g := newGate(t)
	close(g.leave)
	m := load(t, g.Engine, nil)
	s := acquire(t, m)
	require.Equal(t, []float32{0}, values(t, s.Input(0)))
	values(t, s.Input(0))[0] = 7
	require.NoError(t, s.Run(ctx))
	in, out := s.Input(0), s.OutputByName("y")
	require.NoError(t, s.Close())
	next := acquire(t, m)
	require.Equal(t, []float32{0}, values(t, next.InputByName("x")), "zero, as for whoever comes first")
	require.NoError(t, next.Run(ctx))
	require.NoError(t, next.Close())
	_, err := m.Run(ctx, scalar(t, 8))
	require.NoError(t, err)
	require.Equal(t, []float32{7}, values(t, in))
	require.Equal(t, []float32{7}, values(t, out))
}

// TestAcquiredState: variables have their initial values for each holder.
func TestAcquiredState(t *testing.T) {
	e := stateful(t)
	resets := 0
	e.Reset = func(int) error { resets++; return nil }
	m := load(t, e, nil)
	for i := range 3 {
		s := acquire(t, m)
		require.NoError(t, s.BindInput(0, floats(t, []float32{1, 2}, 1, 2)))
		require.NoError(t, s.Run(ctx))
		require.NoError(t, s.Run(ctx))
		require.Equal(t, i, resets, "once for each holder but the first")
		require.NoError(t, s.Close())
	}
}

// TestNoSession: a session that cannot be made takes nobody's place.
func TestNoSession(t *testing.T) {
	fail := true
	e, err := common.OpenEngine(common.Registration{Open: func(common.Config) (common.Driver, error) {
		return failing{&fail}, nil
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
	soon(t, "Run", func() {
		_, err = m.Run(ctx, nil)
		require.NoError(t, err)
	})
	require.NoError(t, e.Close())
}

// failing is long, whose sessions can be made only if fail is false.
type failing struct{ fail *bool }

func (failing) Info() common.EngineInfo                          { return common.EngineInfo{} }
func (failing) Devices(context.Context) ([]common.Device, error) { return nil, nil }
func (failing) Close() error                                     { return nil }
func (f failing) Load(context.Context, *common.ModelFiles, common.Options) (common.DriverModel, error) {
	return failingModel{fail: f.fail}, nil
}

type failingModel struct {
	longModel
	fail *bool
}

func (m failingModel) NewSession(context.Context, int) (common.DriverSession, error) {
	if *m.fail {
		return nil, &common.Error{Kind: common.ErrRun, Message: "no memory"}
	}
	return &longSession{canceled: make(chan struct{}, 1)}, nil
}

// TestForgottenLease: a session that nobody gave back comes back.
func TestForgottenLease(t *testing.T) {
	m := load(t, echo(t), nil)
	func() { acquire(t, m) }()
	eventually(t, "the session is there again", func() bool { runtime.GC(); return m.Stats().InUse == 0 })
	require.NoError(t, acquire(t, m).Close())
}

// TestCloseWhileHeld: a model closes while sessions are held, and Runs of
// them execute.
func TestCloseWhileHeld(t *testing.T) {
	g := newGate(t)
	m := load(t, g.Engine, &common.Options{Sessions: 2})
	idle, runs := acquire(t, m), acquire(t, m)
	errs := make(chan error)
	go func() { errs <- runs.Run(ctx) }()
	<-g.entered
	soon(t, "Close", func() { require.NoError(t, m.Close()) })
	require.ErrorIs(t, <-errs, common.ErrClosed)
	require.ErrorIs(t, idle.Run(ctx), common.ErrClosed)
	require.NotNil(t, idle.Input(0), "tensors stay")
	require.NoError(t, idle.Close())
	require.Nil(t, idle.Input(0), "it was given back")
	require.NoError(t, runs.Close())
	require.Equal(t, 1, g.Live(), "the engine")
}

// TestGiveBackWhileRunning: Close of a held session cancels its Run, and the
// next caller gets another session.
func TestGiveBackWhileRunning(t *testing.T) {
	g := newGate(t)
	m := load(t, g.Engine, nil)
	s := acquire(t, m)
	errs := make(chan error)
	go func() { errs <- s.Run(ctx) }()
	<-g.entered
	soon(t, "Close", func() { require.NoError(t, s.Close()) })
	require.ErrorIs(t, <-errs, common.ErrClosed)
	close(g.leave)
	_, err := m.Run(ctx, scalar(t, 1))
	require.NoError(t, err)
	require.Equal(t, 3, g.Live(), "engine, model and one session")
}

// TestPoolOfSignatures: signatures share the sessions, of which there never are
// more than Options.Sessions.
func TestPoolOfSignatures(t *testing.T) {
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
		require.LessOrEqual(t, e.Live(), 4, "engine, model and two sessions")
	}
	a, b := acquire(t, m), acquire(t, m)
	require.NoError(t, errors.Join(a.Close(), b.Close()))
	_, err := m.RunSignature(ctx, "double", common.Tensors{"c": one})
	require.NoError(t, err)
	require.Equal(t, 4, e.Live(), "one of add's gave way")
	_, err = m.RunSignature(ctx, "multiply", nil)
	require.ErrorIs(t, err, common.ErrName)
	require.ErrorContains(t, err, `"add", "double"`)
}

// TestShutdown: calls that run or wait end, held sessions are waited for, new
// calls are refused.
func TestShutdown(t *testing.T) {
	g := newGate(t)
	m := load(t, g.Engine, nil)
	own := newSession(t, m)
	s := acquire(t, m)
	errs := make(chan error, 1)
	go func() {
		_, err := m.Run(ctx, scalar(t, 1))
		errs <- err
	}()
	eventually(t, "Run waits", func() bool { return m.Stats().Waiting == 1 })
	done := make(chan error, 1)
	go func() { done <- m.Shutdown(ctx) }()
	eventually(t, "new calls are refused", func() bool {
		_, err := m.NewSession(ctx, "")
		return errors.Is(err, common.ErrClosed)
	})
	go func() { g.leave <- struct{}{} }()
	require.NoError(t, s.Run(ctx), "the session is still held")
	require.NoError(t, s.Close())
	g.leave <- struct{}{}
	require.NoError(t, <-errs, "it waited when Shutdown was called")
	soon(t, "Shutdown", func() { require.NoError(t, <-done) })
	require.ErrorIs(t, own.Run(ctx), common.ErrClosed)
	require.NoError(t, m.Shutdown(ctx), "again")
	require.NoError(t, m.Close())
	require.Equal(t, 1, g.Live(), "the engine")
}

// TestShutdownEnds: when its context ends, or Close is called, what is left is
// cancelled.
func TestShutdownEnds(t *testing.T) {
	for name, how := range map[string]func(*common.Model, context.CancelFunc){
		"context": func(_ *common.Model, cancel context.CancelFunc) { cancel() },
		"Close":   func(m *common.Model, _ context.CancelFunc) { m.Close() },
	} {
		for _, held := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				g := newGate(t)
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
				<-g.entered
				limited, cancel := context.WithCancel(ctx)
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- m.Shutdown(limited) }()
				time.Sleep(5 * time.Millisecond)
				require.Empty(t, errs)
				how(m, cancel)
				soon(t, "Shutdown", func() { require.ErrorIs(t, <-done, limited.Err()) })
				require.ErrorIs(t, <-errs, common.ErrClosed)
			})
		}
	}
}

// TestShutdownOwn: a Run of a session of one's own is waited for.
func TestShutdownOwn(t *testing.T) {
	g := newGate(t)
	m := load(t, g.Engine, nil)
	s := newSession(t, m)
	errs, done := make(chan error, 1), make(chan error, 1)
	go func() { errs <- s.Run(ctx) }()
	<-g.entered
	go func() { done <- m.Shutdown(ctx) }()
	eventually(t, "the session refuses calls", func() bool { return errors.Is(s.Reset(), common.ErrClosed) })
	g.leave <- struct{}{}
	require.NoError(t, <-errs)
	soon(t, "Shutdown", func() { require.NoError(t, <-done) })
}

// TestReplace: a model is replaced a thousand times under callers of all kinds,
// and no call fails.
func TestReplace(t *testing.T) {
	e := echo(t)
	engine := open(t, e)
	var live common.LiveModel
	_, err := live.Run(ctx, nil)
	require.ErrorIs(t, err, common.ErrClosed, "there is none yet")
	require.Nil(t, live.Model())
	another := func() *common.Model {
		m, err := engine.Load(ctx, common.Bytes([]byte("model")), &common.Options{Sessions: 2})
		require.NoError(t, err)
		return m
	}
	require.NoError(t, live.Replace(ctx, another()))
	var over atomic.Bool
	var calls atomic.Int64
	var wg sync.WaitGroup
	x := floats(t, []float32{1, 2}, 1, 2)
	for i := range 8 {
		wg.Go(func() {
			for !over.Load() {
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
		require.NoError(t, live.Replace(ctx, another()))
	}
	over.Store(true)
	wg.Wait()
	require.Positive(t, calls.Load())
	same := live.Model()
	require.NoError(t, live.Replace(ctx, same))
	s, err := live.NewSession(ctx, "")
	require.NoError(t, err, "it was not replaced by itself")
	require.NoError(t, live.Shutdown(ctx))
	require.ErrorIs(t, s.Run(ctx), common.ErrClosed)
	_, err = live.RunSignature(ctx, "", common.Tensors{"x": x})
	require.ErrorIs(t, err, common.ErrClosed)
	late := another()
	require.ErrorIs(t, live.Replace(ctx, late), common.ErrClosed)
	_, err = late.Run(ctx, common.Tensors{"x": x})
	require.ErrorIs(t, err, common.ErrClosed, "nobody else would close it")
	require.Equal(t, 1, e.Live(), "the engine: each old model was closed")
}
