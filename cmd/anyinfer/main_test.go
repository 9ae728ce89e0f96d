// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/bench"
	"github.com/anyinfer/anyinfer/isolate"
)

// envMain is the variable that makes the test binary run the command.
const envMain = "ANYINFER_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(envFragile) != "" {
		registerFragile()
	}
	isolate.Main()
	if os.Getenv(envMain) != "" || slices.Contains(os.Args, bench.WorkerCommand) {
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

// process runs a command line in a process of its own, in which no library is open yet,
// since the system's loader finds libraries that are.
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
	const (
		engines = " (there are: litert, mnn, onnxruntime, openvino, tensorrt, tflite, tnn)\n"
		foo     = "anyinfer: there is no engine \"foo\"" + engines
	)
	for _, test := range []struct {
		line string
		code int
		want string
	}{
		{"sdk list", exitSuccess, ""},
		{"help sdk install", exitSuccess, ""},
		{"completion bash", exitSuccess, ""},

		{"nope", exitUsage, "anyinfer: there is no command 'anyinfer nope'; there are: bench, "},
		{"bnech", exitUsage, "anyinfer: there is no command 'anyinfer bnech'; did you mean bench?\n"},
		{"nope --engine x", exitUsage, "anyinfer: there is no command 'anyinfer nope'; there are: bench, "},
		{"compare --engine x", exitUsage, "anyinfer: there is no command 'anyinfer compare'; did you mean run MODEL... --engine A,B?\n"},
		{"sdk nope --x", exitUsage, "anyinfer: there is no command 'anyinfer sdk nope'; there are: env, install, list, remove\n"},
		{"--engine x", exitUsage, "anyinfer: unknown flag: --engine\n"},
		{"sdk nope", exitUsage, "anyinfer: there is no command 'anyinfer sdk nope'; there are: env, install, list, remove\n"},
		{"completion foo", exitUsage, "anyinfer: there is no command 'anyinfer completion foo'; there are: bash, fish, powershell, zsh\n"},
		{"help foo", exitUsage, "anyinfer: there is no command 'anyinfer foo'; there are: bench, "},
		{"help sdk foo", exitUsage, "anyinfer: there is no command 'anyinfer sdk foo'; there are: env, "},
		{"help sdk env foo", exitUsage, "anyinfer: there is no command 'anyinfer sdk env foo'; 'anyinfer sdk env' has no subcommands\n"},
		{"sdk list --nope", exitUsage, "anyinfer: unknown flag: --nope\nRun 'anyinfer sdk list --help' for usage.\n"},
		{"sdk list --jsno", exitUsage, "anyinfer: unknown flag: --jsno; did you mean --json?\n"},
		{"build -tags tflite", exitUsage, "anyinfer: unknown shorthand flag: 't' in -tags; did you mean --tags?\n"},
		{"sdk list more", exitUsage, "anyinfer: 'anyinfer sdk list' takes no arguments, got \"more\"\n"},
		{"run x --threads all", exitUsage, "anyinfer: --threads \"all\": want a whole number\n"},
		{"run x --threads -1", exitUsage, "anyinfer: --threads is -1; want 0"},
		{"bench x --threads -1", exitUsage, "anyinfer: --threads is -1; want 0"},
		{"bench x --duration 5", exitUsage, "anyinfer: --duration \"5\": want a time such as 200ms, 5s or 1m\n"},

		// The error of an unknown engine is the same for all commands.
		{"sdk install foo", exitUsage, foo},
		{"sdk install tflite foo", exitUsage, foo}, // before the first is downloaded
		{"sdk env foo", exitUsage, foo},
		{"sdk remove foo", exitUsage, foo},
		{"shim build foo", exitUsage, foo},
		{"doctor foo", exitUsage, foo},
		{"doctor --engine foo", exitUsage, foo},
		{"run x.onnx --engine foo", exitUsage, foo},
		{"bench x.onnx --engine foo", exitUsage, foo},
		{"inspect x.onnx --engine foo", exitUsage, foo},
		{"pack x.onnx --engine foo", exitUsage, foo},
		{"sdk install tfilte", exitUsage, "anyinfer: there is no engine \"tfilte\"; did you mean tflite?" + engines},
		{"shim build mmn", exitUsage, "; did you mean mnn or tnn?" + engines},
		{"run x.onnx --engine mnn,mnn", exitUsage, "anyinfer: the engine mnn is named twice; name it once\n"},

		// An engine without a package cannot be installed.
		{"sdk install tnn", exitUsage, "anyinfer: no package has the SDK of tnn: build TNN from its source, and then type 'TNN_ROOT=... anyinfer shim build tnn'." +
			" Installable are: openvino, tflite, litert, onnxruntime, mnn\n"},
		{"sdk install tensorrt", exitUsage, "anyinfer: no package has the SDK of tensorrt: install TensorRT's own packages and type 'anyinfer shim build tensorrt'"},
		{"shim build tflite", exitUsage, "anyinfer: the engine tflite needs no shim: it opens its SDK directly (type 'anyinfer sdk install tflite'); shims are for: mnn, "},

		{"sdk install", exitUsage, "anyinfer: name an engine: openvino, tflite"},
		{"sdk install openvino tflite --from x", exitUsage, "--from installs one engine's SDK"},
		{"sdk install openvino --version 9", exitUsage, "no openvino SDK of version 9; there are: "},
		{"sdk install mnn --os plan9", exitUsage, "no mnn SDK for plan9/"},
		{"sdk install openvino --from missing.whl", exitFailure, "missing.whl"},
		{"sdk install mnn --from x", exitFailure, "x: no such file"},
		{"shim build", exitUsage, "anyinfer: name an engine: mnn, tensorrt, tnn\n"},
		{"shim build mnn mnn", exitUsage, "anyinfer: name one engine\n"},
		{"shim build mnn --target arm64", exitUsage, "anyinfer: --target: shims are not compiled for \"arm64\"; they are for linux/386, linux/amd64, linux/arm, linux/arm64, linux/riscv64\n"},
		{"shim build mnn --root /none", exitFailure, "anyinfer: --root: /none has no include/MNN/MNNDefine.h\n"},
		{"sdk env openvino", exitFailure, "install it with 'anyinfer sdk install openvino'"},
		{"sdk env tnn", exitFailure, "; set TNN_ROOT to an SDK for "},
		{"sdk env", exitFailure, "shows the SDKs that can be installed"},
		{"sdk env --nope", exitUsage, "unknown flag: --nope"},
		{"sdk remove", exitUsage, "anyinfer: name an engine; 'anyinfer sdk list' shows the installed SDKs\n"},
		{"sdk remove openvino", exitFailure, "no openvino SDK for"},
		{"sdk remove openvino --version ../..", exitFailure, "no openvino SDK ../.. for"},
		{"run nope.onnx", exitFailure, `anyinfer: there is no file "nope.onnx"`},
	} {
		code, stdout, stderr := command(t, strings.Fields(test.line)...)
		require.Equal(t, test.code, code, "%s: %s", test.line, stderr)
		require.Contains(t, stderr, test.want, test.line)
		require.Equal(t, code == exitUsage, strings.Contains(stderr, "\nRun 'anyinfer"), test.line)
		switch {
		case code == exitSuccess:
			require.NotEmpty(t, stdout)
			require.Empty(t, stderr)
		case strings.HasPrefix(test.line, "sdk env"):
			require.Equal(t, "false\n", stdout, test.line)
		default:
			require.Empty(t, stdout, test.line)
		}
	}
}

// TestExitSignal: after a signal the exit code is a shell's, whatever error the command
// returned.
func TestExitSignal(t *testing.T) {
	other := errors.New("other")
	for _, test := range []struct {
		signal os.Signal
		err    error
		code   int
		want   string
	}{
		{os.Interrupt, context.Canceled, 130, "interrupted"},
		{os.Interrupt, fmt.Errorf("load: %w", context.Canceled), 130, "interrupted"},
		{os.Interrupt, errors.Join(context.Canceled, other), 130, "other\ninterrupted"},
		{os.Interrupt, other, 130, "other\ninterrupted"},
		{os.Interrupt, nil, 0, ""},
		{syscall.SIGTERM, context.Canceled, 143, "ended by a signal: terminated"},
		{nil, other, 1, "other"},
		{nil, errors.Join(other, context.Canceled), 1, "other\ncontext canceled"},
		{nil, usageError{other}, 2, "other"},
		{nil, fmt.Errorf("more: %w", usageError{other}), 2, "more: other"},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if test.signal != nil {
			cancel(interrupted{test.signal})
		}
		require.Equal(t, test.code, exitCode(ctx, test.err))
		if test.err != nil {
			require.EqualError(t, errors.Join(messages(ctx, test.err)...), test.want)
		}
		cancel(nil)
	}
}

// TestEnvStopsBuild: a shell does not go on where sdk env fails.
func TestEnvStopsBuild(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs sh")
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	for _, line := range []string{
		`eval "$("$ANYINFER" sdk env openvino)" && echo built`,
		`eval "$("$ANYINFER" sdk env foo)" && echo built`,
		`set -e; eval "$("$ANYINFER" sdk env)"; echo built`,
	} {
		cmd := exec.Command("/bin/sh", "-c", line)
		cmd.Env = append(os.Environ(), "ANYINFER="+exe, envMain+"=1", "ANYINFER_SDK_DIR="+t.TempDir(), "MNN_ROOT=", "TNN_ROOT=", "TENSORRT_ROOT=")
		out, err := cmd.Output()
		require.Error(t, err, line)
		require.Empty(t, string(out), line)
	}
}

func TestVersion(t *testing.T) {
	code, stdout, stderr := command(t, "--version")
	require.Zero(t, code)
	require.Regexp(t, `^anyinfer version \S+ \(go.* \w+/\w+\)\n$`, stdout)
	require.Empty(t, stderr)
}
