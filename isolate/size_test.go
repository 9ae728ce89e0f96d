// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate

import (
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// TestResultsOverlap checks that all results together are no larger than the memory with them, so that a child with many
// outputs has the program allocate no more.
func TestResultsOverlap(t *testing.T) {
	output := common.TensorInfo{DType: common.Float32, Shape: common.Shape{-1}}
	s := &session{
		signature: common.Signature{Outputs: []common.TensorInfo{output, output}}, out: make([]*common.Tensor, 2),
		results: &shared{make([]byte, 64)}, shape: make(common.Shape, maxRank),
	}
	left := uint64(64)
	r := result{loose: 1, rank: 1, size: 40, dims: [maxRank]int64{10}}
	require.NoError(t, s.readLoose(0, r, &left))
	require.ErrorIs(t, s.readLoose(1, r, &left), errAnswer)
	left, r.dims[0] = 64, 40
	require.ErrorIs(t, s.readLoose(1, r, &left), errAnswer, "each byte is an element")
	require.Nil(t, s.out[1])
}

// TestManyTensors checks that a child cannot describe so many tensors that comparing them takes hours.
func TestManyTensors(t *testing.T) {
	r := loadResult{Signatures: []common.Signature{{Inputs: make([]common.TensorInfo, maxTensors)}}}
	for i := range r.Signatures[0].Inputs {
		r.Signatures[0].Inputs[i] = common.TensorInfo{DType: common.Float32, Shape: common.Shape{}}
	}
	require.ErrorIs(t, r.check(&Options{}), common.ErrModel)
	r.Signatures[0].Inputs = r.Signatures[0].Inputs[1:]
	require.NoError(t, r.check(&Options{}))
}
