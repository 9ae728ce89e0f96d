// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"math"
	"runtime"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

func TestShape(t *testing.T) {
	const big = math.MaxInt/2 + 1
	for _, c := range []struct {
		shape   common.Shape
		elems   int
		dynamic bool
		text    string
	}{
		{nil, -1, true, "[...]"},
		{common.Shape{}, 1, false, "[]"},
		{common.Shape{3}, 3, false, "[3]"},
		{common.Shape{2, 0, 4}, 0, false, "[2 0 4]"},
		{common.Shape{1, -1, 3}, -1, true, "[1 ? 3]"},
		{common.Shape{2, -7}, -1, false, "[2 ?]"},
		{common.Shape{math.MaxInt}, math.MaxInt, false, ""},
		{common.Shape{big, 2}, -1, false, ""},
		{common.Shape{1 << 16, 1 << 16, 1 << 16, 1 << 16}, -1, false, ""},
		{common.Shape{math.MaxInt, math.MaxInt, math.MaxInt}, -1, false, ""},
	} {
		require.Equal(t, c.elems, c.shape.Elems(), "%#v", c.shape)
		require.Equal(t, c.dynamic, c.shape.Dynamic(), "%#v", c.shape)
		if c.text != "" {
			require.Equal(t, c.text, c.shape.String())
		}
	}
}

func TestShapeAccepts(t *testing.T) {
	for _, c := range []struct {
		want, have common.Shape
		ok         bool
	}{
		{nil, common.Shape{1, 2}, true},
		{nil, common.Shape{}, true},
		{common.Shape{}, common.Shape{}, true},
		{common.Shape{}, common.Shape{1}, false},
		{common.Shape{-1, 3}, common.Shape{9, 3}, true},
		{common.Shape{-1, 3}, common.Shape{9, 4}, false},
		{common.Shape{-1, 3}, common.Shape{3}, false},
		{common.Shape{1}, common.Shape{1, 1}, false},
	} {
		require.Equal(t, c.ok, c.want.Accepts(c.have), "%v for %v", c.have, c.want)
	}
}

func TestShapeRange(t *testing.T) {
	r := common.ShapeRange{Min: common.Shape{1, 3, 8}, Opt: common.Shape{4, 3, 8}, Max: common.Shape{8, 3, 16}}
	require.Equal(t, common.Shape{-1, 3, -1}, r.Shape())
	require.Equal(t, "[1 3 8]..[8 3 16]", r.String())
	require.True(t, r.Contains(common.Shape{8, 3, 8}))
	require.False(t, r.Contains(common.Shape{9, 3, 8}))
	require.False(t, r.Contains(common.Shape{1, 2, 8}))
	require.False(t, r.Contains(common.Shape{1, 3}))
	require.False(t, r.Contains(nil))
	f := common.Fixed(2, 3)
	require.Equal(t, "[2 3]", f.String())
	require.Equal(t, common.Shape{2, 3}, f.Shape())
	require.True(t, common.Fixed(1).Contains(common.Shape{1}))
}

func TestInvalidOptions(t *testing.T) {
	e := open(t, echo(t))
	s := func(dims ...int) common.Shape { return dims }
	for name, o := range map[string]common.Options{
		"threads":       {Threads: -1},
		"many threads":  {Threads: 1 << 20},
		"sessions":      {Sessions: -1},
		"many sessions": {Sessions: 1 << 20},
		"precision":     {Precision: common.Int8},
		"no precision":  {Precision: 99},
		"rank":          {Shapes: map[string]common.ShapeRange{"x": {Min: s(1), Opt: s(1, 2), Max: s(1)}}},
		"empty range":   {Shapes: map[string]common.ShapeRange{"x": {}}},
		"max below min": {Shapes: map[string]common.ShapeRange{"x": {Min: s(3), Opt: s(3), Max: s(2)}}},
		"opt outside":   {Shapes: map[string]common.ShapeRange{"x": {Min: s(1), Opt: s(9), Max: s(2)}}},
		"dynamic":       {Shapes: map[string]common.ShapeRange{"x": common.Fixed(-1)}},
		"max too large": {Shapes: map[string]common.ShapeRange{"x": {Min: s(1, 1), Opt: s(1, 1), Max: s(math.MaxInt, 2)}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.Load(context.Background(), common.Bytes([]byte("m")), &o)
			require.ErrorIs(t, err, common.ErrOption)
			var typed *common.Error
			require.ErrorAs(t, err, &typed)
			require.Equal(t, "load", typed.Op)
			require.NotEmpty(t, typed.Message)
		})
	}
}

func TestThreadsPerRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	for want, o := range map[int]common.Options{8: {}, 4: {Sessions: 2}, 2: {Sessions: 3}, 1: {Sessions: 20}, 3: {Threads: 3, Sessions: 2}} {
		require.Equal(t, want, o.ThreadsPerRun(), "%+v", o)
	}
}
