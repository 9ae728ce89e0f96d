// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate_test

import (
	"context"
	"testing"
	"time"

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

// TestCloseWhileRestarting checks that Close waits for no session that waits for another child.
func TestCloseWhileRestarting(t *testing.T) {
	m := load(t, &isolate.Options{LoadTime: time.Minute}, nil)
	t.Setenv("ANYINFER_TEST_SLOW", "1")
	_, _, err := run(t, m, "crash")
	require.ErrorIs(t, err, common.ErrCrashed)
	result := make(chan error)
	go func() {
		_, err := m.NewSession(context.Background(), "")
		result <- err
	}()
	time.Sleep(300 * time.Millisecond)
	begin := time.Now()
	closed := make(chan error)
	go func() { closed <- m.Close() }()
	require.ErrorIs(t, <-result, common.ErrClosed)
	require.NoError(t, <-closed)
	require.Less(t, time.Since(begin), 20*time.Second)
}
