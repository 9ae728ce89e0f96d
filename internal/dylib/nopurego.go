// SPDX-License-Identifier: Apache-2.0

//go:build !((linux && (!android || cgo) && (386 || amd64 || arm || arm64 || loong64 || ppc64le || riscv64 || s390x)) || (darwin && (amd64 || arm64)) || (windows && (amd64 || arm64)) || ((freebsd || netbsd) && (amd64 || arm64)))

package dylib

import "errors"

var errNoLoader = errors.New("native libraries cannot be opened on this system")

func open(string) (uintptr, error)            { return 0, errNoLoader }
func symbol(uintptr, string) (uintptr, error) { return 0, errNoLoader }
func processSymbol(string) (uintptr, error)   { return 0, errNoLoader }

// No library can be open on this system, linked or not, so nothing below is called.

const callable = false

func call(uintptr, []uintptr) uintptr { return 0 }

// Callback is never called on this system.
func Callback(any) uintptr { return 0 }

// Func is never called on this system.
func (l *Library) Func(int, any) {}
