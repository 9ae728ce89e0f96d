// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// envMain makes the test binary be the command.
const envMain = "ANYINFER_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(envMain) != "" {
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

func TestExitCodes(t *testing.T) {
	t.Setenv("ANYINFER_SDK_DIR", t.TempDir())
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"nope"}, 2, `anyinfer: unknown command "nope" for "anyinfer"`},
		{[]string{"sdk", "nope"}, 2, `anyinfer: unknown command "nope" for "anyinfer sdk"`},
		{[]string{"sdk", "list", "--nope"}, 2, "anyinfer: unknown flag: --nope\nRun 'anyinfer sdk list --help' for usage.\n"},
		{[]string{"sdk", "list", "more"}, 2, `unknown command "more"`},
		{[]string{"sdk", "install"}, 2, "anyinfer: name an engine: openvino, tflite"},
		{[]string{"sdk", "install", "openvino", "tflite", "--from", "x"}, 2, "--from installs one engine's SDK"},
		{[]string{"sdk", "install", "nope"}, 1, `anyinfer: there is no SDK to install for engine "nope"`},
		{[]string{"sdk", "install", "tflite", "nope"}, 1, `"nope"`}, // before it fetches the first
		{[]string{"sdk", "install", "openvino", "--from", "missing.whl"}, 1, "missing.whl"},
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
