// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
)

// envFragile is the variable that makes the test binary register an engine that models can crash. It is the path of a file
// to which each Load appends the process's ID.
const envFragile = "ANYINFER_TEST_FRAGILE"

func registerFragile() {
	vector := func(name string) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: common.Shape{2}}}
	}
	(&fake.Engine{
		Name:       "fragile",
		Formats:    []common.Format{{Name: "fragile", Extensions: []string{".fragile"}}},
		Signatures: []common.Signature{{Inputs: vector("x"), Outputs: vector("y")}},
		Load: func(files *common.ModelFiles, _ common.Options) error {
			log, err := os.OpenFile(os.Getenv(envFragile), os.O_APPEND|os.O_WRONLY, 0)
			if err == nil { // which the sandbox forbids
				fmt.Fprintln(log, os.Getpid())
				log.Close()
			}
			if string(files.Bytes(0)) == "crash" {
				panic("assertion failed")
			}
			return nil
		},
		Run: func(_ context.Context, _ int, in, out []*common.Tensor) error {
			copy(out[0].Bytes(), in[0].Bytes())
			return nil
		},
	}).Register()
}

// TestIsolation: a model that crashes its engine does not crash the command, unless it is told not to probe.
func TestIsolation(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no isolated engines on Windows")
	}
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	loads, good, crash := write("loads", ""), write("good.fragile", "good"), write("crash.fragile", "crash")
	t.Setenv(envFragile, loads)
	photo := fixtures + "astronaut.jpg"
	const words = "panic: assertion failed"
	for _, test := range []struct {
		line  []string
		code  int
		out   string // a part of the output
		loads int    // in how many processes
	}{
		{[]string{"run", good}, 0, "run", 2},
		{[]string{"run", good}, 0, "run", 1},
		{[]string{"inspect", good}, 0, "x", 1},
		{[]string{"run", good, "--threads", "1"}, 0, "run", 2},
		{[]string{"run", good, "--threads", "2", "--no-probe"}, 0, "run", 1},
		{[]string{"run", good, "--isolate"}, 0, "run", 0},
		{[]string{"bench", good, "--duration", "10ms"}, 0, "fragile  ", 1},
		{[]string{"bench", good, "--duration", "10ms", "--isolate"}, 0, "(isolated)", 0},
		{[]string{"run", crash}, exitFailure, "has ended in load: " + words, 1},
		{[]string{"run", crash}, exitFailure, "has ended in load: " + words, 0},
		{[]string{"inspect", crash}, exitFailure, "has ended in load: " + words, 0},
		{[]string{"see", crash, photo}, exitFailure, "has ended in load: " + words, 0},
		{[]string{"bench", crash}, exitFailure, "has ended in load: " + words, 0},
		{[]string{"run", crash, "--isolate"}, exitFailure, words, 0},
		{[]string{"see", crash, photo, "--isolate"}, exitFailure, words, 0},
		{[]string{"bench", crash, "--isolate"}, exitFailure, words, 0},
		{[]string{"run", crash, "--no-probe"}, 2, "panic: ", 1}, // the exit code of Go's runtime
	} {
		require.NoError(t, os.Truncate(loads, 0))
		code, stdout, stderr := process(t, test.line...)
		require.Equal(t, test.code, code, "%v\n%s%s", test.line, stdout, stderr)
		require.Contains(t, stdout+stderr, test.out, "%v", test.line)
		text, err := os.ReadFile(loads)
		require.NoError(t, err)
		require.Equal(t, test.loads, strings.Count(string(text), "\n"), "%v", test.line)
	}
	require.DirExists(t, filepath.Join(dir, "cache", "anyinfer", "probe"))
}
