// SPDX-License-Identifier: Apache-2.0

package cengine

import (
	"reflect"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// TestCancelable checks that type cancelable has all methods of session, and that
// only cancelable implements Canceler.
func TestCancelable(t *testing.T) {
	all := reflect.TypeFor[cancelable]()
	for m := range reflect.TypeFor[*session]().Methods() {
		_, has := all.MethodByName(m.Name)
		require.True(t, has, m.Name)
	}
	require.Implements(t, (*common.Canceler)(nil), cancelable{})
	require.NotImplements(t, (*common.Canceler)(nil), &session{})
}
