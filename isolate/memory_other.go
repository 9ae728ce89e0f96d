// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package isolate

import (
	"os"
	"sync/atomic"
	"time"
)

const noSignal, receiveFlags = 0, 0

// memoryFile returns a file on disk without a name. Its size can be changed: there is no sandbox on these systems either.
func memoryFile(size int) (*os.File, error) {
	file, err := os.CreateTemp("", "anyinfer-")
	if err != nil {
		return nil, err
	}
	os.Remove(file.Name())
	if err := file.Truncate(int64(size)); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// sleep waits a little, because these systems have no futex for all programs.
func sleep(*atomic.Uint32, uint32, time.Duration) { time.Sleep(20 * time.Microsecond) }

func wake(*atomic.Uint32) {}
