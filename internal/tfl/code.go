// SPDX-License-Identifier: Apache-2.0

package tfl

import "github.com/anyinfer/anyinfer/common"

// Code returns the libraries' number of an element type, or 0 if they have none.
func Code(dt common.DType) int32 {
	for code, d := range dtypes {
		if d == dt {
			return code
		}
	}
	return 0
}
