// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// idleDriver, its model and its sessions do nothing and, unlike those of package
// fake, allocate nothing.
type idleDriver struct {
	shape common.Shape
	state common.State
	made  *int // counts sessions, if not nil
}

func (idleDriver) Info() common.EngineInfo                          { return common.EngineInfo{} }
func (idleDriver) Devices(context.Context) ([]common.Device, error) { return nil, nil }
func (s idleDriver) Load(context.Context, *common.ModelFiles, common.Options) (common.DriverModel, error) {
	return idleModel{s}, nil
}
func (idleDriver) Close() error { return nil }

type idleModel struct{ idleDriver }

func (s idleModel) Info() common.ModelInfo { return common.ModelInfo{State: s.state} }
func (s idleModel) Signatures() []common.Signature {
	info := []common.TensorInfo{{Name: "x", DType: common.Bool, Shape: s.shape}}
	return []common.Signature{{Inputs: info, Outputs: info}}
}
func (s idleModel) NewSession(context.Context, int) (common.DriverSession, error) {
	if s.made != nil {
		*s.made++
	}
	return idleSession{}, nil
}

type idleSession struct{}

func (idleSession) Bind(in, out []*common.Tensor) (err error) {
	out[0], err = common.EnsureTensor(out[0], in[0].DType(), in[0].Shape())
	return err
}

func (idleSession) Run(context.Context) error { return nil }
func (idleSession) Cancel()                   {}
func (idleSession) Close() error              { return nil }

func newIdleSession(t testing.TB) *common.Session {
	name := uniqueName(t)
	common.Register(common.Registration{Name: name, Open: func(common.Config) (common.Driver, error) {
		return idleDriver{shape: common.Shape{4}}, nil
	}})
	e, err := common.Open(name, nil)
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	m, err := e.Load(ctx, common.Bytes([]byte("m")), nil)
	require.NoError(t, err)
	s, err := m.NewSession(ctx, "")
	require.NoError(t, err)
	return s
}

func TestRunAllocatesNothing(t *testing.T) {
	s := newIdleSession(t)
	cancelable, cancel := context.WithCancel(ctx)
	defer cancel()
	var nilCtx context.Context // a nil context is allowed
	other, err := common.NewTensor(common.Bool, 4)
	require.NoError(t, err)
	original := s.Input(0)
	for name, f := range map[string]func() error{
		"background": func() error { return s.Run(ctx) },
		"nil":        func() error { return s.Run(nilCtx) },
		"cancelable": func() error { return s.Run(cancelable) },
		"bound":      func() error { return errorOf(s.BindInput(0, other), s.BindInput(0, original)) },
	} {
		allocatesNothing(t, name, f)
	}
	unpadded, err := common.FromSlice(make([]bool, 4)) // copied, because the driver takes only padded tensors
	require.NoError(t, err)
	require.NoError(t, errorOf(s.BindInput(0, unpadded.Clone()), s.BindOutput(0, unpadded)))
	allocatesNothing(t, "the caller's output", func() error { return s.Run(cancelable) })
	require.NoError(t, s.BindOutput(0, other))
	allocatesNothing(t, "a padded output", func() error { return s.Run(cancelable) })
}

func allocatesNothing(t *testing.T, name string, f func() error) {
	t.Helper()
	require.NoError(t, f())
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if f() != nil {
			t.Error(name)
		}
	}), name)
}

// TestModelRunAllocations checks that Model.Run allocates the map of the results
// (two allocations) and each small result (one), and nothing else.
func TestModelRunAllocations(t *testing.T) {
	e, err := common.OpenEngine(common.Registration{Open: func(common.Config) (common.Driver, error) {
		return idleDriver{shape: common.Shape{4}, state: common.Stateless}, nil
	}}, nil)
	require.NoError(t, err)
	m, err := e.Load(ctx, common.Bytes([]byte("m")), nil)
	require.NoError(t, err)
	x, err := common.NewTensor(common.Bool, 4)
	require.NoError(t, err)
	in := common.Tensors{"x": x}
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
		if _, err := m.Run(ctx, in); err != nil {
			t.Error(err)
		}
	}), 3.0)
}

func errorOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func BenchmarkSessionRun(b *testing.B) {
	cancelable, cancel := context.WithCancel(ctx)
	defer cancel()
	for name, c := range map[string]context.Context{"background": ctx, "cancelable": cancelable} {
		b.Run(name, func(b *testing.B) {
			s := newIdleSession(b)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Run(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCancel measures the time between the end of a context and the end of
// its Run, which takes 100 ms if it is not cancelled.
func BenchmarkCancel(b *testing.B) {
	e, err := common.OpenEngine(common.Registration{Open: func(common.Config) (common.Driver, error) { return slowDriver{}, nil }}, nil)
	require.NoError(b, err)
	m, err := e.Load(ctx, common.Bytes([]byte("m")), nil)
	require.NoError(b, err)
	s, err := m.NewSession(ctx, "")
	require.NoError(b, err)
	var delays []time.Duration
	for i := 0; b.Loop(); i++ {
		limited, cancel := context.WithCancel(ctx)
		var ended time.Time
		time.AfterFunc(time.Duration(i%8)*10*time.Millisecond, func() { ended = time.Now(); cancel() })
		require.ErrorIs(b, s.Run(limited), context.Canceled)
		delays = append(delays, time.Since(ended))
	}
	slices.Sort(delays)
	b.ReportMetric(float64(delays[len(delays)/2].Microseconds()), "us-delay")
	b.ReportMetric(float64(delays[len(delays)*9/10].Microseconds()), "p90-us-delay")
}

// slowDriver is an idleDriver whose Run takes 100 ms unless it is cancelled.
type slowDriver struct{ idleDriver }

func (slowDriver) Load(context.Context, *common.ModelFiles, common.Options) (common.DriverModel, error) {
	return slowModel{}, nil
}

type slowModel struct{ idleModel }

func (slowModel) Signatures() []common.Signature { return []common.Signature{{}} }
func (slowModel) NewSession(context.Context, int) (common.DriverSession, error) {
	return &slowSession{canceled: make(chan struct{}, 1)}, nil
}

type slowSession struct{ canceled chan struct{} }

func (s *slowSession) Bind(in, out []*common.Tensor) error { return nil }
func (s *slowSession) Close() error                        { return nil }
func (s *slowSession) Cancel() {
	select {
	case s.canceled <- struct{}{}:
	default:
	}
}

func (s *slowSession) Run(context.Context) error {
	select {
	case <-s.canceled: // a Cancel that came after an earlier Run
	default:
	}
	select {
	case <-s.canceled:
		return &common.Error{Kind: common.ErrRun}
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}
