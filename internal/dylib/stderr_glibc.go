// SPDX-License-Identifier: Apache-2.0

//go:build linux && !android && (386 || amd64 || arm || arm64 || loong64 || ppc64le || riscv64 || s390x)

package dylib

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// theRedirection is nil where libc is not glibc: there stderr is a variable,
// as the C standard has it; musl's is constant.
var theRedirection = sync.OnceValue(func() *redirection {
	const (
		libcVersion = iota
		variable
		fdopen
		setvbuf
		fflush
	)
	var libc Library
	for _, name := range []string{"gnu_get_libc_version", "stderr", "fdopen", "setvbuf", "fflush"} {
		addr, err := processSymbol(name)
		if err != nil {
			return nil
		}
		libc.addrs = append(libc.addrs, addr)
	}
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC); err != nil {
		return nil
	}
	syscall.SetNonblock(pipe[0], true) // so that reading takes no thread
	stream := libc.Call(fdopen, Int(pipe[1]), String("w"))
	if stream == 0 {
		syscall.Close(pipe[0])
		syscall.Close(pipe[1])
		return nil
	}
	const lineBuffered = 1 // _IOLBF
	libc.Call(setvbuf, Int(stream), Int(0), Int(lineBuffered), Int(0))
	stderr := (*uintptr)(pointer(libc.addrs[variable]))
	var own uintptr
	r := &redirection{
		out: os.NewFile(uintptr(pipe[0]), "C's stderr"),
		exchange: func(in bool) {
			if in {
				own = atomic.SwapUintptr(stderr, stream)
			} else {
				atomic.CompareAndSwapUintptr(stderr, stream, own)
			}
		},
		flush: func() { libc.Call(fflush, Int(stream)) },
		mark: func(s string) {
			for b := []byte(s); len(b) > 0; {
				n, err := syscall.Write(pipe[1], b)
				if err != nil && err != syscall.EINTR {
					return
				}
				b = b[max(n, 0):]
			}
		},
	}
	go r.read()
	return r
})
