// SPDX-License-Identifier: Apache-2.0

package vision

// NMS (non-maximum suppression) drops detections that overlap a better one. It sorts
// d by score, equal ones in their order, and returns the part of d that is left.
func NMS(d []Detection, o NMSOptions) []Detection { panic("to be written") }
