// SPDX-License-Identifier: Apache-2.0

package isolate_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/anyinfer/anyinfer/isolate"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// threadVariable has children call Main on another thread than the first, and then has the signal that the first one gets
// when the program ends.
const threadVariable = "ANYINFER_TEST_THREAD"

func init() {
	settings := os.Getenv(isolate.Variable)
	if settings == "" || os.Getenv(threadVariable) == "" {
		return
	}
	runtime.LockOSThread() // init functions run on the first thread
	if strings.Contains(settings, `"Confined":false`) {
		go isolate.Main()
		select {}
	}
	var signal int32
	unix.Prctl(unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&signal)), 0, 0, 0)
	os.Setenv(threadVariable, fmt.Sprint(signal))
}

// TestChildEndsWithProgram checks that a child is killed with the program, whichever thread its main goroutine was on.
func TestChildEndsWithProgram(t *testing.T) {
	t.Setenv(threadVariable, "set")
	said, _, err := run(t, load(t, nil, nil), "env "+threadVariable)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(int(syscall.SIGKILL)), said)
}

// TestFolderIsOwn checks that no variable of Options.Env changes the folder that a child removes.
func TestFolderIsOwn(t *testing.T) {
	said, _, err := run(t, load(t, &isolate.Options{Env: []string{"TMPDIR=/other"}}, nil), "env TMPDIR")
	require.NoError(t, err)
	require.Contains(t, said, "anyinfer-child-")
}
