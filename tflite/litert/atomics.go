// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"encoding/binary"
	"os"
	"runtime"
)

// hasAtomics reports whether the processor has the atomic instructions of ARMv8.1. Without them, LiteRT for arm64 ends
// the process in its first call. hasAtomics returns true if it cannot find out.
func hasAtomics() bool {
	if runtime.GOOS != "linux" || runtime.GOARCH != "arm64" {
		return true
	}
	const hwcap, bit = 16, 1 << 8 // AT_HWCAP, HWCAP_ATOMICS
	vector, _ := os.ReadFile("/proc/self/auxv")
	for ; len(vector) >= 16; vector = vector[16:] {
		if binary.LittleEndian.Uint64(vector) == hwcap {
			return binary.LittleEndian.Uint64(vector[8:])&bit != 0
		}
	}
	return true
}
