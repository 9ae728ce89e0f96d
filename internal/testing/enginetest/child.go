// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// childVariable is set in a process that a test started for itself: to have no
// other test's memory in its own, or to outlive a crash.
const childVariable = "ANYINFER_TEST_CHILD"

// settings are what such a process needs to know, as JSON in the variable.
type settings struct {
	Unopened bool // the test is the first to open the engine
	From     int  // the number of the first damaged model
}

// child are the settings of this process, and whether it has any.
var child, isChild = func() (s settings, is bool) {
	text := os.Getenv(childVariable)
	if text == "" {
		return s, false
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		panic(childVariable + ": " + err.Error())
	}
	return s, true
}()

// emulator is the command that runs this process; empty on real processors. It
// must run other processes of this binary, too.
func emulator() []string { return strings.Fields(os.Getenv("ANYINFER_TEST_EMULATOR")) }

// command runs this test, and no other, in a process of its own.
func command(t *testing.T, s settings) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(t.Name()), "/", "$/^") + "$"
	args := append(emulator(), exe, "-test.run="+pattern, "-test.v", "-test.timeout=5m")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childVariable+"="+string(text), "TMPDIR="+t.TempDir())
	return cmd
}

// alone runs f in a process of its own, and returns what that wrote to stderr.
func alone(t *testing.T, s settings, f func(*testing.T)) string {
	t.Helper()
	if isChild {
		f(t)
		return ""
	}
	var out, stderr bytes.Buffer
	cmd := command(t, s)
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	for line := range strings.Lines(out.String() + stderr.String()) {
		if l := strings.TrimSpace(line); l != "" && !strings.HasPrefix(l, "---") && !strings.HasPrefix(l, "===") && l != "PASS" {
			t.Log(l)
		}
	}
	require.NoError(t, err, "the process failed")
	if strings.Contains(out.String(), "--- SKIP: "+t.Name()+" ") {
		t.Skip("see above")
	}
	require.Contains(t, out.String(), "--- PASS: "+t.Name()+" ")
	return stderr.String()
}
