// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// peakMemory is the most memory that this process has held at once, in bytes;
// 0 where the system does not tell.
func peakMemory() (bytes int64) {
	switch runtime.GOOS {
	case "linux", "android": // whose getrusage includes the process that started this one
		text, _ := os.ReadFile("/proc/self/status")
		_, after, _ := strings.Cut(string(text), "\nVmHWM:")
		fmt.Sscan(after, &bytes)
		return bytes << 10
	case "darwin", "ios":
		return int64(usage().Maxrss)
	}
	return int64(usage().Maxrss) << 10
}

// cpuTime is what all threads of this process have worked.
func cpuTime() time.Duration {
	u := usage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func usage() (u syscall.Rusage) {
	syscall.Getrusage(syscall.RUSAGE_SELF, &u) // a failure leaves zeros
	return u
}
