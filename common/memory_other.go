// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package common

import (
	"math"
	"runtime"
)

// maxBytes returns a bound for a tensor's size that make accepts on any system,
// because the size of the memory is not known here.
func maxBytes() int {
	most := int64(1 << 36)
	if runtime.GOARCH == "wasm" { // whose memory ends at 4 GiB
		most = 1 << 31
	}
	return int(min(math.MaxInt/2, most))
}
