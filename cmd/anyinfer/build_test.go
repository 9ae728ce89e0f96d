// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/testing/linktest"
)

func TestParseTarget(t *testing.T) {
	for s, want := range map[string]target{
		"":               {runtime.GOOS, runtime.GOARCH, ""},
		"linux/arm64":    {"linux", "arm64", ""},
		"linux/arm64/v8": {"linux", "arm64", ""},
		"linux/aarch64":  {"linux", "arm64", ""},
		"linux/arm":      {"linux", "arm", "7"},
		"linux/armhf":    {"linux", "arm", "7"},
		"linux/arm/v7":   {"linux", "arm", "7"},
		"linux/arm/v6":   {"linux", "arm", "6"},
		"darwin/x86_64":  {"darwin", "amd64", ""},
		"plan9/386":      {"plan9", "386", ""},
	} {
		got, err := parseTarget(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
	}
	for _, s := range []string{"arm64", "linux", "linux/", "/arm64", "linux/arm/v5", "linux/arm/7", "linux/amd64/v3", "linux/arm64/v9"} {
		_, err := parseTarget(s)
		require.ErrorContains(t, err, `--target "`+s+`": want an operating system and a processor, as in linux/amd64, linux/arm64, linux/arm/v7`)
	}
	for _, s := range targets {
		parsed, err := parseTarget(s)
		require.NoError(t, err)
		require.Equal(t, s, parsed.String())
	}
}

func TestSplitTags(t *testing.T) {
	own := []string{"dev", "e2e", "race", "run", "gin", "lite", "open", "tensorflow", "t", "netgo", "osusergo", "leakprofile", "reference", "sqlite", "cnn", "dnn", "rnn"}
	tags, err := splitTags(append(own, "tflite openvino", "mnn"))
	require.NoError(t, err)
	require.Equal(t, append(own, "tflite", "openvino", "mnn"), tags)
	for tag, meant := range map[string]string{
		"tflit": "tflite", "tf-lite": "tflite", "TFLite": "tflite", "tfltie": "tflite", "litert": "", "openvno": "openvino", "opnevion": "openvino",
		"mmn": "mnn", "mn": "mnn", "tensor-rt": "tensorrt", "tnnn": "tnn",
	} {
		_, err := splitTags([]string{"mine", tag})
		require.ErrorAs(t, err, &usageError{}, tag)
		require.ErrorContains(t, err, "--tags "+tag+": ")
		if meant != "" {
			require.ErrorContains(t, err, "did you mean "+meant+"?")
		}
	}
}

// interpreter returns the dynamic loader that a program names.
func interpreter(t *testing.T, file string) string {
	t.Helper()
	f, err := elf.Open(file)
	require.NoError(t, err)
	defer f.Close()
	i := slices.IndexFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	require.GreaterOrEqual(t, i, 0, "it is static")
	name, err := io.ReadAll(f.Progs[i].Open())
	require.NoError(t, err)
	return string(bytes.TrimRight(name, "\x00"))
}

// TestBuild builds a user's program for boards.
func TestBuild(t *testing.T) {
	dir := linktest.Module(t, fstest.MapFS{"main.go": {Mode: 0o666, Data: []byte(`package main

import (
	"fmt"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/tflite"
)

var text = "not set"

func main() { fmt.Println(text, common.Engines()) }
`)}})
	t.Chdir(dir)
	t.Setenv("GOFLAGS", "")
	code, stdout, stderr := command(t, "build", "--target", "linux/arm/v6", "-o", "app", "--", "-ldflags", "-X 'main.text=set by a flag'")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "GOOS=linux GOARCH=arm GOARM=6 CGO_ENABLED=0 go build -o app '-ldflags=-I ")
	require.Equal(t, "/lib/ld-linux-armhf.so.3", interpreter(t, "app"))
	built, err := os.ReadFile("app")
	require.NoError(t, err)
	require.True(t, bytes.Contains(built, []byte("set by a flag")), "the user's -ldflags are ignored")

	code, _, stderr = command(t, "build", "--target", "linux/arm64", "-o", "app", ".")
	require.Zero(t, code, stderr)
	require.Equal(t, "/lib/ld-linux-aarch64.so.1", interpreter(t, "app"))
	code, _, stderr = command(t, "build", "--target", "linux/riscv64", "-o", "app", ".")
	require.Zero(t, code, stderr)
	require.Equal(t, "/lib/ld-linux-riscv64-lp64d.so.1", interpreter(t, "app"))

	code, _, stderr = command(t, "build", "--target", "linux/amr64")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "anyinfer: go build for linux/amr64: exit status")
	t.Setenv("GOFLAGS", "-ldflags=-s")
	code, _, stderr = command(t, "build", "--target", "linux/arm")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "GOFLAGS has -ldflags")
}

func TestBuildRefuses(t *testing.T) {
	t.Setenv(sdkdir.EnvRoot, t.TempDir())
	for _, name := range []string{"MNN_ROOT", "TNN_ROOT", "TENSORRT_ROOT", "CC", "CXX"} {
		t.Setenv(name, "")
	}
	root, err := sdkdir.Root()
	require.NoError(t, err)
	other := target{os: "linux", arch: "riscv64"}
	putSDK(t, root, "openvino", "1.0", other.os, other.arch)
	path, err := exec.LookPath("go")
	require.NoError(t, err)
	bin := t.TempDir()
	if err := os.Symlink(path, filepath.Join(bin, "go")); err != nil {
		t.Skip(err)
	}
	t.Setenv("PATH", bin)
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--target", "arm64"}, 2, `--target "arm64": want`},
		{[]string{"--", "-tags=x"}, 2, "write -tags=x before --"},
		{[]string{"--", "-o", "x"}, 2, "write -o before --"},
		{[]string{"--tags", "tflit"}, 2, "--tags tflit: there is no engine of that name; did you mean tflite? (tags that link an SDK: mnn, onnxruntime, openvino, tensorrt, tflite, tnn)\n"},
		{[]string{"--tags", "mine,OpenVINO"}, 2, "--tags OpenVINO: there is no engine of that name; did you mean openvino?"},
		{[]string{"--tags", "litert"}, 2, "--tags litert: the engine litert is never linked, a program opens it at run time; omit the tag (tags"},
		{[]string{"--target", "linux/riscv64", "--tags", "x tflite"}, 1, "no tflite SDK for linux/riscv64"},
		{[]string{"--target", "linux/riscv64", "--tags", "tflite"}, 1, "no tflite SDK for linux/riscv64 is in " + root + "; no package has one: there is no tflite SDK for linux/riscv64; there is one for: linux/amd64"},
		{[]string{"--target", "linux/arm", "--tags", "tflite"}, 1, "no tflite SDK for linux/arm is in " + root + "; install it with 'anyinfer sdk install tflite --arch arm'"},
		{[]string{"--target", "linux/riscv64", "--tags", "x,mnn"}, 1, "; set MNN_ROOT to an SDK for linux/riscv64"},
		{[]string{"--target", "linux/arm/v6", "--tags", "tflite"}, 1, "the SDKs for 32-bit ARM need ARMv7; omit --tags tflite"},
		{[]string{"--target", "linux/riscv64", "--tags", "openvino"}, 1, "there is no C compiler for linux/riscv64; install riscv64-linux-gnu-gcc (on Debian and Ubuntu: apt install gcc-riscv64-linux-gnu), or name another in CC"},
	} {
		code, stdout, stderr := command(t, append([]string{"build"}, test.args...)...)
		require.Equal(t, test.code, code, "%v: %s", test.args, stderr)
		require.Contains(t, stderr, test.want)
		require.Empty(t, stdout)
	}
	_, err = build{target: other, tags: []string{"openvino"}}.env()
	require.ErrorAs(t, err, &missingError{})
	t.Setenv("CC", "other-gcc")
	t.Setenv("CGO_LDFLAGS", "-lmine")
	env, err := build{target: other, tags: []string{"x", "openvino"}}.env()
	require.NoError(t, err)
	require.Equal(t, []string{"GOOS=linux", "GOARCH=riscv64", "CGO_ENABLED=1",
		"CGO_LDFLAGS=-L" + filepath.Join(root, "openvino", "1.0", "linux-riscv64", "lib") + " -lmine"}, env)
}
