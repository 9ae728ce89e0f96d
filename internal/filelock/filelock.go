// SPDX-License-Identifier: Apache-2.0

// Package filelock keeps processes, and goroutines, from doing the same work at once.
package filelock

import (
	"context"
	"errors"
	"os"
	"time"
)

// Lock makes the file at path, where it is missing, and waits until nobody else holds its lock. The lock goes with the
// process that holds it, however that ends. The file stays.
func Lock(ctx context.Context, path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // NFS locks only what can be written
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
