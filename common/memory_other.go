// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package common

import "math"

// maxBytes bounds a tensor's size far from an int's overflow, also with
// padding; how much memory there is, is not known here.
func maxBytes() int { return math.MaxInt / 2 }
