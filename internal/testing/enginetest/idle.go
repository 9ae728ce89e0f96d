// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// idle has 64 sessions that have run and now wait: nothing in the process
// wakes up for them.
func (s *suite) idle(t *testing.T) {
	s.with(t, "digits", func(loaded *common.Model, m entry, format string) {
		c, cancel := context.WithCancel(ctx)
		defer cancel()
		in := s.in(t, m, format, 0)
		for range 64 {
			session := newSession(t, loaded)
			runSession(t, session, in)
			require.NoError(t, session.Run(c))
		}
		length := time.Second
		if os.Getenv("ANYINFER_TEST_SOAK") != "" {
			length = 10 * time.Second
		}
		time.Sleep(200 * time.Millisecond) // what watched the contexts comes to rest
		before := contextSwitches(t)
		time.Sleep(length)
		n := contextSwitches(t) - before
		t.Logf("%d context switches in %v", n, length)
		// Go's runtime and this goroutine have a few; one session that polls has 200 a second.
		require.Less(t, n, 100, "idle sessions wake the process up")
	})
}

// contextSwitches is how often a thread of this process gave up its processor.
func contextSwitches(t *testing.T) (n int) {
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	require.NoError(t, err)
	if tasks == nil {
		t.Skip("this system does not count context switches")
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		for line := range bytes.Lines(text) {
			var count int
			if _, err := fmt.Sscanf(string(line), "voluntary_ctxt_switches: %d", &count); err == nil {
				n += count
			}
		}
	}
	return n
}
