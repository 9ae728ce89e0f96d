// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package memlimit

import (
	"math"
	"runtime"
)

// Bytes returns a bound that make accepts on any system, because the size of this
// system's memory is not known.
func Bytes() int {
	limit := int64(1 << 36)
	if runtime.GOARCH == "wasm" { // its memory ends at 4 GiB
		limit = 1 << 31
	}
	return int(min(math.MaxInt/2, limit))
}
