// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"strings"
	"unsafe"
)

// pointer turns the address of C memory into a pointer. The detour keeps
// checkers of unsafe.Pointer quiet: the address is C's, so the rules on
// uintptr, which are about Go memory that moves, do not concern it. Inlined
// with a copy of known size it fails Go 1.26's compiler.
//
//go:noinline
func pointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

// maxString bounds what is believed to be a C string.
const maxString = 1 << 20

// GoString copies the C string at addr; "" for NULL. What has no end within
// 1 MiB is cut there.
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

// CopyOut copies C memory at addr into dst. The caller knows that
// len(dst) elements lie there.
func CopyOut[T any](dst []T, addr uintptr) {
	if len(dst) > 0 {
		copy(dst, unsafe.Slice((*T)(pointer(addr)), len(dst)))
	}
}

// CopyIn copies src to C memory at addr, where there is room for it.
func CopyIn[T any](addr uintptr, src []T) {
	if len(src) > 0 {
		copy(unsafe.Slice((*T)(pointer(addr)), len(src)), src)
	}
}
