// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package bench

import "time"

var started = time.Now()

// now returns the time since an arbitrary start, to the nanosecond.
func now() time.Duration { return time.Since(started) }
