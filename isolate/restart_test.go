// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/isolate"
	"github.com/stretchr/testify/require"
)

func session(t *testing.T, m *common.Model, action string) *common.Session {
	t.Helper()
	s, err := m.NewSession(t.Context(), "")
	require.NoError(t, err)
	in := inputs(t, action, 1)
	require.NoError(t, s.BindInput(0, in["action"]))
	require.NoError(t, s.BindInput(1, in["x"]))
	return s
}

// TestProfileWithoutChild checks that a session that is in no child has no profile.
func TestProfileWithoutChild(t *testing.T) {
	s := session(t, load(t, &isolate.Options{Restarts: -1}, &common.Options{Profile: true}), "crash")
	require.ErrorIs(t, s.Run(t.Context()), common.ErrCrashed)
	require.ErrorIs(t, s.Run(t.Context()), common.ErrCrashed)
	times, err := s.Profile()
	require.NoError(t, err)
	require.Empty(t, times)
}

// TestBindFailsAgain checks that no session runs that the next child did not bind: it could return the last child's results.
func TestBindFailsAgain(t *testing.T) {
	s := session(t, load(t, nil, nil), "hello")
	require.NoError(t, s.Run(t.Context()))
	t.Setenv("ANYINFER_TEST_REFUSE", "1")
	action, err := common.Data[string](s.Input(0))
	require.NoError(t, err)
	action[0] = "crash"
	require.ErrorIs(t, s.Run(t.Context()), common.ErrCrashed)
	for range 3 {
		require.ErrorIs(t, s.Run(t.Context()), common.ErrShape)
	}
}
