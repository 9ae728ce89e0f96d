// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"runtime"
	"syscall"
)

// OnOwnThread runs f on an operating system thread that ends afterwards. It
// is for calls that leave their thread in a state that Go cannot live with,
// such as a signal stack that the library frees later.
func OnOwnThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if syscall.Gettid() != syscall.Getpid() {
			f()
			return // still locked: the thread ends with the goroutine
		}
		// The main thread never ends. While it is locked here, another
		// goroutine gets another thread.
		OnOwnThread(f)
		runtime.UnlockOSThread()
	}()
	<-done
}
