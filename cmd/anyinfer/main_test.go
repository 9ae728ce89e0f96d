// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// envMain makes the test binary be the command.
const envMain = "ANYINFER_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(envMain) != "" || slices.Contains(os.Args, benchWorkerName) {
		main()
	}
	os.Exit(m.Run())
}

// command runs a command line.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = execute(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// process runs a command line in a process of its own, in which no library is
// open yet: the system's loader knows those that are.
func process(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), envMain+"=1")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestExitCodes(t *testing.T) {
	t.Setenv("ANYINFER_SDK_DIR", t.TempDir())
	t.Setenv("MNN_ROOT", "")
	t.Setenv("TNN_ROOT", "")
	t.Setenv("TENSORRT_ROOT", "")
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"nope"}, 2, "anyinfer: there is no command 'anyinfer nope'; there are: bench, "},
		{[]string{"bnech"}, 2, "anyinfer: there is no command 'anyinfer bnech'; did you mean bench?\n"},
		{[]string{"sdk", "nope"}, 2, "anyinfer: there is no command 'anyinfer sdk nope'; there are: env, install, list, remove\n"},
		{[]string{"sdk", "list", "--nope"}, 2, "anyinfer: unknown flag: --nope\nRun 'anyinfer sdk list --help' for usage.\n"},
		{[]string{"sdk", "list", "--jsno"}, 2, "anyinfer: unknown flag: --jsno; did you mean --json?\n"},
		{[]string{"sdk", "list", "more"}, 2, "anyinfer: 'anyinfer sdk list' takes no arguments; leave out \"more\"\n"},
		{[]string{"run", "x", "--threads", "all"}, 2, "anyinfer: --threads \"all\": want a whole number\n"},
		{[]string{"bench", "x", "--duration", "5"}, 2, "anyinfer: --duration \"5\": want a time such as 200ms, 5s or 1m\n"},
		{[]string{"sdk", "install"}, 2, "anyinfer: name an engine: openvino, tflite"},
		{[]string{"sdk", "install", "openvino", "tflite", "--from", "x"}, 2, "--from installs one engine's SDK"},
		{[]string{"sdk", "install", "nope"}, 1, `anyinfer: there is no SDK to install for engine "nope"`},
		{[]string{"sdk", "install", "tflite", "nope"}, 1, `"nope"`}, // before it fetches the first
		{[]string{"sdk", "install", "tfilte"}, 1, "; did you mean tflite?\n"},
		{[]string{"sdk", "install", "openvino", "--from", "missing.whl"}, 1, "missing.whl"},
		{[]string{"sdk", "install", "mnn", "--os", "plan9"}, 1, "no mnn SDK for plan9/"},
		{[]string{"sdk", "install", "mnn", "--from", "x"}, 1, "x: no such file"},
		{[]string{"shim", "build"}, 2, "anyinfer: name an engine: mnn, tensorrt, tnn\n"},
		{[]string{"shim", "build", "mmn"}, 2, "anyinfer: engine \"mmn\" has no shim; did you mean mnn or tnn?\n"},
		{[]string{"shim", "build", "mnn", "mnn"}, 2, "anyinfer: name one engine\n"},
		{[]string{"shim", "build", "mnn", "--target", "arm64"}, 2, "anyinfer: --target: shims are not compiled for \"arm64\"; they are for linux/386, linux/amd64, linux/arm, linux/arm64, linux/riscv64\n"},
		{[]string{"shim", "build", "mnn", "--root", "/none"}, 1, "anyinfer: --root: /none has no include/MNN/MNNDefine.h\n"},
		{[]string{"sdk", "env", "openvino"}, 1, "install it with 'anyinfer sdk install openvino'"},
		{[]string{"sdk", "env"}, 1, "install one with"},
		{[]string{"sdk", "remove", "openvino"}, 1, "no openvino SDK for"},
		{[]string{"sdk", "remove", "openvino", "--version", "../.."}, 1, "no openvino SDK ../.. for"},
	} {
		code, stdout, stderr := command(t, test.args...)
		require.Equal(t, test.code, code, "%v: %s", test.args, stderr)
		require.Contains(t, stderr, test.want)
		require.Empty(t, stdout)
	}
}

func TestVersion(t *testing.T) {
	code, stdout, stderr := command(t, "--version")
	require.Zero(t, code)
	require.Regexp(t, `^anyinfer version \S+ \(go.* \w+/\w+\)\n$`, stdout)
	require.Empty(t, stderr)
}
