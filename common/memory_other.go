// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package common

import (
	"math"
	"runtime"
)

// maxBytes returns a bound for a tensor's size that make accepts on any system,
// because the size of this system's memory is not known.
func maxBytes() int {
	limit := int64(1 << 36)
	if runtime.GOARCH == "wasm" { // its memory ends at 4 GiB
		limit = 1 << 31
	}
	return int(min(math.MaxInt/2, limit))
}
