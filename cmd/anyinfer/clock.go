// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package main

import "time"

var started = time.Now()

// now is a time to take differences of, to the nanosecond.
func now() time.Duration { return time.Since(started) }
