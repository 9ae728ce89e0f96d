// SPDX-License-Identifier: Apache-2.0

//go:build !unix && !windows

package bench

import "time"

func peakMemory() int64      { return 0 } // not known
func cpuTime() time.Duration { return 0 }
