// SPDX-License-Identifier: Apache-2.0

package tfltest

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

// BindOutput tests Session.BindOutput on an open engine, with the models in dir. The models called dynamic have an
// output whose shape is known only after a Run: the indices of the elements of x, of 6, that are not zero.
func BindOutput(t *testing.T, e *common.Engine, dir string, dynamic ...string) {
	s := suite{e, dir}
	t.Run("fixed shape", s.fixedOutput)
	t.Run("resized", s.resizedOutput)
	for _, model := range dynamic {
		t.Run(model, func(t *testing.T) { s.dynamicOutput(t, model) })
	}
	t.Run("aliases", s.aliasOutputs)
	t.Run("state", s.stateful)
}

type suite struct {
	engine *common.Engine
	dir    string
}

func (s suite) load(t *testing.T, model string, o *common.Options) (*common.Model, error) {
	t.Helper()
	m, err := s.engine.Load(t.Context(), common.File(filepath.Join(s.dir, model+".tflite")), o)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, m.Close()) })
	}
	return m, err
}

func (s suite) session(t *testing.T, model string) *common.Session {
	t.Helper()
	m, err := s.load(t, model, &common.Options{Threads: 1})
	require.NoError(t, err)
	session, err := m.NewSession(t.Context(), "")
	require.NoError(t, err)
	return session
}

// filled is a tensor of seeded numbers.
func filled(t *testing.T, shape ...int) *common.Tensor {
	t.Helper()
	x := aligned(t, common.Float32, shape...)
	values.Fill(x, 1)
	return x
}

// aligned makes a tensor in whose memory an SDK can work.
func aligned(t *testing.T, dt common.DType, shape ...int) *common.Tensor {
	t.Helper()
	x, err := common.NewTensor(dt, shape...)
	require.NoError(t, err)
	return x
}

// unaligned makes a tensor in whose memory an SDK cannot work.
func unaligned(t *testing.T, shape ...int) *common.Tensor {
	t.Helper()
	n := common.Shape(shape).Elems()
	x, err := common.FromSlice(make([]float32, n+3)[1:n+1], shape...)
	require.NoError(t, err)
	require.False(t, x.Padded())
	return x
}

// noAllocations runs the session and requires that Run allocates nothing.
func noAllocations(t *testing.T, s *common.Session) {
	t.Helper()
	ctx := context.Background()
	RequireNoAllocations(t, func() error { return s.Run(ctx) })
}

// fixedOutput: an output of a fixed shape is written to the memory that was bound.
func (s suite) fixedOutput(t *testing.T) {
	r := s.session(t, "digits")
	values.Fill(r.Input(0), 1)
	require.NoError(t, r.Run(t.Context()))
	own := r.Output(0)
	want := values.Float64s(own)
	for _, out := range []*common.Tensor{
		aligned(t, common.Float32, 1, 10), unaligned(t, 1, 10), aligned(t, common.Float32, 1, 10),
	} {
		clear(own.Bytes())
		require.NoError(t, r.BindOutput(0, out))
		noAllocations(t, r)
		require.Same(t, out, r.Output(0))
		require.Equal(t, want, values.Float64s(out))
		require.Zero(t, slices.Max(own.Bytes()), "a tensor that is not bound is not written")
	}
	last := r.Output(0)
	require.NoError(t, r.BindOutput(0, nil))
	clear(last.Bytes())
	noAllocations(t, r)
	require.Equal(t, want, values.Float64s(r.Output(0)))
	require.ErrorIs(t, r.BindOutput(0, aligned(t, common.Float32, 2, 10)), common.ErrShape)
}

// resizedOutput: where the output's shape follows the input's, a bound tensor of another shape is refused, and one of
// that shape is written.
func (s suite) resizedOutput(t *testing.T) {
	r := s.session(t, "digits_dynamic")
	for _, n := range []int{3, 1, 3} {
		in := aligned(t, common.Float32, n, 8, 8, 1)
		values.Fill(in, 1)
		require.NoError(t, r.BindInput(0, in))
		require.NoError(t, r.BindOutput(0, nil))
		require.NoError(t, r.Run(t.Context()))
		want := values.Float64s(r.Output(0))
		for _, out := range []*common.Tensor{aligned(t, common.Float32, n, 10), unaligned(t, n, 10)} {
			require.NoError(t, r.BindOutput(0, aligned(t, common.Float32, n+1, 10)))
			require.ErrorIs(t, r.Run(t.Context()), common.ErrShape)
			require.NoError(t, r.BindOutput(0, out))
			noAllocations(t, r)
			require.Same(t, out, r.Output(0))
			require.Equal(t, want, values.Float64s(out))
		}
	}
}

// dynamicOutput: where the shape is known only after a Run, a Run whose result does not fit the bound tensor returns an
// error, has its result in a tensor of its own, and does not write to tensors that were bound before.
func (s suite) dynamicOutput(t *testing.T, model string) {
	r := s.session(t, model)
	dt := r.Signature().Outputs[0].DType
	x, err := common.Data[float32](r.Input(0))
	require.NoError(t, err)
	set := func(n int) (want []float64) {
		clear(x)
		for i := range n {
			x[i] = 1
			want = append(want, float64(i))
		}
		return want
	}
	var former *common.Tensor
	for _, n := range []int{2, 5, 1, 6} {
		want := set(n)
		out := aligned(t, dt, n, 1)
		require.NoError(t, r.BindOutput(0, out))
		noAllocations(t, r)
		require.Same(t, out, r.Output(0))
		require.Equal(t, want, values.Float64s(out))
		if former != nil {
			require.Zero(t, slices.Max(former.Bytes()), "it is not bound any more")
		}

		want = set(n - 1)
		require.ErrorIs(t, r.Run(t.Context()), common.ErrShape)
		require.Equal(t, common.Shape{n - 1, 1}, r.Output(0).Shape())
		require.Equal(t, append([]float64{}, want...), append([]float64{}, values.Float64s(r.Output(0))...))
		want = set(n)
		require.NoError(t, r.Run(t.Context()), "the tensor is still bound")
		require.Equal(t, want, values.Float64s(out))

		require.NoError(t, r.BindOutput(0, nil))
		clear(out.Bytes())
		noAllocations(t, r)
		require.Equal(t, want, values.Float64s(r.Output(0)))
		require.Zero(t, slices.Max(out.Bytes()), "it is not bound any more")
		former = out
	}
}

// aliasOutputs: outputs that are one tensor in the engine, or an input, are each written to the tensor that was bound.
func (s suite) aliasOutputs(t *testing.T) {
	r := s.session(t, "aliases")
	for i := range 2 {
		values.Fill(r.Input(i), uint64(i)+1)
	}
	require.NoError(t, r.Run(t.Context()))
	signature := r.Signature()
	var want [][]float64
	for i := range signature.Outputs {
		want = append(want, values.Float64s(r.Output(i)))
	}
	echo := signature.OutputIndex("echo")
	require.Equal(t, values.Float64s(r.InputByName("first")), want[echo])
	for round := range 2 {
		var outs []*common.Tensor
		for i := range signature.Outputs {
			out := aligned(t, common.Float32, 2, 3)
			if round == 1 {
				out = unaligned(t, 2, 3)
			}
			require.NoError(t, r.BindOutput(i, out))
			outs = append(outs, out)
		}
		noAllocations(t, r)
		for i, out := range outs {
			require.Same(t, out, r.Output(i))
			require.Equal(t, want[i], values.Float64s(out), signature.Outputs[i].Name)
		}
	}
}

// stateful: an output stays bound when Reset makes a new interpreter.
func (s suite) stateful(t *testing.T) {
	r := s.session(t, "accumulator")
	values.Fill(r.Input(0), 1)
	for _, out := range []*common.Tensor{aligned(t, common.Float32, 1, 2), unaligned(t, 1, 2)} {
		require.NoError(t, r.BindOutput(0, out))
		require.NoError(t, r.Reset())
		require.NoError(t, r.Run(t.Context()))
		first := values.Float64s(out)
		require.NoError(t, r.Run(t.Context()))
		require.NotEqual(t, first, values.Float64s(out))
		require.NoError(t, r.Reset())
		require.NoError(t, r.Run(t.Context()))
		require.Same(t, out, r.Output(0))
		require.Equal(t, first, values.Float64s(out))
		noAllocations(t, r)
	}
}
