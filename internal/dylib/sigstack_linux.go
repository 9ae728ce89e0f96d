// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"runtime"
	"syscall"
	"unsafe"
)

// KeepSignalStack calls f and then restores the thread's signal stack. OpenVINO's
// CPU plugin sets a small stack of its own on the thread that loads it, and unmaps
// that memory when the core is freed, on any thread. The next signal on the first
// thread would end the process, and Go sends itself many signals.
func KeepSignalStack(f func() error) error {
	type stack struct { // stack_t
		sp    uintptr
		flags int32
		size  uintptr
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old stack
	_, _, failed := syscall.RawSyscall(syscall.SYS_SIGALTSTACK, 0, uintptr(unsafe.Pointer(&old)), 0)
	err := f()
	if failed == 0 {
		syscall.RawSyscall(syscall.SYS_SIGALTSTACK, uintptr(unsafe.Pointer(&old)), 0, 0)
	}
	return err
}
