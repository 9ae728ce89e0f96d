// SPDX-License-Identifier: Apache-2.0

//go:build windows && (amd64 || arm64)

package dylib

import (
	"path/filepath"
	"syscall"
	"unsafe"
)

var loadLibraryEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LoadLibraryExW")

// open also searches the library's own folder for the libraries that it needs.
func open(path string) (uintptr, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var flags uintptr
	if filepath.IsAbs(path) {
		flags = 0x8 // LOAD_WITH_ALTERED_SEARCH_PATH
	}
	handle, _, err := loadLibraryEx.Call(uintptr(unsafe.Pointer(name)), 0, flags)
	if handle == 0 {
		return 0, err
	}
	return handle, nil
}

func symbol(handle uintptr, name string) (uintptr, error) {
	return syscall.GetProcAddress(syscall.Handle(handle), name)
}

// processSymbol finds a function of the C runtime that is part of Windows. The
// names of functions newer than C89 begin with an underscore there.
func processSymbol(name string) (uintptr, error) {
	crt, err := open("msvcrt.dll")
	if err != nil {
		return 0, err
	}
	return symbol(crt, "_"+name)
}
