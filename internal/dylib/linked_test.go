// SPDX-License-Identifier: Apache-2.0

//go:build linux

package dylib

import (
	"testing"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

func TestLinkedLibrary(t *testing.T) {
	strlen, err := processSymbol("strlen")
	require.NoError(t, err)
	spec := Spec{Engine: "linked", Stem: "nowhere"}
	table := []Decl{{C: "size_t strlen(const char *s)"}, {C: "void absent(void)", Since: "never"}}
	Link(spec.Engine, []unsafe.Pointer{pointer(strlen), nil})
	t.Cleanup(func() { delete(linked, spec.Engine) })

	t.Setenv(spec.Env(), "/nowhere")
	lib, err := Open(spec, table, "")
	require.NoError(t, err)
	require.Equal(t, "linked", lib.Path)
	require.EqualValues(t, 4, lib.Call(0, String("four")))
	require.False(t, lib.Has(1))

	_, err = Open(spec, table, "/nowhere/liblinked.so")
	require.ErrorIs(t, err, common.ErrOption)
	require.EqualError(t, err, "linked: open /nowhere/liblinked.so: option not usable: Config.Library is set, "+
		"but this program has its library linked in; leave Config.Library empty, or build without -tags linked")
}
