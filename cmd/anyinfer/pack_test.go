// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/values"
)

func TestPackRefuses(t *testing.T) {
	root, work := t.TempDir(), t.TempDir()
	t.Setenv(sdkdir.EnvRoot, root)
	t.Setenv("PATH", t.TempDir()) // without go and pip
	file := func(name string) string { return filepath.Join(work, name) }
	for _, name := range []string{"labels.txt", "labels.txt.tar.gz"} {
		require.NoError(t, os.WriteFile(file(name), nil, 0o666))
	}
	const model = fixtures + "digits.tflite"
	other := "riscv64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{model, 2, "--engine: name the engines to pack; there are: "},
		{"--engine tfilte " + model, 2, `there is no engine "tfilte"; did you mean tflite?`},
		{"--engine tflite", 2, "name the models to pack, or with --program a program that contains its own"},
		{"--engine tflite --target linux " + model, 2, `--target "linux": want`},
		{"--engine tflite --target windows/amd64 " + model, 2, "archives are made for linux on 386, amd64, arm, arm64, riscv64"},
		{"--engine tflite --target linux/mips " + model, 2, "archives are made for linux on 386, "},
		{"--engine tflite --target linux/arm/v6 " + model, 1, "the SDKs for 32-bit ARM need ARMv7; build with 'anyinfer build'"},
		{"--engine tflite --out x.zip " + model, 2, `--out "x.zip": want the name of a file that ends in .tar.gz`},
		{"--engine tflite --out " + file("none/x.tar.gz") + " " + model, 1, "there is no folder \"" + file("none") + "\" to write x.tar.gz to"},
		{"--engine tflite " + fixtures + "digit.tflite", 1, "there is no file \"" + fixtures + "digit.tflite\"; did you mean "},
		{"--engine tflite " + work, 1, work + " is a folder"},
		{"--engine tflite " + file("labels.txt"), 1, "labels.txt does not end in"},
		{"--engine tflite " + fixtures + "digits.onnx", 1, "none of the engines to pack reads " + fixtures + "digits.onnx; add one of: onnxruntime, openvino"},
		{"--engine tflite " + model + " --out " + file("labels.txt.tar.gz"), 1, file("labels.txt.tar.gz") + " already exists; remove it, or choose another name with --out"},
		{"--engine litert --target linux/riscv64 " + model, 1, "there is no litert SDK for linux/riscv64; there is one for"},
		{"--engine onnxruntime --target linux/arm " + fixtures + "digits.onnx", 1, "and Debian 13 has libonnxruntime1.21 for this one"},
		{"--engine tflite,mnn " + model, 1, "mnn reads none of the models; it reads files that end in .mnn"},
		{"--engine mnn --target linux/" + other + " " + fixtures + "digits.mnn", 1, "there is no mnn for linux/" + other + " in " + root + "; compile it with 'MNN_ROOT=... anyinfer shim build mnn --target linux/" + other + "'"},
	} {
		args := append([]string{"pack"}, strings.Fields(test.args)...)
		if !strings.Contains(test.args, "--out") {
			args = append(args, "--out", file("x.tar.gz"))
		}
		code, _, stderr := command(t, args...)
		require.Equal(t, test.code, code, "%v: %s", test.args, stderr)
		require.Contains(t, stderr, test.want)
	}
	entries, err := filepath.Glob(file("x.tar.gz*"))
	require.NoError(t, err)
	require.Empty(t, entries)
}

// TestPack packs for this machine, and runs the archive in an environment with no
// other engine.
func TestPack(t *testing.T) {
	enginetest.Require(t, "tflite")
	enginetest.Require(t, "onnxruntime")
	t.Setenv("GOFLAGS", "")
	work := t.TempDir()
	code, stdout, stderr := command(t, "pack", "--engine", "tflite,onnxruntime", "--out", filepath.Join(work, "digits.tar.gz"), fixtures+"digits.tflite", fixtures+"digits.onnx")
	require.Zero(t, code, stderr)
	require.Regexp(t, `\npacked: \S+digits.tar.gz \(\S+ MB\), for linux/`+runtime.GOARCH+` with glibc 2\.\d+ or newer\nOn the target, type: tar xzf digits.tar.gz && digits/run doctor\n$`, stdout)
	board := filepath.Join(work, "it's a board's $HOME")
	require.NoError(t, os.Mkdir(board, 0o777))
	untar := exec.Command("tar", "xzf", "../digits.tar.gz")
	untar.Dir = board
	output, err := untar.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Empty(t, string(output))
	folder := filepath.Join(board, "digits")
	for _, name := range []string{"tflite/LICENSE", "onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt", "onnxruntime/Privacy.md"} {
		require.FileExists(t, filepath.Join(folder, "licenses", name))
	}
	require.FileExists(t, filepath.Join(folder, "licenses", "github.com", "anyinfer", "anyinfer", "LICENSE"))
	require.NoError(t, os.Symlink("digits/run", filepath.Join(board, "a link")))
	require.NoError(t, os.Symlink(filepath.Join(board, "a link"), filepath.Join(work, "link")))
	image, err := filepath.Abs(fixtures + "expected/digits_0_image.npy")
	require.NoError(t, err)

	run := func(dir, program string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + work, "CDPATH=" + board}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		require.NoError(t, cmd.Run(), "%s", errs.String())
		return out.String()
	}
	var engines []health
	require.NoError(t, json.Unmarshal([]byte(run("/", filepath.Join(work, "link"), "doctor", "--json")), &engines))
	ready := map[string]string{}
	for _, e := range engines {
		if e.Status == "ready" {
			ready[e.Engine] = e.Library
		}
	}
	require.Equal(t, map[string]string{
		"tflite":      filepath.Join(folder, "lib", "tflite", "libtensorflowlite_c.so"),
		"onnxruntime": filepath.Join(folder, "lib", "onnxruntime", "libonnxruntime.so.1"),
	}, ready)
	require.Regexp(t, `\ntflite +ready `, run(board, "digits/run"), "doctor is the default")
	readme, err := os.ReadFile(filepath.Join(folder, "README.txt"))
	require.NoError(t, err)
	require.Contains(t, string(readme), "\n  ./run run models/digits.tflite\n")
	require.Regexp(t, ` with glibc 2\.\d+ or newer\.\n`, string(readme))
	run(folder, "./run", "run", "models/digits.tflite", "--input", "image="+image, "--out", work)
	got, err := npy.ReadFile(filepath.Join(work, "scores.npy"))
	require.NoError(t, err)
	want, err := npy.ReadFile(fixtures + "expected/digits_0_scores.npy")
	require.NoError(t, err)
	require.InDeltaSlice(t, values.Float64s(want), values.Float64s(got), 1e-6)
}
