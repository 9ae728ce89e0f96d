// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"runtime"
	"syscall"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/stretchr/testify/require"
)

// TestSignalAfterClose: an engine opened on one thread and closed on another
// leaves the first one able to take signals, of which Go sends itself many.
// Where it does not, the process ends here without a word.
func TestSignalAfterClose(t *testing.T) {
	enginetest.Require(t, "openvino")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range 3 {
		e, err := common.Open("openvino", nil)
		require.NoError(t, err)
		closed := make(chan error)
		go func() { closed <- e.Close() }()
		require.NoError(t, <-closed)
		for range 10 {
			require.NoError(t, syscall.Tgkill(syscall.Getpid(), syscall.Gettid(), syscall.SIGURG))
		}
	}
}
