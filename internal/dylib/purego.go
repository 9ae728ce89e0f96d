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

// Callback returns an address with which C can call fn on any thread. The
// parameters and the result of fn are uintptr. The address is never freed, and
// there are at most 2000, so a program makes one for each kind of callback, not for
// each object. fn must not take a lock that is held during a native call.
func Callback(fn any) uintptr { return purego.NewCallback(fn) }

// Func sets *fn to a Go function that calls sym. It is for functions with structs
// by value as parameters or result. Its calls allocate.
func (l *Library) Func(sym int, fn any) { purego.RegisterFunc(fn, l.addrs[sym]) }
