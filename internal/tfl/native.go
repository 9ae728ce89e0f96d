// SPDX-License-Identifier: Apache-2.0

package tfl

import (
	"fmt"

	"github.com/anyinfer/anyinfer/common"
)

// Native is common.Options.Native of an engine whose options are a T: the zero T
// for nil.
func Native[T any](native any) (T, error) {
	var zero T
	switch n := native.(type) {
	case nil:
		return zero, nil
	case T:
		return n, nil
	case *T:
		return zero, &common.Error{Kind: common.ErrOption, Message: fmt.Sprintf("Native is %T; it takes %T, not a pointer", native, zero)}
	}
	return zero, &common.Error{Kind: common.ErrOption, Message: fmt.Sprintf("Native is %T; it takes %T", native, zero)}
}
