// SPDX-License-Identifier: Apache-2.0

//go:build leakprofile

package common_test

import (
	"bytes"
	"runtime/pprof"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLeakProfile(t *testing.T) {
	before := openCounts(t)
	m := load(t, echo(t), nil)
	s := newSession(t, m)
	require.Equal(t, [3]int{before[0] + 1, before[1] + 1, before[2] + 1}, openCounts(t))
	var text bytes.Buffer
	require.NoError(t, pprof.Lookup("anyinfer.sessions").WriteTo(&text, 1))
	require.Contains(t, text.String(), "TestLeakProfile", "the profile lacks the stack that created the session")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.Equal(t, [3]int{before[0] + 1, before[1] + 1, before[2]}, openCounts(t))
	require.NoError(t, m.Close())
	require.Equal(t, [3]int{before[0] + 1, before[1], before[2]}, openCounts(t))
}

// openCounts returns the numbers of open engines, models and sessions.
func openCounts(t *testing.T) (n [3]int) {
	t.Helper()
	for i, name := range []string{"engines", "models", "sessions"} {
		n[i] = pprof.Lookup("anyinfer." + name).Count()
	}
	return n
}
