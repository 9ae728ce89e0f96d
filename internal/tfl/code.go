// SPDX-License-Identifier: Apache-2.0

package tfl

import "github.com/anyinfer/anyinfer/common"

// Code is the number of an element type; 0 for one that is none of them.
func Code(dt common.DType) int32 {
	for code, d := range dtypes {
		if d == dt {
			return code
		}
	}
	return 0
}
