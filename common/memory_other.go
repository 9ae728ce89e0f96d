// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package common

import (
	"math"
	"runtime"
)

// maxBytes bounds a tensor's size by what make takes on any system; how much
// memory there is, is not known here.
func maxBytes() int {
	if runtime.GOARCH == "wasm" { // whose memory ends at 4 GiB
		return 1 << 31
	}
	return int(min(int64(math.MaxInt/2), 1<<36))
}
