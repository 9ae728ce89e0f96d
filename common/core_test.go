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

// script is an engine whose model and sessions do what a test says; package
// fake is not as free, for it checks more.
type script struct {
	signature  common.Signature
	state      common.State
	newSession func() error
	load       func()
	run        func(s *scripted) error
	reset      func(s *scripted) error
}

type scripted struct {
	script  *script
	in, out []*common.Tensor
	stop    chan struct{}
}

func (s *script) Info() common.EngineInfo                          { return common.EngineInfo{} }
func (s *script) Devices(context.Context) ([]common.Device, error) { return nil, nil }
func (s *script) Close() error                                     { return nil }
func (s *script) Load(context.Context, *common.ModelFiles, common.Options) (common.DriverModel, error) {
	if s.load != nil {
		s.load()
	}
	return scriptedModel{s}, nil
}

type scriptedModel struct{ script *script }

func (m scriptedModel) Info() common.ModelInfo         { return common.ModelInfo{State: m.script.state} }
func (m scriptedModel) Signatures() []common.Signature { return []common.Signature{m.script.signature} }
func (m scriptedModel) Close() error                   { return nil }
func (m scriptedModel) NewSession(context.Context, int) (common.DriverSession, error) {
	if m.script.newSession != nil {
		if err := m.script.newSession(); err != nil {
			return nil, err
		}
	}
	return &scripted{script: m.script, stop: make(chan struct{}, 1)}, nil
}

func (s *scripted) Bind(in, out []*common.Tensor) (err error) {
	s.in, s.out = in, out
	for i, info := range s.script.signature.Outputs {
		if out[i], err = common.EnsureTensor(out[i], info.DType, info.Shape); err != nil {
			return err
		}
	}
	return nil
}

func (s *scripted) Run(context.Context) error {
	if s.script.run != nil {
		return s.script.run(s)
	}
	return nil
}

func (s *scripted) Reset() error {
	if s.script.reset != nil {
		return s.script.reset(s)
	}
	return nil
}

func (s *scripted) Cancel() {
	select {
	case s.stop <- struct{}{}:
	default:
	}
}

func (s *scripted) Profile() ([]common.LayerTime, error) {
	return []common.LayerTime{{Name: "layer"}}, nil
}

func (s *scripted) Close() error { return nil }

// forever is a Run that only Cancel ends.
func forever(s *scripted) error { <-s.stop; return errors.New("stopped") }

func scalars() common.Signature {
	scalar := func(name string) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: common.Shape{}}}
	}
	return common.Signature{Inputs: scalar("x"), Outputs: scalar("y")}
}

func (s *script) open(t *testing.T) *common.Engine {
	e, err := common.OpenEngine(common.Registration{Name: "script", Open: func(common.Config) (common.Driver, error) { return s, nil }}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { soon(t, "Close", func() { e.Close() }) })
	return e
}

func (s *script) model(t *testing.T, o *common.Options) *common.Model {
	m, err := s.open(t).Load(ctx, common.Bytes([]byte("m")), o)
	require.NoError(t, err)
	return m
}

// TestCloseBesideMaking: what is made while its parent closes is closed, too,
// with a Run that begins at once.
func TestCloseBesideMaking(t *testing.T) {
	for name, c := range map[string]struct {
		model bool // a Model is made; else a Session
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
				s := &script{signature: scalars(), run: forever}
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
				soon(t, "Close", func() { <-closed })
			}
		})
	}
}

// TestInputBesideClose: no tensor that a holder has got is another one's.
func TestInputBesideClose(t *testing.T) {
	m := (&script{signature: scalars(), state: common.Stateless}).model(t, nil)
	secret := scalar(t, 42)
	for n, begin := 0, time.Now(); time.Since(begin) < 200*time.Millisecond; n++ {
		s := acquire(t, m)
		var wg sync.WaitGroup
		wg.Go(func() { s.Close() })
		if n%3 == 0 {
			runtime.Gosched()
		}
		var mine *common.Tensor
		for range 20 {
			if x := s.Input(0); x != nil {
				mine = x
			}
		}
		wg.Wait()
		_, err := m.Run(ctx, secret)
		require.NoError(t, err)
		if mine != nil {
			require.Equal(t, []float32{0}, values(t, mine))
		}
	}
}

// TestPanic: after a Run that panics, as a test's function may, no Cancel comes
// for it.
func TestPanic(t *testing.T) {
	var stop chan struct{}
	s := &script{signature: scalars(), run: func(s *scripted) error {
		stop = s.stop
		time.Sleep(20 * time.Millisecond) // so long that the Run is followed
		panic("on purpose")
	}}
	m := s.model(t, nil)
	c, cancel := context.WithCancel(ctx)
	require.Panics(t, func() { m.Run(c, scalar(t, 1)) })
	cancel()
	time.Sleep(20 * time.Millisecond)
	require.Empty(t, stop)
}

// TestFailedReset: a session that cannot be reset serves nobody any more.
func TestFailedReset(t *testing.T) {
	made := 0
	s := &script{
		signature: scalars(), state: common.Stateful,
		newSession: func() error { made++; return nil }, reset: func(*scripted) error { return errors.New("it cannot") },
	}
	m := s.model(t, nil)
	for i, fails := range []bool{false, true, false, true} {
		_, err := m.Run(ctx, scalar(t, 1))
		require.Equal(t, fails, err != nil, "Run %d: %v", i, err)
	}
	require.Equal(t, 2, made)
}

// TestResetBindsFirst: a driver is asked to reset after it was given the tensors
// of the next Run, not while it has those that a Model.Run has handed out.
func TestResetBindsFirst(t *testing.T) {
	s := &script{signature: scalars(), state: common.Stateful}
	s.signature.Outputs[0].Shape = common.Shape{1 << 18}
	resets := 0
	s.reset = func(s *scripted) error {
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

// TestProfileIsOnes: a holder sees the profile of its own Runs only.
func TestProfileIsOnes(t *testing.T) {
	m := (&script{signature: scalars(), state: common.Stateful}).model(t, &common.Options{Profile: true})
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

// TestEmptyFixedInput: also an input that the model's file fixes without
// elements is refused before a driver sees it.
func TestEmptyFixedInput(t *testing.T) {
	s := &script{signature: scalars()}
	s.signature.Inputs[0].Shape = common.Shape{0, 3}
	_, err := s.model(t, nil).NewSession(ctx, "")
	require.ErrorIs(t, err, common.ErrShape)
	require.ErrorContains(t, err, "no elements")
}
