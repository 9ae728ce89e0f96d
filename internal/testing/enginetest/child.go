// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// jobVariable tells the test binary, started anew by a test, that it is to do
// one job: with nobody else's memory in its own, or with a crash ahead.
const jobVariable = "ANYINFER_TEST_JOB"

const nowhere = "nowhere:"

// work does a job in a process of its own.
func (s *suite) work(t *testing.T, job string) {
	kind, name, _ := strings.Cut(job, ":")
	switch kind {
	case "nowhere":
		s.nowhere(t)
	case "damage":
		s.damageJob(t, name)
	case "files":
		s.filesJob(t)
	case "big":
		s.bigJob(t, name)
	case "races":
		s.racesJob(t, name)
	case "log":
		require.Contains(t, logJobs, name)
		logJobs[name](s, t)
	case "resources":
		require.Contains(t, resourceJobs, name)
		resourceJobs[name](s, t)
	default:
		t.Fatalf("%s=%q is no job", jobVariable, job)
	}
}

// emulator is the command that runs this process, as with go test's -exec; empty
// on real processors. It must run other processes of this binary, too.
func emulator() []string { return strings.Fields(os.Getenv("ANYINFER_TEST_EMULATOR")) }

// command is this test binary with a job.
func (s *suite) command(t *testing.T, job string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	args := append(emulator(), exe, "-test.run=^"+s.top+"$", "-test.v", "-test.timeout=10m")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), jobVariable+"="+job, "TMPDIR="+t.TempDir())
	return cmd
}

// child does a job that is a test of its own.
func (s *suite) child(t *testing.T, job string) {
	t.Helper()
	cmd := s.command(t, job)
	out, err := cmd.CombinedOutput()
	for line := range bytes.Lines(out) {
		if l := strings.TrimSpace(string(line)); l != "" && !strings.HasPrefix(l, "---") && !strings.HasPrefix(l, "===") {
			t.Log(l)
		}
	}
	require.NoError(t, err, "the process for %s failed", job)
	require.Contains(t, string(out), "--- PASS: "+s.top, "it must not have skipped")
}
