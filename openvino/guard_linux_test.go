// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
)

// guarded is a tensor's memory at the end of what may be touched: reading or
// writing behind it ends the process.
func guarded(t *testing.T, info common.TensorInfo, shape common.Shape) *common.Tensor {
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
		return tensor(t, unsafe.Slice((*float32)(first), shape.Elems()), shape...)
	case common.Int8:
		return tensor(t, unsafe.Slice((*int8)(first), shape.Elems()), shape...)
	}
	t.Fatal(info.DType)
	return nil
}

// TestNothingBehindTensors: OpenVINO neither reads nor writes behind a tensor,
// which is why the engine is registered with UnpaddedTensors.
func TestNothingBehindTensors(t *testing.T) {
	e := open(t)
	for _, c := range []struct {
		model  string
		shapes []common.Shape
	}{
		{"digits.xml", []common.Shape{{1, 1, 8, 8}}},
		{"digits_qdq.xml", []common.Shape{{1, 1, 8, 8}}},
		{"digits_dynamic.onnx", []common.Shape{{1, 1, 8, 8}, {3, 1, 8, 8}, {17, 1, 8, 8}}},
	} {
		t.Run(c.model, func(t *testing.T) {
			s := session(t, load(t, e, file(c.model), &common.Options{Threads: 1}))
			sig := s.Signature()
			for _, shape := range c.shapes {
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
		})
	}
}
