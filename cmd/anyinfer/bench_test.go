// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func benchJSON(t *testing.T, wantCode int, args ...string) (benchReport, string) {
	t.Helper()
	code, stdout, stderr := command(t, append([]string{"bench", "--json"}, args...)...)
	require.Equal(t, wantCode, code, stderr)
	var r benchReport
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	return r, stderr
}

func TestBench(t *testing.T) {
	enginetest(t)
	r, _ := benchJSON(t, 0, "--duration", "200ms", "--threads", "1", "--concurrency", "2", "--engine", "openvino,tflite",
		models+"digits.xml", models+"digits.bin", models+"digits.tflite")
	require.Equal(t, 0.2, r.DurationS)
	require.Equal(t, 2, r.Concurrency)
	require.False(t, r.Interrupted)
	require.NotNil(t, r.Warnings)
	require.Len(t, r.Engines, 2)
	for i, e := range r.Engines {
		require.Empty(t, e.Error)
		require.Equal(t, []string{"openvino", "tflite"}[i], e.Engine)
		require.Equal(t, []string{models + "digits.xml", models + "digits.tflite"}[i], e.File)
		require.NotEmpty(t, e.Version)
		require.Equal(t, 1, e.Threads)
		l := e.Latency
		require.IsIncreasing(t, []float64{0, l.Min, l.Max})
		require.IsNonDecreasing(t, []float64{l.Min, l.P50, l.P90, l.P95, l.P99, l.Max})
		require.GreaterOrEqual(t, e.MeasuredS, 0.2)
		require.NotEmpty(t, e.RoundP50US)
		require.InEpsilon(t, 2/(l.Mean/1e6), e.RunsPerS, 0.01, "of two sessions")
		require.InEpsilon(t, float64(e.Runs), e.MeasuredS*e.RunsPerS, 0.5, "both counted, and hardly a pause")
		require.Greater(t, e.LoadMS, 0.0)
		require.Greater(t, e.FirstRunMS, 0.0)
		require.Greater(t, e.PeakMemory, int64(1<<20), "it is told on the systems that tests run on")
		require.Less(t, e.PeakMemory, int64(1<<30))
	}
	require.Equal(t, 1.0, r.Engines[0].Ratio)
	require.Greater(t, r.Engines[0].PeakMemory, r.Engines[1].PeakMemory, "each has its own: OpenVINO is much larger")

	code, stdout, stderr := command(t, "bench", models+"digits.tflite", "--engine", "tflite", "--duration", "20ms")
	require.Zero(t, code, stderr)
	require.Regexp(t, `^tflite \S+ on CPU: \S+digits.tflite, threads: \d+`, stdout)
	require.Regexp(t, `\nENGINE +LOAD +FIRST +MIN +P50 +P90 +P99 +MAX +RUNS/S +PEAK MEM +RATIO\ntflite .* 1\.00\n`, stdout)
	require.Contains(t, stdout, "\nwarning: tflite: ", "two rounds are too few to tell")
}

// Every engine that reads the model and is there; others are named.
func TestBenchAll(t *testing.T) {
	enginetest(t)
	t.Setenv("ANYINFER_OPENVINO_LIBRARY", examine(t.Context(), "openvino").Library)
	t.Setenv("ANYINFER_SDK_DIR", t.TempDir())
	t.Setenv("ANYINFER_TFLITE_LIBRARY", "")
	_, doctor := doctorJSON(t)
	if doctor["tflite"].Status == "ready" {
		t.Skip("the system's loader has TFLite")
	}
	r, _ := benchJSON(t, 0, "--duration", "50ms", models+"digits.tflite")
	var engines []string
	for _, e := range r.Engines {
		engines = append(engines, e.Engine)
	}
	require.Contains(t, engines, "openvino")
	require.NotContains(t, engines, "tflite")
	require.Contains(t, strings.Join(r.Warnings, "\n"), "not installed; type 'anyinfer sdk install tflite'")
}

func TestBenchFails(t *testing.T) {
	enginetest(t)
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{models + "digits.onnx", "--duration", "0s"}, 2, "--duration is 0s; it can be 200ms"},
		{[]string{models + "digits.onnx", "--warmup", "-1"}, 2, "--warmup is -1"},
		{[]string{models + "digits.onnx", "--concurrency", "0"}, 2, "--concurrency is 0"},
		{[]string{models + "digits.onnx", "--engine", "openvno"}, 2, "did you mean openvino?"},
		{[]string{"nope.onnx"}, 1, `there is no file "nope.onnx"`},
		{[]string{models + "digits.onnx", "--input", "image=nope.npy"}, 1, "nope.npy"},
	} {
		code, stdout, stderr := command(t, append([]string{"bench"}, test.args...)...)
		require.Equal(t, test.code, code, stderr)
		require.Contains(t, stderr, test.want)
		require.Empty(t, stdout)
	}

	// What goes wrong in one engine leaves the other's result.
	r, stderr := benchJSON(t, 1, "--duration", "50ms", "--engine", "openvino,tflite", models+"digits.onnx")
	require.Contains(t, stderr, "tflite does not read")
	require.Contains(t, r.Engines[1].Error, "tflite does not read")
	require.NotZero(t, r.Engines[0].Runs)

	// A library that was named and is not there is no engine to leave out.
	t.Setenv("ANYINFER_TFLITE_LIBRARY", "/nowhere")
	_, stderr = benchJSON(t, 1, "--duration", "50ms", models+"digits.tflite")
	require.Contains(t, stderr, "tried /nowhere")
}

// A library whose code crashes takes its own process along and no other.
func TestBenchCrash(t *testing.T) {
	enginetest(t)
	cc, err := exec.LookPath("cc")
	if err != nil || runtime.GOOS == "windows" {
		t.Skip("needs a C compiler: ", err)
	}
	dir := t.TempDir()
	source, library := filepath.Join(dir, "crash.c"), filepath.Join(dir, "libtensorflowlite_c.so")
	require.NoError(t, os.WriteFile(source, []byte(`
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void crash(void) { fputs("the SDK's last words\n", stderr); abort(); }
`), 0o666))
	out, err := exec.Command(cc, "-shared", "-fPIC", "-o", library, source).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Setenv("ANYINFER_TFLITE_LIBRARY", library)
	r, stderr := benchJSON(t, 1, "--duration", "50ms", "--engine", "tflite,openvino", models+"digits.tflite", models+"digits.onnx")
	require.Contains(t, r.Engines[0].Error, "tflite: its process ended: ")
	require.Contains(t, stderr, "SIGABRT")
	require.NotContains(t, stderr, "goroutine")
	require.Empty(t, r.Engines[1].Error)
	require.NotZero(t, r.Engines[1].Runs)
	require.Equal(t, 1.0, r.Engines[1].Ratio, "it is the first that can be compared with")
}

// An engine that dies in the middle.
func TestBenchKilled(t *testing.T) {
	enginetest(t)
	c := &contender{engine: "tflite"}
	require.NoError(t, c.start(t.Context(), job{Engine: "tflite", Files: []string{models + "digits.tflite"}, Sessions: 1}))
	require.NoError(t, c.turn(t.Context(), time.Millisecond))
	require.NoError(t, c.worker.Process.Kill())
	require.ErrorContains(t, c.turn(t.Context(), time.Millisecond), "its process ended: ")
	c.stop()
	require.Error(t, c.finish())
}

// Workers end with whoever started them, and stay quiet in between.
func TestBenchWorker(t *testing.T) {
	enginetest(t)
	c := &contender{engine: "tflite"}
	require.NoError(t, c.start(t.Context(), job{Engine: "tflite", Files: []string{models + "digits.tflite"}, Sessions: 1, Threads: 2}))
	require.NoError(t, c.turn(t.Context(), 20*time.Millisecond))
	if runtime.GOOS == "linux" {
		worked := time.Hour
		for range 5 { // a busy machine may have kept a thread from going to sleep
			require.NoError(t, c.turn(t.Context(), 20*time.Millisecond))
			before := processTime(t, c.worker.Process.Pid)
			time.Sleep(200 * time.Millisecond)
			worked = min(worked, processTime(t, c.worker.Process.Pid)-before)
		}
		require.Less(t, worked, 2*time.Millisecond, "its threads look for work")
	}
	c.stop()
	require.NoError(t, c.finish())
	require.NoError(t, c.exit)
	require.NotZero(t, c.latencies.Runs)
}

// processTime is what the threads of a process have worked.
func processTime(t *testing.T, pid int) (d time.Duration) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		text, _ := os.ReadFile(f) // empty where it has ended
		var n time.Duration
		fmt.Sscan(string(text), &n)
		d += n
	}
	return d
}

func TestBenchInterrupt(t *testing.T) {
	enginetest(t)
	if runtime.GOOS == "windows" {
		t.Skip("no process can be interrupted there")
	}
	var r benchReport
	for wait := 2 * time.Second; ; wait *= 2 { // a busy machine takes longer until each had a round
		cmd := exec.Command(os.Args[0], "bench", "--json", "--duration", "10m", "--engine", "tflite,openvino", models+"digits.tflite")
		cmd.Env = append(os.Environ(), envMain+"=1")
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		require.NoError(t, cmd.Start())
		time.Sleep(wait)
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		start := time.Now()
		require.Error(t, cmd.Wait())
		require.Less(t, time.Since(start), stopTime)
		require.Equal(t, 130, cmd.ProcessState.ExitCode())
		require.Equal(t, "anyinfer: interrupted\n", stderr.String())
		r = benchReport{}
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

// What is measured is the Run and not the memory that measuring takes.
func TestBenchAllocates(t *testing.T) {
	enginetest(t)
	b, err := newBencher(context.Background(), job{Engine: "tflite", Files: []string{models + "digits.tflite"}, Sessions: 1, Threads: 1, Warmup: 1})
	require.NoError(t, err)
	defer b.close()
	require.Zero(t, testing.AllocsPerRun(10, func() {
		require.NoError(t, b.runners[0].round(1))
	}))
	_, err = b.round(1)
	require.NoError(t, err)
	require.Equal(t, int64(12), b.latencies().Runs)
}

func TestNoise(t *testing.T) {
	result := func(engine string, rounds ...float64) benchResult {
		return benchResult{Engine: engine, RoundP50US: rounds, Spread: spread(rounds)}
	}
	quiet := result("a", 10, 10.1, 10, 10, 9.9, 10, 50)
	require.Empty(t, noise([]benchResult{quiet}), "one accident")
	require.Empty(t, noise([]benchResult{quiet, result("b", 11, 11.2, 11, 11, 10.9, 11, 55)}), "10 % slower in each round")
	require.Empty(t, noise([]benchResult{{Engine: "failed"}}))

	texts := noise([]benchResult{quiet, result("b", 10.2, 9.9, 10.2, 9.8, 10, 10, 10)})
	require.Len(t, texts, 2)
	require.Contains(t, texts[0], "b: whether it is slower or faster than the first engine cannot be told")
	require.Contains(t, texts[1], "--duration")

	texts = noise([]benchResult{result("a", 10, 20, 30, 40, 50, 60)})
	require.Len(t, texts, 2)
	require.Contains(t, texts[0], "a: its P50 varies from round to round: 20 us to 60 us")

	require.Contains(t, noise([]benchResult{result("a", 1, 1)})[0], "2 rounds are too few")

	require.Equal(t, []float64{2, 0.5}, ratios([]float64{4, 2, 9}, []float64{2, 4}))
	require.Equal(t, 3.0, quantile([]float64{5, 1, 2, 4, 3}, 0.5))
	require.Equal(t, 5.0, quantile([]float64{5, 1, 2, 4, 3}, 1))
}

func TestLatency(t *testing.T) {
	for us, want := range map[float64]string{0.5: "0.5 us", 12.345: "12.3 us", 999: "999 us", 999.9: "1 ms", 1234: "1.23 ms", 1234567: "1.23 s"} {
		require.Equal(t, want, latency(us))
	}
}
