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
	for _, d := range []*driver{newest, withRelease(t, newest, oldest)} {
		t.Run(fmt.Sprint(d.release), func(t *testing.T) {
			files, err := common.OpenFiles(ctx, source(model), false)
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

// TestFollow has outputs with names of inputs' dimensions. They are written in place, unless the names are wrong: then
// the results have their own shapes, also in a session that was made before that was known.
func TestFollow(t *testing.T) {
	d := driverOf(t, nil)
	for name, c := range map[string]struct {
		dims   []any
		shapes [2][]common.Shape // of both inputs in each Run
		copies bool
		wrong  bool // the names
	}{
		"names":         {dims: []any{"n", 3}, shapes: [2][]common.Shape{{{2, 3}, {2, 3}, {4, 3}, {0, 3}}, {{2, 3}, {2, 3}, {4, 3}, {0, 3}}}},
		"no names":      {dims: []any{"", 3}, shapes: [2][]common.Shape{{{2, 3}, {4, 3}}, {{2, 3}, {4, 3}}}, copies: true},
		"the same name": {dims: []any{"?", "?"}, shapes: [2][]common.Shape{{{2, 3}, {4, 3}}, {{2, 3}, {4, 3}}}, copies: true},
		"broadcast":     {dims: []any{"n", 3}, shapes: [2][]common.Shape{{{4, 3}, {1, 3}, {1, 3}}, {{4, 3}, {4, 3}, {4, 3}}}, copies: true, wrong: true},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := common.OpenFiles(ctx, source(onnx([]value{{"a", float, c.dims}, {"b", float, c.dims}}, []value{{"y", float, c.dims}},
				node{op: "Add", ins: []string{"a", "b"}, outs: []string{"y"}})), false)
			require.NoError(t, err)
			m, err := d.Load(ctx, files, common.Options{})
			require.NoError(t, err)
			defer m.Close()
			var sessions []*session
			for range 2 {
				s, err := m.NewSession(ctx, 0)
				require.NoError(t, err)
				defer s.Close()
				sessions = append(sessions, s.(*session))
			}
			for _, s := range sessions {
				out := make([]*common.Tensor, 1)
				for i, shape := range c.shapes[0] {
					one := make([]float32, shape.Elems())
					for j := range one {
						one[j] = 1
					}
					other := c.shapes[1][i]
					b, want := make([]float32, other.Elems()), make([]float32, other.Elems())
					for j := range b {
						b[j], want[j] = float32(j), float32(j+1)
					}
					require.NoError(t, s.Bind([]*common.Tensor{tensor(t, one, shape...), tensor(t, b, other...)}, out))
					require.NoError(t, s.Run(ctx))
					require.Equal(t, other, out[0].Shape())
					require.Equal(t, want, data[float32](t, out[0]))
					enginetest.NoAllocations(t, func() error { return s.Run(ctx) })
				}
				require.Equal(t, c.copies, s.fetches)
				require.Equal(t, c.wrong, s.model.wrongShapes.Load())
			}
		})
	}
}
