// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

// stateful is an engine whose model has variables and takes up to three rows of two
// elements. Package fake panics if a call is out of order.
func stateful(t *testing.T) *fake.Engine {
	e := &fake.Engine{Signatures: echo(t).Signatures}
	e.Bind = func(_ int, in []*common.Tensor) error {
		if in[0].Len() > 6 {
			return &common.Error{Kind: common.ErrShape, Message: "too many rows"}
		}
		return nil
	}
	e.Run = func(ctx context.Context, _ int, in, out []*common.Tensor) error {
		select {
		case <-ctx.Done():
			return &common.Error{Kind: common.ErrRun, Message: "canceled"}
		case <-time.After(20 * time.Microsecond):
		}
		out[0] = in[0].Clone()
		return nil
	}
	e.Reset = func(int) error { return nil }
	return register(t, e)
}

// TestCallOrder checks that a driver's Run and Reset follow a successful Bind.
func TestCallOrder(t *testing.T) {
	e := stateful(t)
	var calls []string
	bind, run := e.Bind, e.Run
	e.Bind = func(signature int, in []*common.Tensor) error {
		calls = append(calls, "bind")
		return bind(signature, in)
	}
	e.Run = func(ctx context.Context, signature int, in, out []*common.Tensor) error {
		calls = append(calls, "run")
		return run(ctx, signature, in, out)
	}
	e.Reset = func(int) error { calls = append(calls, "reset"); return nil }
	m := load(t, e, nil)
	good := common.Tensors{"x": floats(t, []float32{1, 2}, 1, 2)}
	bad := common.Tensors{"x": floats(t, make([]float32, 20), 10, 2)}
	for _, c := range []struct {
		in   common.Tensors
		want []string
	}{
		{good, []string{"bind", "run"}},
		{good, []string{"reset", "run"}},
		{bad, []string{"bind"}},
		{bad, []string{"bind"}},
		{good, []string{"bind", "reset", "run"}},
		{good, []string{"reset", "run"}},
	} {
		calls = nil
		_, err := m.Run(ctx, c.in)
		require.Equal(t, c.in["x"].Len() > 6, errors.Is(err, common.ErrShape), "%v", err)
		require.Equal(t, c.want, calls)
	}

	s := newSession(t, m)
	calls = nil
	require.NoError(t, s.Reset(), "Reset before Bind must do nothing")
	require.NoError(t, s.BindInput(0, good["x"]))
	require.NoError(t, s.Run(ctx))
	require.NoError(t, s.BindInput(0, bad["x"]))
	require.NoError(t, s.Reset(), "Reset must leave binding to the next Run")
	require.NoError(t, s.Reset(), "a second Reset must do nothing")
	require.Error(t, s.Run(ctx))
	require.NoError(t, s.Reset())
	require.NoError(t, s.BindInput(0, good["x"]))
	require.NoError(t, s.Run(ctx))
	require.Equal(t, []string{"bind", "run", "bind", "bind", "reset", "run"}, calls)
	require.NoError(t, s.BindInput(0, bad["x"]))
	require.Error(t, s.Run(ctx))
	calls = nil
	require.NoError(t, s.Reset())
	require.NoError(t, s.BindInput(0, good["x"]))
	require.NoError(t, s.Run(ctx))
	require.Equal(t, []string{"bind", "reset", "run"}, calls, "a Reset while nothing is bound must wait for the next Bind")
}

// TestOutputAsInput checks that an output can be bound as an input: the next Run
// writes to another tensor.
func TestOutputAsInput(t *testing.T) {
	shape := common.Shape{2}
	info := func(name string) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: shape}}
	}
	s := newSession(t, load(t, register(t, &fake.Engine{
		Signatures: []common.Signature{{Inputs: info("x"), Outputs: info("y")}},
		Run: func(_ context.Context, _ int, in, out []*common.Tensor) error {
			x, y := values(t, in[0]), values(t, out[0])
			y[0], y[1] = x[1], x[0]+1 // y[0] is written before x[0] is read
			return nil
		},
	}), nil))
	want := []float32{0, 0}
	for range 5 {
		require.NoError(t, s.Run(ctx))
		want = []float32{want[1], want[0] + 1}
		require.Equal(t, want, values(t, s.Output(0)))
		last := s.Output(0)
		require.NoError(t, s.BindInput(0, last))
	}
	part := floats(t, values(t, s.Output(0))[:2:2]) // another tensor on the same memory
	require.NoError(t, s.BindInput(0, part))
	require.NoError(t, s.Run(ctx))
	require.Equal(t, []float32{want[1], want[0] + 1}, values(t, s.Output(0)))
}

// TestStatefulWithoutResetter checks that each Model.Run uses a new session if the
// driver cannot reset variables and the model may have some.
func TestStatefulWithoutResetter(t *testing.T) {
	for state, wantSessions := range map[common.State]int{common.UnknownState: 3, common.Stateful: 3, common.Stateless: 1} {
		t.Run(state.String(), func(t *testing.T) {
			sessions := 0
			name := uniqueName(t)
			common.Register(common.Registration{Name: name, Open: func(common.Config) (common.Driver, error) {
				return idleDriver{shape: common.Shape{4}, state: state, made: &sessions}, nil
			}})
			e, err := common.Open(name, nil)
			require.NoError(t, err)
			defer e.Close()
			m, err := e.Load(ctx, common.Bytes([]byte("m")), nil)
			require.NoError(t, err)
			require.Equal(t, state, m.Info().State)
			x, err := common.NewTensor(common.Bool, 4)
			require.NoError(t, err)
			for range 3 {
				_, err := m.Run(ctx, common.Tensors{"x": x})
				require.NoError(t, err)
			}
			require.Equal(t, wantSessions, sessions)
			s := newSession(t, m)
			require.NoError(t, s.Run(ctx))
			if err := s.Reset(); state == common.Stateless {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, common.ErrOption)
			}
		})
	}
}

// TestCallOrderRace checks the order of a driver's calls while goroutines run, bind,
// reset and close at the same time.
func TestCallOrderRace(t *testing.T) {
	e := stateful(t)
	end := time.Now().Add(500 * time.Millisecond)
	checkExpected := func(err error) {
		if err != nil && !errors.Is(err, common.ErrClosed) && !errors.Is(err, common.ErrInUse) && !errors.Is(err, common.ErrShape) &&
			!errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	for time.Now().Before(end) {
		engine := open(t, e)
		m, err := engine.Load(ctx, common.Bytes([]byte("m")), &common.Options{Sessions: 2, Profile: true})
		require.NoError(t, err)
		s := newSession(t, m)
		tensor := func(i int) *common.Tensor { return floats(t, make([]float32, 2*(1+i%5)), 1+i%5, 2) }
		var wg sync.WaitGroup
		for g := range 3 {
			wg.Go(func() {
				for i := range 40 {
					c, cancel := context.WithTimeout(ctx, time.Duration(i)*time.Microsecond)
					_, err := m.Run(c, common.Tensors{"x": tensor(g + i)})
					checkExpected(err)
					cancel()
				}
			})
			wg.Go(func() {
				for i := range 40 {
					c, cancel := context.WithTimeout(ctx, time.Duration(10*i)*time.Microsecond)
					checkExpected(s.BindInput(0, tensor(g+i)))
					checkExpected(s.Run(c))
					checkExpected(s.Reset())
					if _, err := s.Profile(); !errors.Is(err, common.ErrOption) { // package fake does not profile
						checkExpected(err)
					}
					cancel()
				}
			})
		}
		wg.Go(func() {
			time.Sleep(time.Duration(time.Now().UnixNano()%1000) * time.Microsecond)
			checkExpected([]closer{engine, m, s}[time.Now().UnixNano()%3].Close())
		})
		wg.Wait()
		require.NoError(t, engine.Close())
	}
	require.Zero(t, e.Live())
}

// TestEmptyTensors checks that tensors without elements are refused unless the
// engine accepts them.
func TestEmptyTensors(t *testing.T) {
	for _, accepted := range []bool{false, true} {
		e := &fake.Engine{EmptyTensors: accepted, Signatures: echo(t).Signatures, Run: echo(t).Run}
		m := load(t, register(t, e), nil)
		out, err := m.Run(ctx, common.Tensors{"x": floats(t, nil, 0, 2)})
		_, loadErr := open(t, e).Load(ctx, common.Bytes([]byte("m")), &common.Options{Shapes: map[string]common.ShapeRange{
			"x": {Min: common.Shape{0, 2}, Opt: common.Shape{1, 2}, Max: common.Shape{8, 2}},
		}})
		if !accepted {
			require.ErrorIs(t, err, common.ErrShape)
			require.ErrorIs(t, loadErr, common.ErrOption)
			continue
		}
		require.NoError(t, err)
		require.NoError(t, loadErr)
		require.Equal(t, common.Shape{0, 2}, out["y"].Shape())
	}
}
