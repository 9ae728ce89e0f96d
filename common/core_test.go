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
	"github.com/stretchr/testify/require"
)

// funcDriver is a driver whose methods call the functions of a test. Package fake
// checks more and allows less.
type funcDriver struct {
	signature  common.Signature
	state      common.State
	newSession func() error
	load       func()
	run        func(s *funcSession) error
	reset      func(s *funcSession) error
}

type funcSession struct {
	driver  *funcDriver
	in, out []*common.Tensor
	stop    chan struct{}
}

func (s *funcDriver) Info() common.EngineInfo                          { return common.EngineInfo{} }
func (s *funcDriver) Devices(context.Context) ([]common.Device, error) { return nil, nil }
func (s *funcDriver) Close() error                                     { return nil }
func (s *funcDriver) Load(context.Context, *common.ModelFiles, common.Options) (common.DriverModel, error) {
	if s.load != nil {
		s.load()
	}
	return funcModel{s}, nil
}

type funcModel struct{ driver *funcDriver }

func (m funcModel) Info() common.ModelInfo         { return common.ModelInfo{State: m.driver.state} }
func (m funcModel) Signatures() []common.Signature { return []common.Signature{m.driver.signature} }
func (m funcModel) Close() error                   { return nil }
func (m funcModel) NewSession(context.Context, int) (common.DriverSession, error) {
	if m.driver.newSession != nil {
		if err := m.driver.newSession(); err != nil {
			return nil, err
		}
	}
	return &funcSession{driver: m.driver, stop: make(chan struct{}, 1)}, nil
}

func (s *funcSession) Bind(in, out []*common.Tensor) (err error) {
	s.in, s.out = in, out
	for i, info := range s.driver.signature.Outputs {
		if out[i], err = common.EnsureTensor(out[i], info.DType, info.Shape); err != nil {
			return err
		}
	}
	return nil
}

func (s *funcSession) Run(context.Context) error {
	if s.driver.run != nil {
		return s.driver.run(s)
	}
	return nil
}

func (s *funcSession) Reset() error {
	if s.driver.reset != nil {
		return s.driver.reset(s)
	}
	return nil
}

func (s *funcSession) Cancel() {
	select {
	case s.stop <- struct{}{}:
	default:
	}
}

func (s *funcSession) Profile() ([]common.LayerTime, error) {
	return []common.LayerTime{{Name: "layer"}}, nil
}

func (s *funcSession) Close() error { return nil }

// runUntilCanceled is a Run that ends only when it is cancelled.
func runUntilCanceled(s *funcSession) error { <-s.stop; return errors.New("stopped") }

func scalars() common.Signature {
	scalar := func(name string) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: common.Shape{}}}
	}
	return common.Signature{Inputs: scalar("x"), Outputs: scalar("y")}
}

func (s *funcDriver) open(t *testing.T) *common.Engine {
	e, err := common.OpenEngine(common.Registration{Name: "functions", Open: func(common.Config) (common.Driver, error) { return s, nil }}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { requireReturns(t, "Close", func() { e.Close() }) })
	return e
}

func (s *funcDriver) model(t *testing.T, o *common.Options) *common.Model {
	m, err := s.open(t).Load(ctx, common.Bytes([]byte("m")), o)
	require.NoError(t, err)
	return m
}

// TestCloseDuringCreation checks that a model or session which is created while its
// parent closes is closed too, even if a Run starts immediately.
func TestCloseDuringCreation(t *testing.T) {
	for name, c := range map[string]struct {
		model bool // make creates a Model, otherwise a Session
		make  func(*common.Engine, *common.Model)
		close func(*common.Engine, *common.Model)
	}{
		"session": {false, func(_ *common.Engine, m *common.Model) {
			if s, err := m.NewSession(ctx, ""); err == nil {
				s.Run(ctx)
			}
		}, func(_ *common.Engine, m *common.Model) { m.Close() }},
		"acquired session": {false, func(_ *common.Engine, m *common.Model) {
			if s, err := m.AcquireSession(ctx, ""); err == nil {
				s.Run(ctx)
			}
		}, func(_ *common.Engine, m *common.Model) { m.Close() }},
		"shutdown": {false, func(_ *common.Engine, m *common.Model) {
			if s, err := m.NewSession(ctx, ""); err == nil {
				s.Run(ctx)
			}
		}, func(_ *common.Engine, m *common.Model) {
			ended, cancel := context.WithCancel(ctx)
			cancel()
			m.Shutdown(ended)
		}},
		"model": {true, func(e *common.Engine, _ *common.Model) {
			if m, err := e.Load(ctx, common.Bytes([]byte("m")), nil); err == nil {
				x, _ := common.NewTensor(common.Float32)
				m.Run(ctx, common.Tensors{"x": x})
			}
		}, func(e *common.Engine, _ *common.Model) { e.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			for range 5 {
				making, goOn := make(chan struct{}), make(chan struct{})
				wait := func() { close(making); <-goOn }
				s := &funcDriver{signature: scalars(), run: runUntilCanceled}
				e := s.open(t)
				m, err := e.Load(ctx, common.Bytes([]byte("m")), nil)
				require.NoError(t, err)
				if c.model {
					s.load = wait
				} else {
					s.newSession = func() error { wait(); return nil }
				}
				go c.make(e, m)
				<-making
				closed := make(chan struct{})
				go func() { defer close(closed); c.close(e, m) }()
				time.Sleep(5 * time.Millisecond)
				close(goOn)
				requireReturns(t, "Close", func() { <-closed })
			}
		})
	}
}

// TestInputDuringClose checks that Input, while Close executes, never returns a
// tensor that another caller uses.
func TestInputDuringClose(t *testing.T) {
	m := (&funcDriver{signature: scalars(), state: common.Stateless}).model(t, nil)
	secret := scalar(t, 42)
	for n, begin := 0, time.Now(); time.Since(begin) < 200*time.Millisecond; n++ {
		s := acquire(t, m)
		var wg sync.WaitGroup
		wg.Go(func() { s.Close() })
		if n%3 == 0 {
			runtime.Gosched()
		}
		var got *common.Tensor
		for range 20 {
			if x := s.Input(0); x != nil {
				got = x
			}
		}
		wg.Wait()
		_, err := m.Run(ctx, secret)
		require.NoError(t, err)
		if got != nil {
			require.Equal(t, []float32{0}, values(t, got))
		}
	}
}

// TestNoCancelAfterPanic checks that a driver's Run which panicked is not cancelled
// afterwards.
func TestNoCancelAfterPanic(t *testing.T) {
	var stop chan struct{}
	s := &funcDriver{signature: scalars(), run: func(s *funcSession) error {
		stop = s.stop
		time.Sleep(20 * time.Millisecond) // long enough that the watcher knows the Run
		panic("on purpose")
	}}
	m := s.model(t, nil)
	c, cancel := context.WithCancel(ctx)
	require.Panics(t, func() { m.Run(c, scalar(t, 1)) })
	cancel()
	time.Sleep(20 * time.Millisecond)
	require.Empty(t, stop)
}

// TestFailedResetDiscardsSession checks that a session whose Reset failed is not used
// again.
func TestFailedResetDiscardsSession(t *testing.T) {
	made := 0
	s := &funcDriver{
		signature: scalars(), state: common.Stateful,
		newSession: func() error { made++; return nil }, reset: func(*funcSession) error { return errors.New("reset failed") },
	}
	m := s.model(t, nil)
	for i, fails := range []bool{false, true, false, true} {
		_, err := m.Run(ctx, scalar(t, 1))
		require.Equal(t, fails, err != nil, "Run %d: %v", i, err)
	}
	require.Equal(t, 2, made)
}

// TestBindPrecedesReset checks that a driver's Reset is called after Bind with the
// tensors of the next Run, never with tensors that Model.Run has returned.
func TestBindPrecedesReset(t *testing.T) {
	s := &funcDriver{signature: scalars(), state: common.Stateful}
	s.signature.Outputs[0].Shape = common.Shape{1 << 18}
	resets := 0
	s.reset = func(s *funcSession) error {
		resets++
		require.NotNil(t, s.out[0])
		return nil
	}
	m := s.model(t, nil)
	_, err := m.Run(ctx, scalar(t, 1))
	require.NoError(t, err)
	held := acquire(t, m)
	require.NoError(t, held.Reset())
	require.Zero(t, resets)
	require.NoError(t, held.Run(ctx))
	require.Equal(t, 1, resets)
}

// TestProfileOfOwnRuns checks that the profile of an acquired session contains only
// the Runs of its holder.
func TestProfileOfOwnRuns(t *testing.T) {
	m := (&funcDriver{signature: scalars(), state: common.Stateful}).model(t, &common.Options{Profile: true})
	_, err := m.Run(ctx, scalar(t, 1))
	require.NoError(t, err)
	s := acquire(t, m)
	profile, err := s.Profile()
	require.NoError(t, err)
	require.Empty(t, profile)
	require.NoError(t, s.Run(ctx))
	profile, err = s.Profile()
	require.NoError(t, err)
	require.Len(t, profile, 1)
	require.NoError(t, s.Reset())
	profile, err = s.Profile()
	require.NoError(t, err)
	require.Empty(t, profile)
}

// TestEmptyFixedInput checks that an input which has no elements according to the
// model's file is refused before the driver sees it.
func TestEmptyFixedInput(t *testing.T) {
	s := &funcDriver{signature: scalars()}
	s.signature.Inputs[0].Shape = common.Shape{0, 3}
	_, err := s.model(t, nil).NewSession(ctx, "")
	require.ErrorIs(t, err, common.ErrShape)
	require.ErrorContains(t, err, "no elements")
}
