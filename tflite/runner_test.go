// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"log/slog"
	"runtime"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/stretchr/testify/require"
)

// TestRunnerAllocatesNothing: a Run of a signature beyond the first subgraph allocates nothing, also where it has
// dynamic outputs and so finds each tensor by its name. testdata has no model with both, so the test sets
// dynamicOutputs.
func TestRunnerAllocatesNothing(t *testing.T) {
	enginetest.Require(t, spec.Engine)
	d, err := open(common.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer d.Close()
	files, err := common.OpenFiles(t.Context(), enginetest.File(t, "functions.tflite"), false)
	require.NoError(t, err)
	defer files.Release()
	m, err := d.Load(t.Context(), files, common.Options{Threads: 1})
	require.NoError(t, err)
	defer m.Close()
	for _, dynamic := range []bool{false, true} {
		s, err := m.NewSession(t.Context(), 1)
		require.NoError(t, err)
		defer s.Close()
		require.NotZero(t, s.(*session).interpreter.runner)
		s.(*session).dynamicOutputs = dynamic
		in := enginetest.Random(t, 1, common.Float32, 1, 16, 16, 1)
		out := []*common.Tensor{nil}
		require.NoError(t, s.Bind([]*common.Tensor{in}, out))
		require.Equal(t, dynamic, out[0] == nil)
		runtime.GC() // the names that the calls read must not be collected
		enginetest.NoAllocations(t, func() error { return s.Run(t.Context()) })
		require.Equal(t, common.Shape{1, 8, 8, 1}, out[0].Shape())
	}
}
