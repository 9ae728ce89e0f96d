// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"syscall"
	"time"
	"unsafe"
)

// memoryCounters is PROCESS_MEMORY_COUNTERS.
type memoryCounters struct {
	size, pageFaults                 uint32
	peakWorkingSet, workingSet       uintptr
	pools                            [4]uintptr
	pagefileUsage, peakPagefileUsage uintptr
}

const self = ^uintptr(0) // the handle of the running process

// peakMemory returns the peak memory use of this process in bytes, 0 if the
// system does not report it.
func peakMemory() int64 {
	c := memoryCounters{}
	c.size = uint32(unsafe.Sizeof(c))
	kernel32.NewProc("K32GetProcessMemoryInfo").Call(self, uintptr(unsafe.Pointer(&c)), uintptr(c.size))
	return int64(c.peakWorkingSet)
}

// cpuTime returns the CPU time of all threads of this process, in steps of
// many milliseconds.
func cpuTime() time.Duration {
	var created, exited, kernel, user syscall.Filetime
	syscall.GetProcessTimes(syscall.Handle(self), &created, &exited, &kernel, &user) // a failure leaves zeros
	ticks := func(f syscall.Filetime) int64 { return int64(f.HighDateTime)<<32 | int64(f.LowDateTime) }
	return time.Duration(100 * (ticks(kernel) + ticks(user)))
}
