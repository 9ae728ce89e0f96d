// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
)

func TestMake(t *testing.T) {
	infos := []common.TensorInfo{{Name: "a", DType: common.Float32, Shape: common.Shape{-1, 2}}, {Name: "b", DType: common.Int8, Shape: common.Shape{3}}}
	given, err := common.FromSlice([]int8{1, 2, 3}, 3)
	require.NoError(t, err)
	in := Inputs{Tensors: common.Tensors{"b": given}, Shapes: map[string]common.Shape{"a": {4, 2}}}
	tensors, err := in.Make(nil, infos)
	require.NoError(t, err)
	require.Equal(t, common.Shape{4, 2}, tensors[0].Shape())
	require.Same(t, given, tensors[1])
	again, err := in.Make(nil, infos)
	require.NoError(t, err)
	require.Equal(t, tensors[0].Bytes(), again[0].Bytes(), "random data is the same in every run")
	tensors, err = Inputs{}.Make(nil, infos)
	require.NoError(t, err)
	require.Equal(t, common.Shape{1, 2}, tensors[0].Shape())

	_, err = Inputs{Tensors: common.Tensors{"bb": given}}.Make(nil, infos)
	require.EqualError(t, err, `--input: the model has no input "bb"; did you mean a or b?`)
	_, err = Inputs{Shapes: map[string]common.Shape{"image": {1}}}.Make(nil, infos)
	require.EqualError(t, err, `--shape: the model has no input "image"; there are: a, b`)
	_, err = Inputs{}.Make(nil, []common.TensorInfo{{Name: "c", DType: common.Float32}})
	require.ErrorContains(t, err, "--shape c=1,2,3")
}

func TestExplain(t *testing.T) {
	infos := []common.TensorInfo{{Name: "a", Shape: common.Shape{-1, 2}}, {Name: "b", Shape: common.Shape{3}}, {Name: "c", Shape: common.Shape{-1}}}
	failed := &common.Error{Kind: common.ErrRun, Message: "no"}
	err := Inputs{}.Explain(failed, infos)
	require.ErrorIs(t, err, failed)
	require.EqualError(t, err, "run failed: no\n  fix: dynamic dimensions had length 1; set them with --shape a=... --shape c=...")
	set := Inputs{Shapes: map[string]common.Shape{"a": {1, 2}}, Tensors: common.Tensors{"c": {}}}
	require.Equal(t, error(failed), set.Explain(failed, infos), "the user has set all")
	require.Equal(t, context.Canceled, Inputs{}.Explain(context.Canceled, infos))
	require.NoError(t, Inputs{}.Explain(nil, infos))
}

func TestReshape(t *testing.T) {
	scan, err := common.FromSlice(make([]float32, 64), 1, 1, 8, 8)
	require.NoError(t, err)
	for _, test := range []struct {
		want, got common.Shape
	}{
		{common.Shape{1, 8, 8, 1}, common.Shape{1, 8, 8, 1}},
		{common.Shape{-1, 1, 8, 8}, common.Shape{1, 1, 8, 8}},
		{common.Shape{1, 64}, common.Shape{1, 1, 8, 8}}, // not the same thing: common refuses it
	} {
		fitted, err := reshape(scan, test.want)
		require.NoError(t, err)
		require.Equal(t, test.got, fitted.Shape())
	}
}
