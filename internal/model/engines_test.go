// SPDX-License-Identifier: Apache-2.0

package model

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
)

// TestNotSupported has an engine that needs another processor.
func TestNotSupported(t *testing.T) {
	t.Setenv("ANYINFER_SDK_DIR", t.TempDir())
	t.Setenv("ANYINFER_LITERT_LIBRARY", "")
	refused := &common.Error{Engine: "litert", Kind: common.ErrNotAvailable, Message: "needs a newer processor"}
	require.False(t, LibraryMissing(refused), "installing it would not help")
	require.True(t, NotSupported("litert", refused))
	require.False(t, NotSupported("litert", &common.Error{Kind: common.ErrNotAvailable, Searched: []string{"nowhere"}}))
	require.False(t, NotSupported("litert", &common.Error{Kind: common.ErrNotAvailable, Path: "libx.so"}))
	require.False(t, NotSupported("litert", nil))
	t.Setenv("ANYINFER_LITERT_LIBRARY", "x")
	require.False(t, NotSupported("litert", refused), "a library that the user names is expected to work")
}
