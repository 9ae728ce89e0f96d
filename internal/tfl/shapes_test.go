// SPDX-License-Identifier: Apache-2.0

package tfl

import (
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// halvingInterpreter is an interpreter of a model whose output has half the length of its input.
type halvingInterpreter struct {
	length  int32
	resizes int // calls of Resize
	closed  bool
}

func (h *halvingInterpreter) SetSignature(int) error { return nil }
func (h *halvingInterpreter) InputShape(int) (common.Shape, error) {
	return common.Shape{int(h.length)}, nil
}
func (h *halvingInterpreter) Close() { h.closed = true }

func (h *halvingInterpreter) Resize(_ int, dims []int32) error {
	h.length = dims[0]
	h.resizes++
	return nil
}

func (h *halvingInterpreter) Allocate(error) ([]common.Shape, bool, error) {
	return []common.Shape{{int(h.length / 2)}}, false, nil
}

func inputs(t *testing.T, length int) []*common.Tensor {
	x, err := common.NewTensor(common.Float32, length)
	require.NoError(t, err)
	return []*common.Tensor{x}
}

// TestInputShapes checks that new shapes are tried on a reference interpreter. It is created for the first new shape
// and, if shapes are fixed, closed after it. The session's interpreter never gets a shape that is refused.
func TestInputShapes(t *testing.T) {
	for _, length := range []int{-1, 4} {
		var references []*halvingInterpreter
		s := &Signature{Signature: common.Signature{
			Inputs: []common.TensorInfo{{Name: "x", Shape: common.Shape{length}}}, Outputs: []common.TensorInfo{{Name: "y"}},
		}}
		s.Outputs[0].Shape = common.Shape{2}
		shapes := NewInputShapes(s, func() (Interpreter, error) {
			references = append(references, &halvingInterpreter{length: 4})
			return references[len(references)-1], nil
		})
		ip := &halvingInterpreter{length: 4}
		require.NoError(t, shapes.SetInterpreter(ip))
		require.Equal(t, length > 0, shapes.Equal(inputs(t, 4)), "the shape of a dynamic input must be unknown until it is set")
		require.ErrorIs(t, shapes.Validate(inputs(t, 1)), common.ErrShape)
		require.ErrorContains(t, shapes.Validate(inputs(t, 1)), `output "y" would have the shape [0]`)
		require.Zero(t, ip.resizes)

		require.NoError(t, shapes.Validate(inputs(t, 8)))
		outputs, dynamic, err := shapes.Resize(inputs(t, 8), false)
		require.NoError(t, err)
		require.False(t, dynamic)
		require.Equal(t, []common.Shape{{4}}, outputs)
		_, _, err = shapes.Resize(inputs(t, 8), false)
		require.NoError(t, err)
		require.Equal(t, 1, ip.resizes, "only a new shape must be passed to Resize")
		require.NoError(t, shapes.Validate(inputs(t, 8)), "a validated shape must be accepted")

		_, _, err = shapes.Resize(inputs(t, 1), false)
		require.ErrorIs(t, err, common.ErrShape)
		_, _, err = shapes.Resize(inputs(t, 1), true)
		require.NoError(t, err, "shapes of dynamic outputs must be accepted")

		shapes.Close()
		require.Len(t, references, map[int]int{-1: 1, 4: 3}[length])
		for _, r := range references {
			require.True(t, r.closed)
		}
		require.False(t, ip.closed)
	}
}
