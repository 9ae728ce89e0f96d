// SPDX-License-Identifier: Apache-2.0

//go:build (linux || darwin) && (amd64 || arm64)

package dylib

import (
	"runtime"
	"unsafe"
)

// purego.SyscallN fills and clears a kilobyte of arguments, 0.1 us where that is
// not in the processor's cache: as much as all else that a Run of this module
// adds to what it costs in C. A call that is prepared once, with no more
// arguments than there are registers, goes from its frame to C through a
// trampoline of a few instructions instead, called as purego calls its own.

// cgocall is the runtime's; it is kept for purego, which this package needs to
// make it work without cgo.
//
//go:linkname cgocall runtime.cgocall
func cgocall(fn uintptr, arg unsafe.Pointer) int32

// trampoline is the address of the function in assembly.
var trampoline uintptr

func callFrame(f *frame) uintptr {
	if f.addr == 0 {
		panic("dylib: call of a function that the library lacks")
	}
	cgocall(trampoline, unsafe.Pointer(f))
	result := f.result
	runtime.KeepAlive(f)
	return result
}
