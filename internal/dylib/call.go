// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"runtime"
	"unsafe"
)

// Arg is one argument of a native call.
type Arg struct {
	word uintptr
	ptr  unsafe.Pointer // Go memory; if nil, word is the argument
}

// value returns the word that C gets. The caller has pinned the memory.
func (a Arg) value() uintptr {
	if a.ptr != nil {
		return uintptr(a.ptr)
	}
	return a.word
}

// Int passes a handle, or an integer that fits a register on every machine.
// 64-bit integers do not: they take two registers on 32-bit machines.
func Int[T ~uintptr | ~int | ~int32 | ~uint32 | ~uint8](v T) Arg { return Arg{word: uintptr(v)} }

// Ptr passes the address of v, or NULL.
func Ptr[T any](v *T) Arg { return Arg{ptr: unsafe.Pointer(v)} }

// Slice passes the address of the first element, or NULL.
func Slice[T any](s []T) Arg { return Arg{ptr: unsafe.Pointer(unsafe.SliceData(s))} }

// String passes a NUL-terminated copy of s.
func String(s string) Arg { return Slice(append([]byte(s), 0)) }

// Call calls function sym of the table and returns the result register. If the
// result's type is narrower, the upper bits are undefined, and the caller converts
// it to that type first.
func (l *Library) Call(sym int, args ...Arg) uintptr {
	var pin runtime.Pinner
	defer pin.Unpin()
	words := make([]uintptr, len(args))
	for i, a := range args {
		if a.ptr != nil {
			pin.Pin(a.ptr)
		}
		words[i] = a.value()
	}
	return call(l.addrs[sym], words)
}
