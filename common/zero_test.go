// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// TestZeroValues checks that nil and zero engines, models and sessions return ErrClosed
// and can be closed, as they may be used after an unchecked error.
func TestZeroValues(t *testing.T) {
	for _, e := range []*common.Engine{nil, {}} {
		require.NoError(t, e.Close())
		require.Empty(t, e.Info())
		_, err := e.Load(ctx, common.Bytes([]byte("x")), nil)
		require.ErrorIs(t, err, common.ErrClosed)
		_, err = e.Property("x")
		require.ErrorIs(t, err, common.ErrClosed)
	}
	for _, m := range []*common.Model{nil, {}} {
		require.NoError(t, m.Close())
		require.Empty(t, m.Info())
		require.Empty(t, m.Engine())
		require.Empty(t, m.Signatures())
		_, err := m.Run(ctx, nil)
		require.ErrorIs(t, err, common.ErrClosed)
		_, err = m.NewSession(ctx, "")
		require.ErrorIs(t, err, common.ErrClosed)
		_, err = m.Property("x")
		require.ErrorIs(t, err, common.ErrClosed)
	}
	for _, s := range []*common.Session{nil, {}} {
		require.NoError(t, s.Close())
		require.Nil(t, s.Input(0))
		require.Nil(t, s.Output(0))
		require.Empty(t, s.Signature())
		require.ErrorIs(t, s.Run(ctx), common.ErrClosed)
		require.ErrorIs(t, s.BindInput(0, nil), common.ErrClosed)
		_, err := s.Profile()
		require.ErrorIs(t, err, common.ErrClosed)
	}
	var nilCtx context.Context // a nil context is allowed
	files, err := common.OpenFiles(nilCtx, common.Bytes([]byte("x")), false)
	require.NoError(t, err)
	files.Release()
	var zero common.Tensor
	require.Zero(t, zero.Len())
	require.Nil(t, zero.Shape())
	_, err = common.Data[float32](&zero)
	require.ErrorIs(t, err, common.ErrDType)
	require.NotEmpty(t, (&common.Error{Message: "x"}).Error())
	require.Equal(t, common.Shape{-1}, common.ShapeRange{Min: common.Shape{1}}.Shape())
	require.False(t, common.ShapeRange{Min: common.Shape{1}}.Contains(common.Shape{1}))
	e := &common.Engine{}
	_, err = e.Load(ctx, common.FS(nil, "m.xml"), nil)
	require.Error(t, err)
}
