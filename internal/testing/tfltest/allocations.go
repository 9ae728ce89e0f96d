// SPDX-License-Identifier: Apache-2.0

package tfltest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// RequireNoAllocations requires that f allocates at most in its first call. The race detector and AddressSanitizer
// allocate themselves, so with them it only calls f.
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
