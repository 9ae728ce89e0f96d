// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

// adder is an engine whose models add 1 to input "x", three floats, and write the
// sums to output "y". If unpadded is false, its Run fails on unpadded tensors.
func adder(t *testing.T, unpadded bool) *common.Engine {
	vector := func(name string) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: common.Shape{3}}}
	}
	e := &fake.Engine{Name: "adder", Signatures: []common.Signature{{Inputs: vector("x"), Outputs: vector("y")}}}
	e.Run = func(_ context.Context, _ int, in, out []*common.Tensor) error {
		if !unpadded && !(in[0].Padded() && out[0].Padded()) {
			return &common.Error{Kind: common.ErrRun, Message: "a tensor is not padded"}
		}
		x, _ := common.Data[float32](in[0])
		y, _ := common.Data[float32](out[0])
		for i := range y {
			y[i] = x[i] + 1
		}
		return nil
	}
	engine, err := common.OpenEngine(common.Registration{
		Name: e.Name, UnpaddedTensors: unpadded, Open: func(common.Config) (common.Driver, error) { return e.Driver(), nil },
	}, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, engine.Close())
		require.Zero(t, e.Live())
	})
	return engine
}

// TestBindOutput checks that results are written to the caller's memory, aligned
// or not, and only there.
func TestBindOutput(t *testing.T) {
	for name, unpadded := range map[string]bool{"any memory": true, "padded": false} {
		t.Run(name, func(t *testing.T) {
			m, err := adder(t, unpadded).Load(ctx, common.Bytes([]byte("m")), nil)
			require.NoError(t, err)
			s := newSession(t, m)
			ring := make([]float32, 10)
			for i := range 2 {
				in := floats(t, []float32{1, 2, float32(i)}, 3)
				require.NoError(t, s.BindInput(0, in))
				out := floats(t, ring[1+4*i:][:3], 3)
				require.NoError(t, s.BindOutput(0, out))
				require.NoError(t, s.Run(ctx))
				require.Same(t, out, s.Output(0))
				values(t, in)[0] = 10 // each Run reads the input again
				require.NoError(t, s.Run(ctx))
			}
			require.Equal(t, []float32{0, 11, 3, 1, 0, 11, 3, 2, 0, 0}, ring, "memory outside the outputs was changed")

			require.NoError(t, s.BindOutput(0, nil))
			require.NoError(t, s.Run(ctx))
			require.Equal(t, []float32{11, 3, 2}, values(t, s.Output(0)), "the session must have its own output again")
			require.Equal(t, []float32{11, 3, 2}, ring[5:8])
			require.True(t, s.Output(0).Padded())
		})
	}
}

// TestPingPongBuffers checks a loop over two tensors, each of which is the output of
// one Run and the input of the next.
func TestPingPongBuffers(t *testing.T) {
	m, err := adder(t, true).Load(ctx, common.Bytes([]byte("m")), nil)
	require.NoError(t, err)
	s := newSession(t, m)
	state := [2]*common.Tensor{floats(t, make([]float32, 3), 3), floats(t, make([]float32, 3), 3)}
	for i := range 5 {
		require.NoError(t, s.BindInput(0, state[i%2]))
		require.NoError(t, s.BindOutput(0, state[1-i%2]))
		require.NoError(t, s.Run(ctx))
	}
	require.Equal(t, []float32{5, 5, 5}, values(t, state[1]))
	require.Equal(t, []float32{4, 4, 4}, values(t, state[0]))
}

// TestBindOutputErrors checks that tensors of the wrong shape or dtype, and those
// that share memory with an input, are refused.
func TestBindOutputErrors(t *testing.T) {
	m, err := adder(t, true).Load(ctx, common.Bytes([]byte("m")), nil)
	require.NoError(t, err)
	s := newSession(t, m)
	for _, i := range []int{-1, 1} {
		err := s.BindOutput(i, nil)
		require.ErrorIs(t, err, common.ErrCount)
		require.ErrorContains(t, err, `0 "y"`)
		require.ErrorIs(t, s.BindInput(i, nil), common.ErrCount)
	}
	four, err := common.NewTensor(common.Float32, 4)
	require.NoError(t, err)
	err = s.BindOutput(0, four)
	require.ErrorIs(t, err, common.ErrShape)
	require.NotErrorIs(t, err, common.ErrInput, "a wrong output must not be an error of the input")
	ints, err := common.NewTensor(common.Int32, 3)
	require.NoError(t, err)
	require.ErrorIs(t, s.BindOutput(0, ints), common.ErrDType)
	require.NoError(t, s.Run(ctx), "a refused tensor must change nothing")

	memory := make([]float32, 5)
	require.NoError(t, s.BindInput(0, floats(t, memory[:3], 3)))
	require.NoError(t, s.BindOutput(0, floats(t, memory[2:], 3)))
	require.ErrorIs(t, s.Run(ctx), common.ErrInput)
	require.NoError(t, s.BindInput(0, floats(t, make([]float32, 3), 3)))
	require.NoError(t, s.Run(ctx))
	require.Equal(t, []float32{0, 0, 1, 1, 1}, memory)
}

// TestBindDynamicOutput binds an output whose shape is known only after Run.
func TestBindDynamicOutput(t *testing.T) {
	m := load(t, echo(t), nil)
	s := newSession(t, m)
	require.NoError(t, s.BindInput(0, floats(t, []float32{1, 2, 3, 4}, 2, 2)))
	fits := floats(t, make([]float32, 4), 2, 2)
	require.NoError(t, s.BindOutput(0, fits))
	require.NoError(t, s.Run(ctx))
	require.Equal(t, []float32{1, 2, 3, 4}, values(t, fits))
	require.Same(t, fits, s.Output(0))

	require.NoError(t, s.BindInput(0, floats(t, []float32{5, 6}, 1, 2)))
	err := s.Run(ctx)
	require.ErrorIs(t, err, common.ErrShape)
	require.NotErrorIs(t, err, common.ErrInput)
	require.Equal(t, []float32{5, 6}, values(t, s.Output(0)), "the result must remain readable")
	require.Equal(t, []float32{1, 2, 3, 4}, values(t, fits))
	require.NoError(t, s.BindInput(0, floats(t, []float32{5, 6, 7, 8}, 2, 2)))
	require.NoError(t, s.Run(ctx))
	require.Equal(t, []float32{5, 6, 7, 8}, values(t, fits), "the tensor must remain bound")
}

// TestLargeResultsAreNotCopied checks that Model.Run returns the tensors that the
// engine wrote, if they are large, and that later Runs do not overwrite them.
func TestLargeResultsAreNotCopied(t *testing.T) {
	const n = 1 << 19
	big := []common.TensorInfo{{Name: "y", DType: common.Float32, Shape: common.Shape{n}}}
	e := register(t, &fake.Engine{Signatures: []common.Signature{{Inputs: []common.TensorInfo{{Name: "x", DType: common.Float32, Shape: common.Shape{}}}, Outputs: big}}})
	var wrote []*common.Tensor
	e.Run = func(_ context.Context, _ int, in, out []*common.Tensor) error {
		wrote = append(wrote, out[0])
		copy(out[0].Bytes(), in[0].Bytes())
		return nil
	}
	m := load(t, e, nil)
	var results []*common.Tensor
	for i := range 3 {
		out, err := m.Run(ctx, scalar(t, float32(i)))
		require.NoError(t, err)
		require.True(t, wrote[i] == out["y"])
		results = append(results, out["y"])
	}
	for i, r := range results {
		require.Equal(t, float32(i), values(t, r)[0])
	}
}

// TestDynamicResultsAreNotCopied checks the same of results whose shape is known only
// after Run.
func TestDynamicResultsAreNotCopied(t *testing.T) {
	e := echo(t)
	var wrote *common.Tensor
	e.Run = func(_ context.Context, _ int, in, out []*common.Tensor) error {
		require.Nil(t, out[0])
		wrote = in[0].Clone()
		out[0] = wrote
		return nil
	}
	m := load(t, e, nil)
	for _, rows := range []int{1, 1, 2, 2, 1} {
		out, err := m.Run(ctx, common.Tensors{"x": floats(t, make([]float32, 2*rows), rows, 2)})
		require.NoError(t, err)
		require.Same(t, wrote, out["y"])
	}
}
