// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"runtime"
	"syscall"
	"unsafe"
)

// KeepSignalStack calls f and gives the thread its signal stack back.
// OpenVINO's CPU plugin puts a small one of its own on the thread that loads
// it, and unmaps that with the core, on whatever thread it is freed: Go's next
// signal on the first thread, and Go sends itself many, would end the process.
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
