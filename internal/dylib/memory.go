// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"strings"
	"unsafe"
)

// pointer converts the address of C memory to a pointer. It reads the pointer
// through another one because vet reports a plain conversion; the rules that vet
// checks are about Go memory, which can move. If pointer is inlined with a copy of
// known size, Go 1.26's compiler fails.
//
//go:noinline
func pointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

// maxString is the length at which GoString stops.
const maxString = 1 << 20

// GoString returns a copy of the C string at addr; "" for NULL. A string that does
// not end within 1 MiB is cut there.
func GoString(addr uintptr) string {
	if addr == 0 {
		return ""
	}
	p, n := pointer(addr), 0
	for n < maxString && *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return strings.Clone(unsafe.String((*byte)(p), n))
}

// CopyOut copies C memory at addr to dst. The caller knows that there are len(dst)
// elements.
func CopyOut[T any](dst []T, addr uintptr) {
	if len(dst) > 0 {
		copy(dst, unsafe.Slice((*T)(pointer(addr)), len(dst)))
	}
}

// CopyIn copies src to C memory at addr, which is large enough.
func CopyIn[T any](addr uintptr, src []T) {
	if len(src) > 0 {
		copy(unsafe.Slice((*T)(pointer(addr)), len(src)), src)
	}
}
