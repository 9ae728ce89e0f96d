// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
)

// TestBindContract: what DriverSession says of outputs.
func TestBindContract(t *testing.T) {
	d := openInternal(t)
	tensor := func(shape ...int) *common.Tensor { return enginetest.Random(t, 1, common.Float32, shape...) }
	newSession := func(model string) common.DriverSession {
		m, err := loadInternal(t, t.Context(), d, enginetest.File(t, model), common.Options{})
		require.NoError(t, err)
		s, err := m.NewSession(t.Context(), 0)
		require.NoError(t, err)
		t.Cleanup(func() {
			require.NoError(t, s.Close())
			require.NoError(t, m.Close())
		})
		return s
	}
	t.Run("known shape", func(t *testing.T) {
		s := newSession("digits.onnx")
		in, fits, other := tensor(1, 1, 8, 8), tensor(1, 10), tensor(2, 10)
		out := []*common.Tensor{fits}
		require.NoError(t, s.Bind([]*common.Tensor{in}, out))
		require.Same(t, fits, out[0], "kept")
		require.NoError(t, s.Run(t.Context()))
		require.Same(t, fits, out[0])
		out[0] = other
		require.NoError(t, s.Bind([]*common.Tensor{in}, out))
		require.NotSame(t, other, out[0], "replaced")
		require.Equal(t, common.Shape{1, 10}, out[0].Shape())
		out[0] = nil
		require.NoError(t, s.Bind([]*common.Tensor{in}, out))
		require.NotNil(t, out[0], "made")
		require.NoError(t, s.Run(t.Context()))
		scores, err := common.Data[float32](out[0])
		require.NoError(t, err)
		require.NotZero(t, scores[0])

		require.Error(t, s.Bind([]*common.Tensor{tensor(1, 1, 9, 9)}, out))
		require.NoError(t, s.Bind([]*common.Tensor{in}, out), "after a failed one")
		require.NoError(t, s.Run(t.Context()))
	})
	t.Run("dynamic shape", func(t *testing.T) {
		s := newSession("digits_dynamic.onnx")
		in, fits, other := tensor(2, 1, 8, 8), tensor(2, 10), tensor(3, 10)
		out := []*common.Tensor{nil}
		require.NoError(t, s.Bind([]*common.Tensor{in}, out))
		require.Nil(t, out[0], "Run makes it")
		for range 2 {
			require.NoError(t, s.Run(t.Context()))
			require.Equal(t, common.Shape{2, 10}, out[0].Shape())
			made := out[0]
			require.NoError(t, s.Run(t.Context()))
			require.Same(t, made, out[0])
			require.NoError(t, s.(common.Resetter).Reset())
			require.Same(t, made, out[0])
			out[0] = nil // as package common does with outputs that Run has made
		}
		out[0] = fits
		require.NoError(t, s.Bind([]*common.Tensor{in}, out))
		require.NoError(t, s.Run(t.Context()))
		require.Same(t, fits, out[0], "kept")
		out[0] = other
		require.NoError(t, s.Bind([]*common.Tensor{in}, out))
		require.Same(t, other, out[0], "not known before Run")
		require.NoError(t, s.Run(t.Context()))
		require.Equal(t, common.Shape{2, 10}, out[0].Shape(), "replaced")
	})
}
