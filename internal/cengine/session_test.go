// SPDX-License-Identifier: Apache-2.0

package cengine

import (
	"reflect"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// TestCancelable: a session that can be interrupted has all that others have,
// and only it is a Canceler.
func TestCancelable(t *testing.T) {
	all := reflect.TypeFor[cancelable]()
	for m := range reflect.TypeFor[*session]().Methods() {
		_, has := all.MethodByName(m.Name)
		require.True(t, has, m.Name)
	}
	require.Implements(t, (*common.Canceler)(nil), cancelable{})
	require.NotImplements(t, (*common.Canceler)(nil), &session{})
}
