// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// TestLinkedBuild builds a user's program, with its dependencies vendored, with
// all tags on, by the very line that `sdk env --help` shows.
func TestLinkedBuild(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs sh")
	}
	_, missing := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	for _, engine := range []string{"openvino", "tflite"} {
		if len(sdkdir.Installed(engine)) == 0 {
			missing = errors.New("not installed: " + engine)
		}
	}
	if missing != nil && os.Getenv("CI") != "true" {
		t.Skip(missing)
	}
	require.NoError(t, missing)
	dir, bin := program(t), t.TempDir()
	exe, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(exe, filepath.Join(bin, "anyinfer")))
	shell := func(line string, env ...string) (string, error) {
		cmd := exec.Command("/bin/sh", "-c", line)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), envMain+"=1",
			"CGO_ENABLED=1", "CGO_LDFLAGS=", "GOFLAGS=", "GOPROXY=off", "LC_ALL=C")
		cmd.Env = append(cmd.Env, env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := shell("go mod vendor")
	require.NoError(t, err, out)

	const build = "go build -tags openvino,tflite ./..."
	out, err = shell(build)
	require.Error(t, err, "built without the SDKs")
	require.Contains(t, out, "tensorflowlite_c")
	out, err = shell(build, "CGO_ENABLED=0")
	require.Error(t, err, "built without cgo")
	for _, engine := range []string{"openvino", "tflite"} {
		require.Contains(t, out, "undefined: the_tag_"+engine+"_links_the_SDK_with_cgo__set_CGO_ENABLED_to_1_and_have_a_C_compiler")
	}

	line := `eval "$(anyinfer sdk env openvino tflite)" && ` + build
	require.Contains(t, newSDKEnv().Long, line)
	out, err = shell(line)
	require.NoError(t, err, out)
	model, err := filepath.Abs(models + "digits.tflite")
	require.NoError(t, err)
	cmd := exec.Command(filepath.Join(dir, "linked"), model)
	cmd.Env = []string{} // no LD_LIBRARY_PATH, and no HOME to find SDKs in
	ran, err := cmd.Output()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(ran)), "\n")
	require.Len(t, lines, 2)
	number, same := strings.CutPrefix(lines[0], "openvino linked ")
	require.True(t, same, lines[0])
	require.Equal(t, "tflite linked "+number, lines[1])
}

// program is the folder of testdata/linked with a go.mod like the one here.
func program(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/linked")))
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	sum, err := os.ReadFile("../../go.sum")
	require.NoError(t, err)
	mod, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	_, requires, _ := strings.Cut(string(mod), "\n") // all but its name
	text := "module linked\n" + requires + "\nrequire github.com/anyinfer/anyinfer v0.0.0\nreplace github.com/anyinfer/anyinfer => " + root + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o666))
	return dir
}
