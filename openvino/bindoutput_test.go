// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
)

func requireNoAllocations(t *testing.T, s *common.Session) {
	t.Helper()
	enginetest.NoAllocations(t, func() error { return s.Run(ctx) })
}

func TestBindOutput(t *testing.T) {
	s := session(t, load(t, open(t), common.Bytes(ir("f32", "4", relu)), nil))
	in, own := data[float32](t, s.Input(0)), s.Output(0)
	first, second := tensor(t, make([]float32, 4)), tensor(t, make([]float32, 4))
	for i, out := range []*common.Tensor{first, second, first, nil, second} {
		require.NoError(t, s.BindOutput(0, out))
		copy(in, []float32{-1, float32(i), 2, 3})
		require.NoError(t, s.Run(ctx))
		if out != nil {
			require.Same(t, out, s.Output(0))
		}
		require.Equal(t, []float32{0, float32(i), 2, 3}, data[float32](t, s.Output(0)))
		requireNoAllocations(t, s)
		runtime.GC()
	}
	require.Equal(t, []float32{0, 2, 2, 3}, data[float32](t, first), "written only while it was bound")
	require.Equal(t, []float32{0, 0, 0, 0}, data[float32](t, own))
}

// TestTensorsOfAnyMemory: inputs and outputs are used in place wherever they begin,
// and nothing around them is touched.
func TestTensorsOfAnyMemory(t *testing.T) {
	e := open(t)
	s := session(t, load(t, e, common.Bytes(ir("u8", "37", same("u8"))), nil))
	for off := range 9 {
		memory := make([]byte, 128)
		for i := range memory {
			memory[i] = byte(i) | 0x80
		}
		from, to := memory[off:off+37:off+37], memory[80-off:80-off+37:80-off+37]
		require.NoError(t, s.BindInput(0, tensor(t, from)))
		require.NoError(t, s.BindOutput(0, tensor(t, to)))
		require.NoError(t, s.Run(ctx))
		require.Equal(t, from, to)
		for i, b := range memory {
			if i < 80-off || i >= 80-off+37 {
				require.Equal(t, byte(i)|0x80, b, "byte %d", i)
			}
		}
		requireNoAllocations(t, s)
	}

	const large = 1 << 20                                               // elements
	s = session(t, load(t, e, common.Bytes(ir("f32", "?", relu)), nil)) // which has no tensors of its own
	from, to := make([]float32, large+1), make([]float32, large+1)
	from[1] = 5
	require.NoError(t, s.BindInput(0, tensor(t, from[1:])))
	require.NoError(t, s.BindOutput(0, tensor(t, to[1:])))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.NoError(t, s.Run(ctx))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(large), "bytes: a copy of one would take 4 MiB")
	require.EqualValues(t, 5, to[1])
}

// TestBindOutputOfDynamicShape: what is bound is kept where the result has its
// shape, whether the model's inputs tell that or only running does.
func TestBindOutputOfDynamicShape(t *testing.T) {
	e := open(t)
	for name, c := range map[string]struct {
		s *common.Session
		// input makes one whose result has n elements.
		input func(n int) *common.Tensor
		shape func(n int) []int
	}{
		"inputs": {session(t, load(t, e, common.Bytes(ir("i64", "?,2", same("i64"))), nil)),
			func(n int) *common.Tensor { return tensor(t, make([]int64, n), n/2, 2) },
			func(n int) []int { return []int{n / 2, 2} }},
		"data": {session(t, load(t, e, file("nonzero.onnx"), nil)),
			func(n int) *common.Tensor {
				x := make([]float32, 6)
				for i := range n {
					x[i] = 1
				}
				return tensor(t, x)
			},
			func(n int) []int { return []int{n, 1} }},
	} {
		t.Run(name, func(t *testing.T) {
			memory := make([]int64, 7)
			out := tensor(t, memory[1:5:5], c.shape(4)...)
			require.NoError(t, c.s.BindOutput(0, out))
			for range 2 {
				require.NoError(t, c.s.BindInput(0, c.input(4)))
				for i := range memory {
					memory[i] = -1
				}
				require.NoError(t, c.s.Run(ctx))
				require.Same(t, out, c.s.Output(0))
				require.NotContains(t, memory[1:5], int64(-1))
				require.Equal(t, []int64{-1, -1, -1}, append(memory[5:7:7], memory[0]))
				requireNoAllocations(t, c.s)

				require.NoError(t, c.s.BindInput(0, c.input(6)))
				require.ErrorIs(t, c.s.Run(ctx), common.ErrShape)
				require.Equal(t, common.Shape(c.shape(6)), c.s.Output(0).Shape(), "the result is there")
			}
			require.NoError(t, c.s.BindOutput(0, nil))
			require.NoError(t, c.s.Run(ctx))
			require.Equal(t, common.Shape(c.shape(6)), c.s.Output(0).Shape())
			require.NotSame(t, out, c.s.Output(0))
		})
	}
}

// TestBindOutputAndReset: Reset takes a new infer request, which writes where the
// old one did.
func TestBindOutputAndReset(t *testing.T) {
	s := session(t, load(t, open(t), common.Bytes([]byte(accumulator), make([]byte, 8)).As("openvino"), nil))
	copy(data[float32](t, s.Input(0)), []float32{1, 2})
	out := make([]float32, 3)
	require.NoError(t, s.BindOutput(0, tensor(t, out[1:])))
	for range 3 {
		for i := range 3 {
			require.NoError(t, s.Run(ctx))
			require.Equal(t, []float32{0, float32(i + 1), 2 * float32(i+1)}, out)
		}
		require.NoError(t, s.Reset())
	}
}

// TestEmptyTensorsBound: a tensor without elements has no memory.
func TestEmptyTensorsBound(t *testing.T) {
	e := open(t)
	s := session(t, load(t, e, common.Bytes(ir("f32", "0,3", relu)), nil))
	for _, empty := range [][]float32{nil, {}, make([]float32, 1)[:0]} {
		require.NoError(t, s.BindInput(0, tensor(t, empty, 0, 3)))
		require.NoError(t, s.BindOutput(0, tensor(t, empty, 0, 3)))
		require.NoError(t, s.Run(ctx))
	}
	s = session(t, load(t, e, common.Bytes(ir("f32", "?,3", relu)), nil))
	for _, empty := range [][]float32{nil, {}, make([]float32, 1)[:0]} {
		require.NoError(t, s.BindInput(0, tensor(t, empty, 0, 3)))
		require.NoError(t, s.BindOutput(0, tensor(t, empty, 0, 3)))
		require.NoError(t, s.Run(ctx))
	}
}
