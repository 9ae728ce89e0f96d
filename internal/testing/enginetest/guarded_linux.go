// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// NothingBehind runs a model on inputs of these shapes, with tensors behind whose last element any access ends
// the process. An engine that is registered with UnpaddedTensors must pass.
func NothingBehind(t *testing.T, m *common.Model, shapes ...common.Shape) {
	t.Helper()
	s := NewSession(t, m)
	sig := s.Signature()
	for _, shape := range shapes {
		require.NoError(t, s.BindInput(0, guarded(t, sig.Inputs[0], shape)))
		for i, info := range sig.Outputs {
			out := append(common.Shape{}, info.Shape...)
			if out.Dynamic() {
				out[0] = shape[0]
			}
			require.NoError(t, s.BindOutput(i, guarded(t, info, out)))
		}
		for range 3 {
			require.NoError(t, s.Run(ctx))
		}
	}
}

func guarded(t *testing.T, info common.TensorInfo, shape common.Shape) (x *common.Tensor) {
	size := shape.Elems() * info.DType.Size()
	page := syscall.Getpagesize()
	whole := (size + page - 1) / page * page
	memory, err := syscall.Mmap(-1, 0, whole+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Munmap(memory)) })
	require.NoError(t, syscall.Mprotect(memory[whole:], syscall.PROT_NONE))
	first := unsafe.Pointer(&memory[whole-size])
	switch info.DType {
	case common.Float32:
		x, err = common.FromSlice(unsafe.Slice((*float32)(first), shape.Elems()), shape...)
	case common.Int8:
		x, err = common.FromSlice(unsafe.Slice((*int8)(first), shape.Elems()), shape...)
	}
	require.NoError(t, err)
	return x
}
