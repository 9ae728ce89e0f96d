// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"runtime"
	"unsafe"
)

// Arg is one argument of a native call.
type Arg struct {
	word uintptr
	ptr  unsafe.Pointer // Go memory, or nil where word counts
}

// value is what C gets; memory is pinned before it is asked for.
func (a Arg) value() uintptr {
	if a.ptr != nil {
		return uintptr(a.ptr)
	}
	return a.word
}

// Int passes a handle or an integer that fits a register everywhere. 64-bit
// integers are not among them: on 32-bit machines they take two.
func Int[T ~uintptr | ~int | ~int32 | ~uint32 | ~uint8](v T) Arg { return Arg{word: uintptr(v)} }

// Ptr passes the address of v, or NULL.
func Ptr[T any](v *T) Arg { return Arg{ptr: unsafe.Pointer(v)} }

// Slice passes the address of the first element, or NULL.
func Slice[T any](s []T) Arg { return Arg{ptr: unsafe.Pointer(unsafe.SliceData(s))} }

// String passes a NUL-terminated copy of s.
func String(s string) Arg { return Slice(append([]byte(s), 0)) }

// Call calls function sym of the table and returns its result's register. A
// result narrower than that has garbage in the upper bits: convert it first.
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
