// SPDX-License-Identifier: Apache-2.0

package filelock

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// envHold is the variable with the path of a file whose lock a child process holds
// until it is killed.
const envHold = "ANYINFER_TEST_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(envHold); path != "" {
		if _, err := Lock(context.Background(), path); err != nil {
			panic(err)
		}
		os.Stdout.WriteString("held\n")
		time.Sleep(time.Minute)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestMutualExclusion(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	var wg sync.WaitGroup
	inside := make(chan struct{}, 1)
	for range 4 {
		wg.Go(func() {
			unlock, err := Lock(context.Background(), path)
			if err != nil {
				t.Error(err)
				return
			}
			select {
			case inside <- struct{}{}:
				time.Sleep(5 * time.Millisecond)
				<-inside
			default:
				t.Error("two goroutines hold the lock")
			}
			if err := unlock(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.FileExists(t, path)
}

func TestLockContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(t.Context(), path)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 70*time.Millisecond)
	defer cancel()
	_, err = Lock(ctx, path)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, unlock())
	unlock, err = Lock(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, unlock())
}

// TestLockOfKilledProcess checks that the lock of a process is released when the
// process is killed.
func TestLockOfKilledProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), envHold+"="+path)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Lock(ctx, path)
	require.ErrorIs(t, err, context.Canceled, "the child process must hold the lock")
	require.NoError(t, child.Process.Kill())
	_ = child.Wait()
	unlock, err := Lock(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, unlock())
}

func TestMissingFolder(t *testing.T) {
	t.Parallel()
	_, err := Lock(t.Context(), filepath.Join(t.TempDir(), "none", "lock"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
