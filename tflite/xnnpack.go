// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"runtime"

	"github.com/anyinfer/anyinfer/internal/dylib"
)

// xnnpackOptions is a TfLiteXNNPackDelegateOptions, which has 32 bytes in 2.17, with space for members that later
// releases add. This package sets only the first one.
type xnnpackOptions struct {
	threads int32
	_       int32
	_       [31]uint64
}

// newXNNPACK makes an XNNPACK delegate. It returns 0 if that fails.
func newXNNPACK(lib *dylib.Library, threads int) uintptr {
	o := new(xnnpackOptions)
	if runtime.GOARCH == "arm64" { // the address of a large result is in a register that Call cannot set
		var defaults func() xnnpackOptions
		lib.Func(xnnpackDefaults, &defaults)
		*o = defaults()
	} else { // the address is the first argument
		lib.Call(xnnpackDefaults, dylib.Ptr(o))
	}
	if o.threads = 0; threads > 1 { // one thread needs no pool
		o.threads = int32(threads)
	}
	return lib.Call(xnnpackCreate, dylib.Ptr(o))
}
