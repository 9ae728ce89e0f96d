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
	"github.com/anyinfer/anyinfer/internal/testing/linktest"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

// TestLinkedBuild builds a user's program, with its dependencies vendored, with
// all tags on, by the very line that `sdk env --help` shows.
func TestLinkedBuild(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs sh")
	}
	_, missing := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	for _, engine := range []string{"onnxruntime", "openvino", "tflite", "mnn"} {
		if len(sdkdir.Installed(engine)) == 0 {
			missing = errors.New("not installed: " + engine)
		}
	}
	for _, engine := range []string{"tnn", "tensorrt"} {
		recipe, _ := toolchain.Find(engine)
		if _, err := recipe.Locate(""); err != nil {
			missing = err
		}
	}
	if missing != nil && os.Getenv("CI") == "" {
		t.Skip(missing)
	}
	require.NoError(t, missing)
	dir, bin := linktest.Module(t, os.DirFS("testdata/linked")), t.TempDir()
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
	const (
		build = "go build -tags openvino,tflite ./..."
		all   = "go build -tags reference,mnn,onnxruntime,openvino,tensorrt,tflite,tnn ./..." // the reference engine needs no SDK
	)
	out, err := shell(build)
	require.Error(t, err, "built without the SDKs")
	require.Contains(t, out, "tensorflowlite_c")
	out, err = shell(all, "CGO_ENABLED=0")
	require.Error(t, err, "built without cgo")
	var args, want []string
	for engine, model := range map[string]string{"onnxruntime": "digits.onnx", "openvino": "digits.tflite", "tflite": "digits.tflite", "mnn": "digits.mnn", "tensorrt": "digits.onnx", "tnn": "digits.tnnproto", "reference": "digits.ref"} {
		require.Contains(t, out, "undefined: the_tag_"+engine+"_")
		path, err := filepath.Abs(fixtures + model)
		require.NoError(t, err)
		args, want = append(args, engine, path), append(want, engine+" linked")
	}

	const env = `eval "$(anyinfer sdk env openvino tflite)" && `
	require.Contains(t, newSDKEnv().Long, env+build)
	out, err = shell(strings.Replace(env, "tflite", "tflite mnn onnxruntime tensorrt tnn", 1) + all)
	require.NoError(t, err, out)
	cmd := exec.Command(filepath.Join(dir, "program"), args...)
	cmd.Env = []string{} // no LD_LIBRARY_PATH, and no HOME to find SDKs in
	ran, err := cmd.Output()
	require.NoError(t, err)
	_, number, _ := strings.Cut(string(ran), " linked ")
	number, _, _ = strings.Cut(number, "\n")
	require.Equal(t, strings.Join(want, " "+number+"\n")+" "+number+"\n", string(ran))
}
