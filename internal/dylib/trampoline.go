// SPDX-License-Identifier: Apache-2.0

//go:build (linux || darwin) && (amd64 || arm64)

package dylib

import (
	"runtime"
	"unsafe"
)

// purego.SyscallN fills and clears a kilobyte for arguments. That takes 0.1 us if
// the memory is not in the processor's cache, as much as everything else that this
// module adds to the cost of a Run in C. So a prepared call whose arguments all fit
// into registers is made through a trampoline of a few instructions, which is
// called in the same way as purego calls its own.

// cgocall is the runtime's function. Go keeps it accessible for purego, which makes
// it work without cgo.
//
//go:linkname cgocall runtime.cgocall
func cgocall(fn uintptr, arg unsafe.Pointer) int32

// trampoline is the address of the assembly function.
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
