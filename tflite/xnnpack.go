// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"runtime"

	"github.com/anyinfer/anyinfer/internal/dylib"
)

// xnnpackOptions is a TfLiteXNNPackDelegateOptions: 32 bytes in 2.17, and room
// for what later releases add. Only its first member is ours.
type xnnpackOptions struct {
	threads int32
	_       int32
	_       [31]uint64
}

// newXNNPACK is a new delegate, or 0.
func newXNNPACK(lib *dylib.Library, threads int) uintptr {
	o := new(xnnpackOptions)
	if runtime.GOARCH == "arm64" { // the result's address goes in a register of its own
		var defaults func() xnnpackOptions
		lib.Func(xnnpackDefaults, &defaults)
		*o = defaults()
	} else { // it is the first argument
		lib.Call(xnnpackDefaults, dylib.Ptr(o))
	}
	if o.threads = 0; threads > 1 { // one needs no pool
		o.threads = int32(threads)
	}
	return lib.Call(xnnpackCreate, dylib.Ptr(o))
}
