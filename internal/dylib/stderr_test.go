// SPDX-License-Identifier: Apache-2.0

//go:build linux

package dylib_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/stretchr/testify/require"
)

func cPrint(t *testing.T, text string) { require.NoError(t, dylib.CStderr(text)) }

func TestCaptureStderr(t *testing.T) {
	var lines []string
	add := func(line string) { lines = append(lines, line) }
	dylib.CaptureStderr(add, func() { cPrint(t, "one\ntwo\n\nhalf") })
	require.Equal(t, []string{"one", "two", "half"}, lines)

	lines = nil
	long := strings.Repeat("x", 1<<20) // more than a pipe holds
	dylib.CaptureStderr(add, func() { cPrint(t, long+"\nend\n") })
	require.Equal(t, long+"end", strings.Join(lines, ""))

	lines = nil
	dylib.CaptureStderr(func(string) { t.Error("the outer capture got a line of the inner one") }, func() {
		dylib.CaptureStderr(add, func() { cPrint(t, "nested\n") })
	})
	require.Equal(t, []string{"nested"}, lines)
}

// TestStderrIsRestored checks that C writes to file descriptor 2 before and after a
// capture, and that Go does so during it.
func TestStderrIsRestored(t *testing.T) {
	var lines []string
	got := stderrOf(t, func() {
		cPrint(t, "before\n")
		dylib.CaptureStderr(func(line string) { lines = append(lines, line) }, func() {
			cPrint(t, "during\n")
			fmt.Fprintln(os.Stderr, "from Go")
		})
		cPrint(t, "after\n")
	})
	require.Equal(t, "before\nfrom Go\nafter\n", got)
	require.Equal(t, []string{"during"}, lines)
}

func TestConcurrentStderrCaptures(t *testing.T) {
	var mu sync.Mutex
	count := map[string]int{}
	add := func(line string) { mu.Lock(); defer mu.Unlock(); count[line]++ }
	const n = 50
	got := stderrOf(t, func() {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				line := fmt.Sprint("line ", i)
				dylib.CaptureStderr(add, func() { cPrint(t, line+"\n") })
				mu.Lock()
				defer mu.Unlock()
				if count[line] != 1 {
					t.Errorf("%s was captured %d times before CaptureStderr returned, want 1", line, count[line])
				}
			})
		}
		all.Wait()
	})
	require.Empty(t, got)
	require.Len(t, count, n)
}

// stderrOf returns what f writes to file descriptor 2.
func stderrOf(t *testing.T, f func()) string {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	own, err := syscall.Dup(2)
	require.NoError(t, err)
	require.NoError(t, syscall.Dup3(int(file.Fd()), 2, 0))
	defer func() {
		require.NoError(t, syscall.Dup3(own, 2, 0))
		syscall.Close(own)
	}()
	f()
	_, err = file.Seek(0, io.SeekStart)
	require.NoError(t, err)
	text, err := io.ReadAll(file)
	require.NoError(t, err)
	return string(text)
}
