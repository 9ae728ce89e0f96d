// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
)

// TestFetch has an output whose rank is known only after a Run, with each of the two ways to read its shape. A Run
// allocates only where that has changed.
func TestFetch(t *testing.T) {
	model := onnx([]value{{"x", float, []any{"n"}}, {"shape", int64s, []any{"rank"}}}, []value{{"y", float, []any{"..."}}},
		node{op: "Reshape", ins: []string{"x", "shape"}, outs: []string{"y"}})
	newest := driverOf(t, nil)
	for _, d := range []*driver{newest, withRelease(t, newest, 23)} {
		t.Run(fmt.Sprint(d.release), func(t *testing.T) {
			files, err := common.OpenFiles(ctx, source(model))
			require.NoError(t, err)
			m, err := d.Load(ctx, files, common.Options{})
			require.NoError(t, err)
			defer m.Close()
			s, err := m.NewSession(ctx, 0)
			require.NoError(t, err)
			defer s.Close()
			out := make([]*common.Tensor, 1)
			for _, want := range []common.Shape{{}, {2, 3}, {6}, {}, {1, 1, 2, 1, 1, 2, 1, 1}, {0, 2}} {
				x, dims := make([]float32, want.Elems()), make([]int64, len(want))
				for i := range x {
					x[i] = float32(i + 1)
				}
				for i, n := range want {
					dims[i] = int64(n)
				}
				require.NoError(t, s.Bind([]*common.Tensor{tensor(t, x, len(x)), tensor(t, dims, len(dims))}, out))
				require.NoError(t, s.Run(ctx))
				require.Equal(t, want, out[0].Shape())
				require.Equal(t, x, data[float32](t, out[0]))
				first := out[0]
				enginetest.NoAllocations(t, func() error { return s.Run(ctx) })
				require.Same(t, first, out[0])
			}
		})
	}
}
