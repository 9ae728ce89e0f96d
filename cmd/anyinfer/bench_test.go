// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/bench"
)

func TestBench(t *testing.T) {
	requireEngines(t)
	code, stdout, stderr := command(t, "bench", fixtures+"digits.tflite", "--engine", "tflite", "--duration", "20ms")
	require.Zero(t, code, stderr)
	require.Regexp(t, `^tflite \S+ on CPU: \S+digits.tflite, threads: \d+`, stdout)
	require.Regexp(t, `\nENGINE +LOAD +FIRST +MIN +P50 +P90 +P99 +MAX +RUNS/S +PEAK MEM +RATIO\ntflite .* 1\.00\n`, stdout)
	require.Contains(t, stdout, " rounds, too few to tell speed from noise\n")

	// All flags reach the workers, and one engine's failure leaves the other's result.
	code, stdout, stderr = command(t, "bench", "--json", "--duration", "50ms", "--threads", "1", "--concurrency", "2", "--warmup", "1", "--device", "CPU",
		"--shape", "image=1,1,8,8", "--engine", "openvino,tflite", fixtures+"digits.onnx")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "tflite does not read")
	var r bench.Report
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	require.Len(t, r.Engines, 2)
	require.Equal(t, []any{0.05, 2, 1}, []any{r.DurationS, r.Concurrency, r.Warmup})
	require.Equal(t, []any{"openvino", "CPU", 1}, []any{r.Engines[0].Engine, r.Engines[0].Device, r.Engines[0].Threads})
	require.NotZero(t, r.Engines[0].Runs)
	require.Contains(t, r.Engines[1].Error, "tflite does not read")
}

func TestBenchRefuses(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{fixtures + "digits.onnx", "--duration", "0s"}, 2, "--duration is 0s; want a time such as 200ms"},
		{[]string{fixtures + "digits.onnx", "--warmup", "-1"}, 2, "--warmup is -1; want 0 or more"},
		{[]string{fixtures + "digits.onnx", "--concurrency", "0"}, 2, "--concurrency is 0; want 1 or more"},
		{[]string{fixtures + "digits.onnx", "--engine", "openvno"}, 2, "did you mean openvino?"},
		{[]string{"nope.onnx"}, 1, `there is no file "nope.onnx"`},
		{[]string{fixtures + "digits.onnx", "--input", "image=nope.npy"}, 1, "nope.npy"},
	} {
		code, stdout, stderr := command(t, append([]string{"bench"}, test.args...)...)
		require.Equal(t, test.code, code, stderr)
		require.Contains(t, stderr, test.want)
		require.Empty(t, stdout)
	}
}

// TestBenchInterrupt shows what was measured when a signal comes.
func TestBenchInterrupt(t *testing.T) {
	requireEngines(t)
	if runtime.GOOS == "windows" {
		t.Skip("processes cannot be interrupted there")
	}
	var r bench.Report
	for wait := 2 * time.Second; ; wait *= 2 { // a busy machine takes longer until each had a round
		cmd := exec.Command(os.Args[0], "bench", "--json", "--duration", "10m", "--engine", "tflite,openvino", fixtures+"digits.tflite")
		cmd.Env = append(os.Environ(), envMain+"=1")
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		require.NoError(t, cmd.Start())
		time.Sleep(wait)
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		start := time.Now()
		require.Error(t, cmd.Wait())
		require.Less(t, time.Since(start), 3*time.Second)
		require.Equal(t, 130, cmd.ProcessState.ExitCode())
		require.Equal(t, "anyinfer: interrupted\n", stderr.String())
		r = bench.Report{}
		require.NoError(t, json.Unmarshal([]byte(stdout.String()), &r))
		require.True(t, r.Interrupted)
		if len(r.Engines) == 2 || wait > 20*time.Second {
			break
		}
	}
	require.Len(t, r.Engines, 2)
	for _, e := range r.Engines {
		require.NotZero(t, e.Runs)
	}
}
