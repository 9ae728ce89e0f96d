// SPDX-License-Identifier: Apache-2.0

//go:build unix

package bench

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// peakMemory returns the peak memory use of this process in bytes, 0 if the
// system does not report it.
func peakMemory() (bytes int64) {
	switch runtime.GOOS {
	case "linux", "android": // their getrusage includes the parent process
		text, _ := os.ReadFile("/proc/self/status")
		_, after, _ := strings.Cut(string(text), "\nVmHWM:")
		fmt.Sscan(after, &bytes)
		return bytes << 10
	case "darwin", "ios":
		return int64(usage().Maxrss)
	}
	return int64(usage().Maxrss) << 10
}

// cpuTime returns the CPU time of all threads of this process.
func cpuTime() time.Duration {
	u := usage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func usage() (u syscall.Rusage) {
	syscall.Getrusage(syscall.RUSAGE_SELF, &u) // a failure leaves zeros
	return u
}
