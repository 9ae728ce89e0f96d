// SPDX-License-Identifier: Apache-2.0

// Package memlimit knows how much memory this process can have.
package memlimit

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Bytes returns the memory in bytes that this process can have: the machine's, or
// the limit of its control group.
var Bytes = sync.OnceValue(func() int {
	limit := uint64(math.MaxInt / 2)
	var i syscall.Sysinfo_t
	if syscall.Sysinfo(&i) == nil {
		limit = min(limit, uint64(i.Totalram)*uint64(i.Unit))
	}
	groups, _ := os.ReadFile("/proc/self/cgroup")
	return int(min(limit, groupLimit("/sys/fs/cgroup", string(groups))))
})

// groupLimit returns the lowest memory limit of the control groups in the text of
// /proc/self/cgroup and of their parents, in the file system mounted at root.
func groupLimit(root, groups string) uint64 {
	lowest := uint64(math.MaxUint64)
	for line := range strings.Lines(groups) {
		// "0::/path" of version 2, "5:cpu,memory:/path" of version 1.
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		base, file := root, "memory.max"
		if fields[1] != "" {
			base, file = filepath.Join(root, "memory"), "memory.limit_in_bytes"
			if !strings.Contains(","+fields[1]+",", ",memory,") {
				continue
			}
		}
		// In a container the group's own path may not be visible. The mounted
		// root is then the container's group.
		for path := filepath.Join("/", fields[2]); ; path = filepath.Dir(path) {
			if text, err := os.ReadFile(filepath.Join(base, path, file)); err == nil {
				if n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil { // "max" means no limit
					lowest = min(lowest, n)
				}
			}
			if path == "/" {
				break
			}
		}
	}
	return lowest
}
