// SPDX-License-Identifier: Apache-2.0

//go:build (linux && (!android || cgo) && (386 || amd64 || arm || arm64 || loong64 || ppc64le || riscv64 || s390x)) || (darwin && (amd64 || arm64)) || (windows && (amd64 || arm64)) || ((freebsd || netbsd) && (amd64 || arm64))

package dylib

import "github.com/ebitengine/purego"

// callable reports whether functions can be called on this system.
const callable = true

func call(addr uintptr, args []uintptr) uintptr {
	r, _, _ := purego.SyscallN(addr, args...)
	return r
}

// Callback makes fn, whose parameters and result are uintptr, callable from C
// and from any of its threads. The address lives as long as the process and
// there are at most 2000: make one for a kind of callback, not for an object.
// fn takes no lock that anybody holds across a call.
func Callback(fn any) uintptr { return purego.NewCallback(fn) }

// Func sets *fn to a Go function that calls sym; for functions that take or
// return structs by value. Its calls allocate.
func (l *Library) Func(sym int, fn any) { purego.RegisterFunc(fn, l.addrs[sym]) }
