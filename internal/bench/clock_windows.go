// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"syscall"
	"time"
	"unsafe"
)

var (
	kernel32           = syscall.NewLazyDLL("kernel32.dll")
	performanceCounter = kernel32.NewProc("QueryPerformanceCounter")
	perSecond          = query(kernel32.NewProc("QueryPerformanceFrequency"))
)

// now returns the time since an arbitrary start, to a fraction of a
// microsecond; time.Now counts in milliseconds.
func now() time.Duration {
	n := query(performanceCounter)
	return time.Duration(n/perSecond)*time.Second + time.Duration(n%perSecond)*time.Second/time.Duration(perSecond)
}

func query(p *syscall.LazyProc) (n int64) {
	syscall.SyscallN(p.Addr(), uintptr(unsafe.Pointer(&n)))
	return n
}
