// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"runtime"
	"unicode/utf16"
	"unsafe"

	"github.com/anyinfer/anyinfer/internal/dylib"
)

// osString passes a path in the form that the system's functions take (ORTCHAR_T).
func osString(path string) dylib.Arg {
	if runtime.GOOS == "windows" {
		return dylib.Slice(wide(path))
	}
	return dylib.String(path)
}

func wide(s string) []uint16 { return append(utf16.Encode([]rune(s)), 0) }

// cStrings returns the addresses of NUL-terminated copies, which it pins.
func cStrings(pin *runtime.Pinner, list []string) []unsafe.Pointer {
	pointers := make([]unsafe.Pointer, len(list))
	for i, s := range list {
		pointers[i] = unsafe.Pointer(unsafe.StringData(s + "\x00"))
		pin.Pin(pointers[i])
	}
	return pointers
}

// osStrings is cStrings for paths.
func osStrings(pin *runtime.Pinner, list []string) []unsafe.Pointer {
	if runtime.GOOS != "windows" {
		return cStrings(pin, list)
	}
	pointers := make([]unsafe.Pointer, len(list))
	for i, s := range list {
		pointers[i] = unsafe.Pointer(unsafe.SliceData(wide(s)))
		pin.Pin(pointers[i])
	}
	return pointers
}

// int64Words passes a 64-bit integer after two other arguments: as one word, or on
// 32-bit machines as two, the lower one first.
func int64Words(v int64) []dylib.Arg {
	if wordSize == 8 {
		return []dylib.Arg{dylib.Int(uintptr(v))}
	}
	return []dylib.Arg{dylib.Int(uint32(v)), dylib.Int(uint32(v >> 32))}
}
