// SPDX-License-Identifier: Apache-2.0

package isolate

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ownExecutable returns the path of this program's file, even if the file was replaced or deleted since.
func ownExecutable() (string, error) { return "/proc/self/exe", nil }

// setName sets what ps and top show of a child, instead of "exe".
func setName(name string) {
	unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(unsafe.StringData(name+"\x00"))), 0, 0, 0)
}

// starter is a thread that starts all children, because a child is killed when the thread that has started it ends.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// startProcess starts a child that is killed when this program ends in any way: code of a stranger's model that has taken
// over the child could else go on.
func startProcess(cmd *exec.Cmd) error {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	err := make(chan error)
	starter() <- func() { err <- cmd.Start() }
	return <-err
}

// endWithProgram makes what startProcess does hold for this thread too, which executes the program again: the setting is
// the thread's, and the main goroutine need not be on the first thread.
func endWithProgram() error {
	return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0)
}
