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

func say(t *testing.T, text string) { require.NoError(t, dylib.CStderr(text)) }

func TestStderr(t *testing.T) {
	var lines []string
	hear := func(line string) { lines = append(lines, line) }
	dylib.Stderr(hear, func() { say(t, "one\ntwo\n\nhalf") })
	require.Equal(t, []string{"one", "two", "half"}, lines)

	lines = nil
	long := strings.Repeat("x", 1<<20) // more than a pipe holds
	dylib.Stderr(hear, func() { say(t, long+"\nend\n") })
	require.Equal(t, long+"end", strings.Join(lines, ""))

	lines = nil
	dylib.Stderr(func(string) { t.Error("the inner one hears") }, func() {
		dylib.Stderr(hear, func() { say(t, "nested\n") })
	})
	require.Equal(t, []string{"nested"}, lines)
}

// TestStderrIsGivenBack: what C writes before and after is on file descriptor 2.
func TestStderrIsGivenBack(t *testing.T) {
	var lines []string
	got := stderrOf(t, func() {
		say(t, "before\n")
		dylib.Stderr(func(line string) { lines = append(lines, line) }, func() {
			say(t, "during\n")
			fmt.Fprintln(os.Stderr, "Go's")
		})
		say(t, "after\n")
	})
	require.Equal(t, "before\nGo's\nafter\n", got)
	require.Equal(t, []string{"during"}, lines)
}

func TestStderrSideBySide(t *testing.T) {
	var mu sync.Mutex
	heard := map[string]int{}
	hear := func(line string) { mu.Lock(); defer mu.Unlock(); heard[line]++ }
	const n = 50
	got := stderrOf(t, func() {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				line := fmt.Sprint("line ", i)
				dylib.Stderr(hear, func() { say(t, line+"\n") })
				mu.Lock()
				defer mu.Unlock()
				if heard[line] != 1 {
					t.Errorf("%s was heard %d times when it was over", line, heard[line])
				}
			})
		}
		all.Wait()
	})
	require.Empty(t, got)
	require.Len(t, heard, n)
}

// stderrOf is what f wrote to file descriptor 2.
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
