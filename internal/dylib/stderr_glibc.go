// SPDX-License-Identifier: Apache-2.0

//go:build linux && !android && (386 || amd64 || arm || arm64 || loong64 || ppc64le || riscv64 || s390x)

package dylib

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// theStderrPipe returns nil if libc is not glibc. In glibc stderr is a variable
// that can be set; in musl it is a constant.
var theStderrPipe = sync.OnceValue(func() *stderrPipe {
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
	syscall.SetNonblock(pipe[0], true) // so that a read does not block a thread
	stream := libc.Call(fdopen, Int(pipe[1]), String("w"))
	if stream == 0 {
		syscall.Close(pipe[0])
		syscall.Close(pipe[1])
		return nil
	}
	const lineBuffered = 1 // _IOLBF
	libc.Call(setvbuf, Int(stream), Int(0), Int(lineBuffered), Int(0))
	stderr := (*uintptr)(pointer(libc.addrs[variable]))
	var original uintptr
	p := &stderrPipe{
		out: os.NewFile(uintptr(pipe[0]), "C's stderr"),
		replace: func(captured bool) {
			if captured {
				original = atomic.SwapUintptr(stderr, stream)
			} else {
				atomic.CompareAndSwapUintptr(stderr, stream, original)
			}
		},
		flush: func() { libc.Call(fflush, Int(stream)) },
		writeMarker: func(marker string) {
			for b := []byte(marker); len(b) > 0; {
				n, err := syscall.Write(pipe[1], b)
				if err != nil && err != syscall.EINTR {
					return
				}
				b = b[max(n, 0):]
			}
		},
	}
	go p.read()
	return p
})
