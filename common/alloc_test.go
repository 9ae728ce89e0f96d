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

// still is a driver, model and session that does nothing and allocates
// nothing, unlike package fake's.
type still struct {
	shape common.Shape
	state common.State
	made  *int // sessions, if not nil
}

func (still) Info() common.EngineInfo                          { return common.EngineInfo{} }
func (still) Devices(context.Context) ([]common.Device, error) { return nil, nil }
func (s still) Load(context.Context, *common.ModelFiles, common.Options) (common.DriverModel, error) {
	return stillModel{s}, nil
}
func (still) Close() error { return nil }

type stillModel struct{ still }

func (s stillModel) Info() common.ModelInfo { return common.ModelInfo{State: s.state} }
func (s stillModel) Signatures() []common.Signature {
	info := []common.TensorInfo{{Name: "x", DType: common.Bool, Shape: s.shape}}
	return []common.Signature{{Inputs: info, Outputs: info}}
}
func (s stillModel) NewSession(context.Context, int) (common.DriverSession, error) {
	if s.made != nil {
		*s.made++
	}
	return stillSession{}, nil
}

type stillSession struct{}

func (stillSession) Bind(in, out []*common.Tensor) (err error) {
	out[0], err = common.EnsureTensor(out[0], in[0].DType(), in[0].Shape())
	return err
}

func (stillSession) Run(context.Context) error { return nil }
func (stillSession) Cancel()                   {}
func (stillSession) Close() error              { return nil }

func stillSessionFor(t testing.TB) *common.Session {
	name := uniqueName(t)
	common.Register(common.Registration{Name: name, Open: func(common.Config) (common.Driver, error) {
		return still{shape: common.Shape{4}}, nil
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
	s := stillSessionFor(t)
	cancelable, cancel := context.WithCancel(ctx)
	defer cancel()
	var none context.Context // is allowed
	other, err := common.NewTensor(common.Bool, 4)
	require.NoError(t, err)
	own := s.Input(0)
	for name, f := range map[string]func() error{
		"background": func() error { return s.Run(ctx) },
		"nil":        func() error { return s.Run(none) },
		"cancelable": func() error { return s.Run(cancelable) },
		"binding":    func() error { return errorOf(s.BindInput(0, other), s.BindInput(0, own)) },
	} {
		allocatesNothing(t, name, f)
	}
	mine, err := common.FromSlice(make([]bool, 4)) // copied, for the driver takes only padded tensors
	require.NoError(t, err)
	require.NoError(t, errorOf(s.BindInput(0, mine.Clone()), s.BindOutput(0, mine)))
	allocatesNothing(t, "an output of the caller's", func() error { return s.Run(cancelable) })
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

// TestModelRunAllocates: the map of the results, which is two pieces of memory,
// and one for each small result.
func TestModelRunAllocates(t *testing.T) {
	e, err := common.OpenEngine(common.Registration{Open: func(common.Config) (common.Driver, error) {
		return still{shape: common.Shape{4}, state: common.Stateless}, nil
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
			s := stillSessionFor(b)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Run(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCancel measures how long after the end of its context a Run of
// 100 ms is cancelled: the median, in microseconds.
func BenchmarkCancel(b *testing.B) {
	e, err := common.OpenEngine(common.Registration{Open: func(common.Config) (common.Driver, error) { return long{}, nil }}, nil)
	require.NoError(b, err)
	m, err := e.Load(ctx, common.Bytes([]byte("m")), nil)
	require.NoError(b, err)
	s, err := m.NewSession(ctx, "")
	require.NoError(b, err)
	var late []time.Duration
	for i := 0; b.Loop(); i++ {
		limited, cancel := context.WithCancel(ctx)
		var ended time.Time
		time.AfterFunc(time.Duration(i%8)*10*time.Millisecond, func() { ended = time.Now(); cancel() })
		require.ErrorIs(b, s.Run(limited), context.Canceled)
		late = append(late, time.Since(ended))
	}
	slices.Sort(late)
	b.ReportMetric(float64(late[len(late)/2].Microseconds()), "us-late")
	b.ReportMetric(float64(late[len(late)*9/10].Microseconds()), "p90-us-late")
}

// long is still, with a Run of 100 ms that Cancel ends.
type long struct{ still }

func (l long) Load(context.Context, *common.ModelFiles, common.Options) (common.DriverModel, error) {
	return longModel{}, nil
}

type longModel struct{ stillModel }

func (longModel) Signatures() []common.Signature { return []common.Signature{{}} }
func (longModel) NewSession(context.Context, int) (common.DriverSession, error) {
	return &longSession{canceled: make(chan struct{}, 1)}, nil
}

type longSession struct{ canceled chan struct{} }

func (s *longSession) Bind(in, out []*common.Tensor) error { return nil }
func (s *longSession) Close() error                        { return nil }
func (s *longSession) Cancel() {
	select {
	case s.canceled <- struct{}{}:
	default:
	}
}

func (s *longSession) Run(context.Context) error {
	select {
	case <-s.canceled: // it was for the last Run
	default:
	}
	select {
	case <-s.canceled:
		return &common.Error{Kind: common.ErrRun}
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}
