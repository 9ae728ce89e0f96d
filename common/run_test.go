// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	m := load(t, echo(t), nil)
	x := floats(t, []float32{1, 2, 3, 4}, 2, 2)
	var results []common.Tensors
	for _, in := range []*common.Tensor{x, floats(t, []float32{5, 6}, 1, 2), floats(t, make([]float32, 20), 10, 2), x} {
		out, err := m.Run(ctx, common.Tensors{"x": in})
		require.NoError(t, err)
		require.Len(t, out, 1)
		require.Equal(t, in.Shape(), out["y"].Shape())
		require.Equal(t, values(t, in), values(t, out["y"]))
		results = append(results, out)
	}
	require.NoError(t, m.Close())
	require.Equal(t, []float32{1, 2, 3, 4}, values(t, results[0]["y"]), "results must remain valid after Close")
	var nilCtx context.Context // a nil context is allowed
	out, err := load(t, echo(t), nil).Run(nilCtx, common.Tensors{"x": x})
	require.NoError(t, err)
	require.Len(t, out, 1)
}

// TestReplacedOutput checks that the result is what the driver has made, even if its
// shape is not the one in the signature.
func TestReplacedOutput(t *testing.T) {
	x := []common.TensorInfo{{Name: "x", DType: common.Float32, Shape: common.Shape{2}}}
	m := load(t, register(t, &fake.Engine{
		Signatures: []common.Signature{{Inputs: x, Outputs: []common.TensorInfo{{Name: "y", DType: common.Float32, Shape: common.Shape{1}}}}},
		Run: func(_ context.Context, _ int, in, out []*common.Tensor) error {
			out[0] = in[0].Clone()
			return nil
		},
	}), nil)
	in := floats(t, []float32{1, 2}, 2)
	for range 2 {
		out, err := m.Run(ctx, common.Tensors{"x": in})
		require.NoError(t, err)
		require.Equal(t, []float32{1, 2}, values(t, out["y"]))
	}
	s, err := m.NewSession(ctx, "")
	require.NoError(t, err)
	require.NoError(t, s.BindInput(0, in))
	require.NoError(t, s.BindOutput(0, floats(t, []float32{0}, 1)))
	require.ErrorIs(t, s.Run(ctx), common.ErrShape)
	require.Equal(t, []float32{1, 2}, values(t, s.Output(0)))
	require.NoError(t, s.Close())
}

// TestResultsAreNotReused checks that results remain valid after later Runs, even
// if the engine writes to the same memory each time.
func TestResultsAreNotReused(t *testing.T) {
	e := register(t, &fake.Engine{
		Signatures: []common.Signature{{
			Inputs:  []common.TensorInfo{{Name: "x", DType: common.Float32, Shape: common.Shape{1, 2}}},
			Outputs: []common.TensorInfo{{Name: "y", DType: common.Float32, Shape: common.Shape{1, 2}}},
		}},
		Run: func(_ context.Context, _ int, in, out []*common.Tensor) error {
			copy(out[0].Bytes(), in[0].Bytes())
			return nil
		},
	})
	for _, m := range []*common.Model{load(t, echo(t), nil), load(t, e, nil)} {
		first, err := m.Run(ctx, common.Tensors{"x": floats(t, []float32{1, 2}, 1, 2)})
		require.NoError(t, err)
		second, err := m.Run(ctx, common.Tensors{"x": floats(t, []float32{3, 4}, 1, 2)})
		require.NoError(t, err)
		require.Equal(t, []float32{1, 2}, values(t, first["y"]))
		require.Equal(t, []float32{3, 4}, values(t, second["y"]))
	}
}

// TestWrongInput checks that invalid inputs are refused before the driver's Run, and
// that the next Run succeeds.
func TestWrongInput(t *testing.T) {
	runs := 0
	e := register(t, &fake.Engine{
		Signatures: []common.Signature{{
			Inputs: []common.TensorInfo{
				{Name: "a", DType: common.Float32, Shape: common.Shape{-1, 2}},
				{Name: "b", DType: common.Int64, Shape: common.Shape{}},
				{Name: "c", DType: common.Uint8},
			},
			Outputs: []common.TensorInfo{{Name: "y", DType: common.Int64, Shape: common.Shape{}}},
		}},
		Run: func(_ context.Context, _ int, in, out []*common.Tensor) error {
			runs++
			copy(out[0].Bytes(), in[1].Bytes())
			return nil
		},
	})
	m := load(t, e, &common.Options{Shapes: map[string]common.ShapeRange{
		"a": {Min: common.Shape{1, 2}, Opt: common.Shape{2, 2}, Max: common.Shape{4, 2}},
	}})
	tensor := func(dt common.DType, shape ...int) *common.Tensor {
		x, err := common.NewTensor(dt, shape...)
		require.NoError(t, err)
		return x
	}
	good := func() common.Tensors {
		return common.Tensors{"a": tensor(common.Float32, 3, 2), "b": tensor(common.Int64), "c": tensor(common.Uint8, 1, 2, 3)}
	}
	s := newSession(t, m)
	for i, x := range []string{"a", "b", "c"} {
		require.NoError(t, s.BindInput(i, good()[x]))
	}
	with := func(name string, x *common.Tensor) common.Tensors {
		in := good()
		in[name] = x
		return in
	}
	less := good()
	delete(less, "c")
	for name, c := range map[string]struct {
		in common.Tensors
		is error
	}{
		"no inputs":     {nil, common.ErrCount},
		"one less":      {less, common.ErrCount},
		"one more":      {with("d", tensor(common.Float32, 1)), common.ErrName},
		"nil":           {with("a", nil), common.ErrInput},
		"dtype":         {with("a", tensor(common.Int32, 3, 2)), common.ErrDType},
		"same width":    {with("b", tensor(common.Uint64)), common.ErrDType},
		"string":        {with("c", tensor(common.String, 1)), common.ErrDType},
		"dimension":     {with("a", tensor(common.Float32, 3, 3)), common.ErrShape},
		"rank":          {with("a", tensor(common.Float32, 6)), common.ErrShape},
		"not a scalar":  {with("b", tensor(common.Int64, 1)), common.ErrShape},
		"empty":         {with("c", tensor(common.Uint8, 0)), common.ErrShape},
		"above the max": {with("a", tensor(common.Float32, 5, 2)), common.ErrShape},
	} {
		t.Run(name, func(t *testing.T) {
			runs = 0
			out, err := m.Run(ctx, c.in)
			require.Nil(t, out)
			require.ErrorIs(t, err, c.is)
			require.ErrorIs(t, err, common.ErrInput)
			var typed *common.Error
			require.ErrorAs(t, err, &typed)
			require.Equal(t, e.Name, typed.Engine)
			require.Equal(t, "run", typed.Op)
			require.NotEmpty(t, typed.Message)
			require.Zero(t, runs)
			for i, n := range []string{"a", "b", "c"} {
				if x := c.in[n]; len(c.in) == 3 && x != good()[n] && !x.Is(good()[n].DType(), good()[n].Shape()) {
					before := s.Input(i)
					require.ErrorIs(t, s.BindInput(i, x), c.is)
					require.Same(t, before, s.Input(i), "a refused tensor must change nothing")
				}
			}
			_, err = m.Run(ctx, good())
			require.NoError(t, err)
			require.NoError(t, s.Run(ctx))
			require.Equal(t, 2, runs)
		})
	}
	for _, i := range []int{-1, 3, math.MaxInt} {
		require.ErrorIs(t, s.BindInput(i, tensor(common.Int64)), common.ErrCount)
		require.Nil(t, s.Input(i))
		require.Nil(t, s.Output(i))
	}
}

func TestSession(t *testing.T) {
	m := load(t, echo(t), nil)
	s := newSession(t, m)
	require.Nil(t, s.Input(0), "an input with a dynamic shape must be nil before BindInput")
	require.Nil(t, s.Output(0))
	require.ErrorIs(t, s.Run(ctx), common.ErrShape)
	for _, n := range []int{1, 7, 32, 1} {
		x := floats(t, make([]float32, 2*n), n, 2)
		values(t, x)[0] = float32(n)
		require.NoError(t, s.BindInput(0, x))
		require.Same(t, x, s.Input(0))
		require.NoError(t, s.Run(ctx))
		require.Equal(t, values(t, x), values(t, s.Output(0)))
	}
	last := s.Output(0)
	require.NoError(t, s.Close())
	require.Equal(t, []float32{1, 0}, values(t, last), "outputs must be Go memory")
}

func TestFixedShapes(t *testing.T) {
	m := load(t, echo(t), &common.Options{Shapes: map[string]common.ShapeRange{"x": common.Fixed(3, 2)}})
	s := newSession(t, m)
	require.True(t, s.Input(0).Is(common.Float32, common.Shape{3, 2}), "a session must allocate inputs of known shapes")
	values(t, s.Input(0))[5] = 9
	require.NoError(t, s.Run(ctx))
	require.Equal(t, []float32{0, 0, 0, 0, 0, 9}, values(t, s.Output(0)))
	require.ErrorIs(t, s.BindInput(0, floats(t, make([]float32, 4), 2, 2)), common.ErrShape)
}

func TestSignatures(t *testing.T) {
	sig := func(name string, in ...string) common.Signature {
		s := common.Signature{Name: name, Outputs: []common.TensorInfo{{Name: "y", DType: common.Float32, Shape: common.Shape{1}}}}
		for _, n := range in {
			s.Inputs = append(s.Inputs, common.TensorInfo{Name: n, DType: common.Float32, Shape: common.Shape{1}})
		}
		return s
	}
	e := register(t, &fake.Engine{
		Signatures: []common.Signature{sig("first", "a", "a", "a_2"), sig("second", "b")},
		Run: func(_ context.Context, signature int, in, out []*common.Tensor) error {
			values(t, out[0])[0] = float32(10*signature + len(in))
			return nil
		},
	})
	m := load(t, e, nil)
	require.Len(t, m.Signatures(), 2)
	for name, want := range map[string]float32{"": 3, "first": 3, "second": 11} {
		s, err := m.NewSession(ctx, name)
		require.NoError(t, err)
		require.NoError(t, s.Run(ctx))
		require.Equal(t, want, values(t, s.Output(0))[0], "%q", name)
	}
	_, err := m.NewSession(ctx, "third")
	require.ErrorIs(t, err, common.ErrName)
	require.ErrorContains(t, err, `"first", "second"`)

	names := map[string]bool{}
	in := common.Tensors{}
	for _, i := range m.Signatures()[0].Inputs {
		names[i.Name] = true
		in[i.Name] = floats(t, []float32{1})
	}
	require.Len(t, names, 3, "the names must be unique: %v", names)
	_, err = m.Run(ctx, in)
	require.NoError(t, err)
}

// TestReset checks that variables have their initial values in each Model.Run, and
// that a Session keeps their values until Reset.
func TestReset(t *testing.T) {
	infos := func(name string) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: common.Shape{}}}
	}
	var sum float32 // the variable
	m := load(t, register(t, &fake.Engine{
		Signatures: []common.Signature{{Inputs: infos("x"), Outputs: infos("y")}},
		Run: func(_ context.Context, _ int, in, out []*common.Tensor) error {
			sum += values(t, in[0])[0]
			values(t, out[0])[0] = sum
			return nil
		},
		Reset: func(int) error {
			if sum > 100 {
				return &common.Error{Kind: common.ErrRun, Message: "cannot"}
			}
			sum = 0
			return nil
		},
	}), nil)
	for range 2 {
		out, err := m.Run(ctx, scalar(t, 3))
		require.NoError(t, err)
		require.Equal(t, []float32{3}, values(t, out["y"]))
	}
	s := newSession(t, m)
	require.NoError(t, s.Reset(), "Reset before the first Run must do nothing")
	sum = 0
	values(t, s.Input(0))[0] = 60
	for want := range 2 {
		require.NoError(t, s.Run(ctx))
		require.Equal(t, []float32{60 * float32(want+1)}, values(t, s.Output(0)))
	}
	require.ErrorIs(t, s.Reset(), common.ErrRun)
	_, err := m.Run(ctx, scalar(t, 3))
	require.ErrorIs(t, err, common.ErrRun)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Reset(), common.ErrClosed)
	require.ErrorIs(t, (*common.Session)(nil).Reset(), common.ErrClosed)
}

// TestDescriptionsAreCopies checks that a caller who changes a signature or its
// options cannot get around the checks that protect native memory.
func TestDescriptionsAreCopies(t *testing.T) {
	shapes := map[string]common.ShapeRange{"x": {Min: common.Shape{1, 2}, Opt: common.Shape{1, 2}, Max: common.Shape{2, 2}}}
	m := load(t, echo(t), &common.Options{Shapes: shapes})
	s := newSession(t, m)
	shapes["x"].Max[0] = 100
	delete(shapes, "x")
	m.Signatures()[0].Inputs[0].DType = common.Uint8
	m.Signatures()[0].Inputs[0].Shape[1] = 3
	m.Signatures()[0].Outputs[0].Labels[0] = "wrong"
	require.Equal(t, "left", m.Signatures()[0].Outputs[0].Labels[0])
	s.Signature().Inputs[0].Shape[1] = 3
	s.Signature().Inputs[0].DType = common.Uint8
	bad, err := common.NewTensor(common.Uint8, 2, 3)
	require.NoError(t, err)
	_, err = m.Run(ctx, common.Tensors{"x": bad})
	require.ErrorIs(t, err, common.ErrInput)
	require.ErrorIs(t, s.BindInput(0, bad), common.ErrInput)
	_, err = m.Run(ctx, common.Tensors{"x": floats(t, make([]float32, 6), 3, 2)})
	require.ErrorIs(t, err, common.ErrShape, "Load must copy the Options")
}

func TestBoolOutput(t *testing.T) {
	info := func(n string) []common.TensorInfo {
		return []common.TensorInfo{{Name: n, DType: common.Bool, Shape: common.Shape{3}}}
	}
	e := register(t, &fake.Engine{
		Signatures: []common.Signature{{Inputs: info("x"), Outputs: info("y")}},
		Run: func(_ context.Context, _ int, _, out []*common.Tensor) error {
			copy(out[0].Bytes(), []byte{0, 255, 2})
			return nil
		},
	})
	s := newSession(t, load(t, e, nil))
	require.NoError(t, s.Run(ctx))
	require.Equal(t, []byte{0, 1, 1}, s.Output(0).Bytes())
}

// TestInvalidDriverOutput checks that Run fails if the driver leaves an output out or
// gives it the wrong type.
func TestInvalidDriverOutput(t *testing.T) {
	for name, make := range map[string]func(out []*common.Tensor){
		"none":  func(out []*common.Tensor) { out[0] = nil },
		"dtype": func(out []*common.Tensor) { out[0], _ = common.NewTensor(common.Int8, 1, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			e := echo(t)
			e.Run = func(_ context.Context, _ int, _, out []*common.Tensor) error { make(out); return nil }
			_, err := load(t, e, nil).Run(ctx, common.Tensors{"x": floats(t, []float32{1, 2}, 1, 2)})
			require.ErrorIs(t, err, common.ErrRun)
		})
	}
}

func TestRunError(t *testing.T) {
	e := echo(t)
	copies := e.Run
	fail := atomic.Bool{}
	fail.Store(true)
	e.Run = func(ctx context.Context, signature int, in, out []*common.Tensor) error {
		if fail.Load() {
			return &common.Error{Kind: common.ErrRun, Message: "bad node", Code: 7}
		}
		return copies(ctx, signature, in, out)
	}
	m := load(t, e, nil)
	in := common.Tensors{"x": floats(t, []float32{1, 2}, 1, 2)}
	cancelable, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, c := range []context.Context{ctx, cancelable} {
		_, err := m.Run(c, in)
		require.ErrorIs(t, err, common.ErrRun)
		require.EqualError(t, err, e.Name+": run: run failed: bad node (code 7)")
	}
	fail.Store(false)
	_, err := m.Run(ctx, in)
	require.NoError(t, err, "the model must be usable after an error")
}

// TestSessionLimit checks that 64 goroutines get correct results, and that no more than
// Options.Sessions sessions exist and Runs execute at the same time.
func TestSessionLimit(t *testing.T) {
	for _, sessions := range []int{0, 1, 2, 4} {
		e := echo(t)
		var executing, most atomic.Int64
		copies := e.Run
		e.Run = func(ctx context.Context, signature int, in, out []*common.Tensor) error {
			n := executing.Add(1)
			defer executing.Add(-1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(100 * time.Microsecond)
			return copies(ctx, signature, in, out)
		}
		m := load(t, e, &common.Options{Sessions: sessions})
		require.Equal(t, 2, e.Live(), "want engine and model: sessions are created when needed")
		var wg sync.WaitGroup
		for g := range 64 {
			wg.Go(func() {
				for i := range 5 {
					want := []float32{float32(g), float32(i)}
					out, err := m.Run(ctx, common.Tensors{"x": floats(t, want, 1, 2)})
					if err != nil || !slices.Equal(values(t, out["y"]), want) {
						t.Errorf("%v became %v, %v", want, out, err)
					}
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, int(most.Load()), max(sessions, 1))
		if sessions > 1 {
			require.Greater(t, int(most.Load()), 1, "Runs of several sessions should overlap")
		}
		require.LessOrEqual(t, e.Live(), 2+max(sessions, 1))
		require.NoError(t, m.Close())
		require.Equal(t, 1, e.Live())
	}
}

func TestCancelBeforeRun(t *testing.T) {
	g := newBlockingEngine(t)
	m := load(t, g.Engine, nil)
	s := newSession(t, m)
	live := g.Live()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for range 50 {
		_, err := m.Run(ended, scalar(t, 1))
		require.Equal(t, context.Canceled, err)
		require.Equal(t, context.Canceled, s.Run(ended))
	}
	require.Zero(t, g.runs.Load())
	require.Equal(t, live, g.Live(), "a session was created")
	_, err := open(t, g.Engine).Load(ended, common.Bytes([]byte("m")), nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestCancelWhileWaiting(t *testing.T) {
	g := newBlockingEngine(t)
	m := load(t, g.Engine, nil)
	go m.Run(ctx, scalar(t, 1))
	<-g.started
	deadline, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	requireReturns(t, "a Run that waits for a session", func() {
		_, err := m.Run(deadline, scalar(t, 2))
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	require.EqualValues(t, 1, g.runs.Load())
	g.finish <- struct{}{}
}

func TestCancelDuringRun(t *testing.T) {
	g := newBlockingEngine(t)
	m := load(t, g.Engine, nil)
	s := newSession(t, m)
	for range 100 {
		for _, run := range []func(context.Context) error{
			s.Run,
			func(c context.Context) error { _, err := m.Run(c, scalar(t, 1)); return err },
		} {
			cancelable, cancel := context.WithCancel(ctx)
			go func() { <-g.started; cancel() }()
			requireReturns(t, "a cancelled Run", func() { require.Equal(t, context.Canceled, run(cancelable)) })
		}
	}
	// The sessions remain usable, with every kind of context.
	cancelable, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, c := range []context.Context{ctx, cancelable, nil} {
		values(t, s.Input(0))[0] = 7
		go func() { <-g.started; g.finish <- struct{}{} }()
		require.NoError(t, s.Run(c))
		require.Equal(t, []float32{7}, values(t, s.Output(0)))
		go func() { <-g.started; g.finish <- struct{}{} }()
		out, err := m.Run(c, scalar(t, 8))
		require.NoError(t, err)
		require.Equal(t, []float32{8}, values(t, out["y"]))
	}
}

// TestCancelAfterLongRuns checks that a Run is cancelled also after long Runs, whose
// contexts are watched in another way than those of short ones.
func TestCancelAfterLongRuns(t *testing.T) {
	g := newBlockingEngine(t)
	s := newSession(t, load(t, g.Engine, nil))
	first, cancelFirst := context.WithCancel(ctx)
	defer cancelFirst()
	for range 3 {
		go func() { time.Sleep(20 * time.Millisecond); g.finish <- struct{}{} }()
		require.NoError(t, s.Run(first))
		limited, cancel := context.WithTimeout(ctx, time.Millisecond)
		requireReturns(t, "a Run whose context ends", func() { require.ErrorIs(t, s.Run(limited), context.DeadlineExceeded) })
		cancel()
	}
}

// TestCancelAfterRun checks that a Run which succeeds returns its results even if
// its context has ended.
func TestCancelAfterRun(t *testing.T) {
	e := echo(t)
	cancelable, cancel := context.WithCancel(ctx)
	copies := e.Run
	e.Run = func(_ context.Context, signature int, in, out []*common.Tensor) error {
		cancel()
		time.Sleep(5 * time.Millisecond) // Cancel is called now, and ignored
		return copies(ctx, signature, in, out)
	}
	out, err := load(t, e, nil).Run(cancelable, common.Tensors{"x": floats(t, []float32{1, 2}, 1, 2)})
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2}, values(t, out["y"]))
}

// TestCancelRace cancels Runs at many different moments.
func TestCancelRace(t *testing.T) {
	e := echo(t)
	copies := e.Run
	e.Run = func(ctx context.Context, signature int, in, out []*common.Tensor) error {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		return copies(ctx, signature, in, out)
	}
	s := newSession(t, load(t, e, nil))
	require.NoError(t, s.BindInput(0, floats(t, []float32{3, 4}, 1, 2)))
	for i := range 2000 {
		c, cancel := context.WithTimeout(ctx, time.Duration(i%50)*time.Microsecond)
		switch err := s.Run(c); {
		case err == nil:
			require.Equal(t, []float32{3, 4}, values(t, s.Output(0)))
		default:
			require.Equal(t, context.DeadlineExceeded, err)
		}
		cancel()
		require.NoError(t, s.Run(ctx), "a late Cancel stopped the next Run")
	}
}
