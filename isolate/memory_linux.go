// SPDX-License-Identifier: Apache-2.0

package isolate

import (
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/anyinfer/anyinfer/internal/memfile"
	"golang.org/x/sys/unix"
)

func memoryFile(size int) (*os.File, error) {
	file, err := memfile.Create("anyinfer-tensors")
	if err != nil {
		return nil, err
	}
	fd := int(file.Fd())
	if err = unix.Ftruncate(fd, int64(size)); err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

const (
	futexWait = 0
	futexWake = 1

	noSignal     = unix.MSG_NOSIGNAL
	receiveFlags = unix.MSG_CMSG_CLOEXEC
)

// sleep waits until another process or goroutine wakes the word, unless it is not old any more, or until limit is over. It
// may return early.
func sleep(word *atomic.Uint32, old uint32, limit time.Duration) {
	t := unix.NsecToTimespec(int64(limit))
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, uintptr(old), uintptr(unsafe.Pointer(&t)), 0, 0)
}

// wake ends every sleep on the word, which the caller has changed.
func wake(word *atomic.Uint32) {
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, 1<<30, 0, 0, 0)
}
