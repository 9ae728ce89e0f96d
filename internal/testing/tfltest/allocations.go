// SPDX-License-Identifier: Apache-2.0

package tfltest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// RequireNoAllocations calls f, which may allocate the first time only. The race
// detector and AddressSanitizer allocate, so with them it does nothing more.
func RequireNoAllocations(t *testing.T, f func() error) {
	t.Helper()
	var err error
	n := testing.AllocsPerRun(100, func() {
		if e := f(); e != nil {
			err = e
		}
	})
	require.NoError(t, err)
	if !instrumented {
		require.Zero(t, n, "allocations")
	}
}
