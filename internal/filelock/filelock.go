// SPDX-License-Identifier: Apache-2.0

// Package filelock has locks that keep processes and goroutines from doing the same work at the same time.
package filelock

import (
	"context"
	"errors"
	"os"
	"time"
)

// Lock makes the file at path if it does not exist, and waits for its lock. The system frees the lock when the process
// ends, even if it crashes. The file stays.
func Lock(ctx context.Context, path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // because NFS locks only files that are open for writing
	if err != nil {
		return nil, err
	}
	for {
		held, err := tryLock(f)
		if err == nil && !held {
			select {
			case <-ctx.Done():
				err = ctx.Err()
			case <-time.After(50 * time.Millisecond):
				continue
			}
		}
		if err != nil {
			f.Close()
			return nil, &os.PathError{Op: "lock", Path: path, Err: err}
		}
		return func() error { return errors.Join(unlockFile(f), f.Close()) }, nil
	}
}
