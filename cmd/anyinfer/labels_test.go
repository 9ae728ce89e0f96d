// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
)

func TestTop(t *testing.T) {
	info := common.TensorInfo{Labels: []string{"a", "b", "c"}, Quant: &common.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{10}}}
	require.Equal(t, [][]labelled{
		{{"c", 2, 10}, {"a", 0, 5}, {"b", 1, -5}},
		{{"a", 0, 0}, {"b", 1, 0}, {"c", 2, 0}},
	}, top(info, []float64{20, 0, 30, 10, 10, 10}))
	require.Equal(t, "c (10), a (5), b (-5)", topText(top(info, []float64{20, 0, 30})[0]))
	require.Nil(t, top(info, make([]float64, 4)), "4 elements are not rows of 3 labels")
	require.Nil(t, top(info, make([]float64, 3*(topRows+1))))
	require.Nil(t, top(common.TensorInfo{}, make([]float64, 3)))

	info = common.TensorInfo{Name: "x", Labels: make([]string, 9)}
	scores, err := common.FromSlice(make([]float32, 9), 1, 9)
	require.NoError(t, err)
	require.Len(t, report(info, scores).Top[0], topLabels)
	require.Len(t, report(info, scores).contents(), 1)
}
