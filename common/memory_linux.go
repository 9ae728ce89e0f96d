// SPDX-License-Identifier: Apache-2.0

package common

import (
	"math"
	"sync"
	"syscall"
)

// maxBytes bounds a tensor's size by the machine's memory.
var maxBytes = sync.OnceValue(func() int {
	var i syscall.Sysinfo_t
	if syscall.Sysinfo(&i) != nil {
		return math.MaxInt / 2
	}
	return int(min(uint64(i.Totalram)*uint64(i.Unit), math.MaxInt/2))
})
