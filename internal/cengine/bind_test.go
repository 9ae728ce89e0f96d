// SPDX-License-Identifier: Apache-2.0

package cengine_test

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/cengine"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

func tensor(t *testing.T, dt common.DType, shape ...int) *common.Tensor {
	t.Helper()
	x, err := common.NewTensor(dt, shape...)
	require.NoError(t, err)
	return x
}

// unpadded returns a tensor over memory that the program allocated.
func unpadded(t *testing.T, shape ...int) *common.Tensor {
	t.Helper()
	x, err := common.FromSlice(make([]float32, common.Shape(shape).Elems()+1)[1:], shape...)
	require.NoError(t, err)
	require.False(t, x.Padded())
	return x
}

// TestBind calls the driver without package common. It checks that an output of the
// right shape is used, another one is replaced, and a missing one is created: by
// Bind, or by Run if the shape is known only then.
func TestBind(t *testing.T) {
	f := engine(t)
	d, err := cengine.Open(&cengine.Engine{Library: dylib.Spec{Engine: "faulty"}}, common.Config{Library: f.path, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer d.Close()
	session := func(model string) (common.DriverSession, common.Signature) {
		files, err := common.OpenFiles(ctx, common.File("../../testdata/"+model+".ref"), false)
		require.NoError(t, err)
		m, err := d.Load(ctx, files, common.Options{})
		require.NoError(t, err)
		s, err := m.NewSession(ctx, 0)
		require.NoError(t, err)
		t.Cleanup(func() { s.Close(); m.Close(); files.Release() })
		return s, m.Signatures()[0]
	}

	s, sig := session("edges")
	require.True(t, sig.Outputs[0].Shape.Dynamic())
	for _, size := range []int{5, 5, 7} {
		x := tensor(t, common.Float32, 1, 1, size, 9)
		fits, other := tensor(t, common.Float32, 1, 1, size, 9), tensor(t, common.Float32, 1, 1, 3, 3)
		for _, given := range []*common.Tensor{fits, other, nil} {
			out := []*common.Tensor{given}
			require.NoError(t, s.Bind([]*common.Tensor{x}, out))
			require.Equal(t, given == fits, out[0] == given)
			require.True(t, out[0].Is(common.Float32, common.Shape{1, 1, size, 9}))
			bound := out[0]
			require.NoError(t, s.Run(ctx))
			require.Same(t, bound, out[0])
		}
	}

	s, sig = session(dynamic)
	x := tensor(t, sig.Inputs[0].DType, sig.Inputs[0].Shape...)
	values.Fill(x, 1)
	out := []*common.Tensor{nil}
	require.NoError(t, s.Bind([]*common.Tensor{x}, out))
	require.Nil(t, out[0], "the output must be nil until Run knows its shape")
	require.NoError(t, s.Run(ctx))
	want := out[0]
	fits, other := tensor(t, want.DType(), want.Shape()...), tensor(t, want.DType(), 1, 1)
	for _, given := range []*common.Tensor{fits, other} {
		out := []*common.Tensor{given}
		require.NoError(t, s.Bind([]*common.Tensor{x}, out))
		require.Same(t, given, out[0])
		require.NoError(t, s.Run(ctx))
		require.Equal(t, given == fits, out[0] == given)
		require.Equal(t, want, out[0])
		out[0] = nil // package common may take the tensor that Run created
		require.NoError(t, s.Run(ctx))
		require.Equal(t, want, out[0])
	}
}

// TestBindOutput checks that results are written to the caller's memory, padded or
// not, and that Run does not allocate.
func TestBindOutput(t *testing.T) {
	f := engine(t)
	e, err := f.open(t, nil)
	require.NoError(t, err)
	session := func(model string, in *common.Tensor) (*common.Session, *common.Tensor) {
		m, err := load(e, model, nil)
		require.NoError(t, err)
		s, err := m.NewSession(ctx, "")
		require.NoError(t, err)
		if in != nil {
			require.NoError(t, s.BindInput(0, in))
		}
		values.Fill(s.Input(0), 1)
		require.NoError(t, s.Run(ctx))
		return s, s.Output(0).Clone()
	}
	cancelable, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, c := range []struct {
		model     string
		in, other *common.Tensor
	}{
		{"digits", nil, nil},
		{"digits", unpadded(t, 1, 1, 8, 8), nil},
		{"digits_dynamic", tensor(t, common.Float32, 3, 1, 8, 8), tensor(t, common.Float32, 2, 10)},
		{dynamic, nil, tensor(t, common.Int64, 1, 1)},
	} {
		s, want := session(c.model, c.in)
		outputs := []*common.Tensor{tensor(t, want.DType(), want.Shape()...)}
		if want.DType() == common.Float32 {
			outputs = append(outputs, unpadded(t, want.Shape()...))
		}
		for _, out := range outputs {
			require.NoError(t, s.BindOutput(0, out))
			require.NoError(t, s.Run(ctx))
			require.Same(t, out, s.Output(0))
			require.Equal(t, values.Float64s(want), values.Float64s(out))
			for _, c := range []context.Context{ctx, cancelable} {
				if instrumented() {
					break
				}
				require.Zero(t, testing.AllocsPerRun(100, func() {
					if err := s.Run(c); err != nil {
						t.Error(err)
					}
				}))
			}
		}
		if c.other != nil {
			require.NoError(t, s.BindOutput(0, c.other))
			require.ErrorIs(t, s.Run(ctx), common.ErrShape)
		}
		require.NoError(t, s.BindOutput(0, nil))
		require.NoError(t, s.Run(ctx))
		require.Equal(t, values.Float64s(want), values.Float64s(s.Output(0)))
		require.False(t, slices.Contains(outputs, s.Output(0)))
	}
}

// instrumented reports whether the race detector or AddressSanitizer is on. With
// these, Go allocates more.
func instrumented() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "-asan" || s.Key == "-race" })
}
