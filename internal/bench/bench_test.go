// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/isolate"
	_ "github.com/anyinfer/anyinfer/openvino"
	_ "github.com/anyinfer/anyinfer/tflite"
)

const models = "../../testdata/"

// TestMain makes the test binary a worker where Run starts it as one.
func TestMain(m *testing.M) {
	isolate.Main()
	if len(os.Args) > 1 && os.Args[1] == WorkerCommand {
		if err := Work(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func requireEngines(t *testing.T) {
	t.Helper()
	enginetest.Require(t, "openvino")
	enginetest.Require(t, "tflite")
}

func TestRun(t *testing.T) {
	requireEngines(t)
	var progress []string
	r, err := Run(t.Context(), Config{
		Engines: []string{"openvino", "tflite"}, Duration: 200 * time.Millisecond,
		Workload: Workload{Files: []string{models + "digits.xml", models + "digits.bin", models + "digits.tflite"}, Threads: 1, Sessions: 2, Warmup: 1},
		Progress: func(text string) { progress = append(progress, text) },
	})
	require.NoError(t, err)
	require.Equal(t, []string{"openvino: loading the model", "tflite: loading the model"}, progress[:2])
	require.Equal(t, "openvino: round 1 of about 20, 0s left", progress[2])
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
	require.Equal(t, r.Engines[1].Latency.P50/r.Engines[0].Latency.P50, r.Engines[1].Ratio)
	require.Greater(t, r.Engines[0].PeakMemory, r.Engines[1].PeakMemory, "each has its own: OpenVINO is much larger")
}

// TestRunAll has an engine that is not installed left out.
func TestRunAll(t *testing.T) {
	requireEngines(t)
	t.Setenv("ANYINFER_OPENVINO_LIBRARY", openvinoLibrary(t))
	t.Setenv("ANYINFER_SDK_DIR", t.TempDir())
	t.Setenv("ANYINFER_TFLITE_LIBRARY", "")
	c := Config{Engines: []string{"tflite", "openvino"}, Duration: 50 * time.Millisecond, SkipMissing: true,
		Workload: Workload{Files: []string{models + "digits.tflite"}, Sessions: 1}}
	r, err := Run(t.Context(), c)
	require.NoError(t, err)
	require.Len(t, r.Engines, 1)
	require.Equal(t, "openvino", r.Engines[0].Engine)
	require.Contains(t, strings.Join(r.Warnings, "\n"), "not installed; type 'anyinfer sdk install tflite'")

	c.SkipMissing = false
	r, err = Run(t.Context(), c)
	require.ErrorContains(t, err, "tflite is not installed")
	require.Len(t, r.Engines, 2)

	// A library that is named and missing is an error, not an engine to leave out.
	t.Setenv("ANYINFER_TFLITE_LIBRARY", "/nowhere")
	c.SkipMissing = true
	r, err = Run(t.Context(), c)
	require.ErrorContains(t, err, "tried /nowhere")
	require.Len(t, r.Engines, 2)
}

func openvinoLibrary(t *testing.T) string {
	t.Helper()
	e, err := common.Open("openvino", nil)
	require.NoError(t, err)
	defer e.Close()
	return e.Info().Library
}

// TestRunFails measures one engine where the other one cannot read the model.
func TestRunFails(t *testing.T) {
	requireEngines(t)
	r, err := Run(t.Context(), Config{Engines: []string{"openvino", "tflite"}, Duration: 50 * time.Millisecond,
		Workload: Workload{Files: []string{models + "digits.onnx"}, Sessions: 1}})
	require.ErrorContains(t, err, "tflite does not read")
	require.Contains(t, r.Engines[1].Error, "tflite does not read")
	require.NotZero(t, r.Engines[0].Runs)
}

// TestRunCanceled has what was measured before the context ended.
func TestRunCanceled(t *testing.T) {
	requireEngines(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := Run(ctx, Config{Engines: []string{"tflite", "openvino"}, Duration: 10 * time.Minute,
		Workload: Workload{Files: []string{models + "digits.tflite"}, Sessions: 1},
		Progress: func(text string) {
			if strings.HasPrefix(text, "tflite: round 2 ") {
				cancel()
			}
		}})
	require.Equal(t, context.Canceled.Error(), err.Error())
	require.True(t, r.Interrupted)
	require.Len(t, r.Engines, 2)
	for _, e := range r.Engines {
		require.NotZero(t, e.Runs, e.Engine)
	}
}

// TestRunCrash has a library whose code crashes end its worker and nothing else.
func TestRunCrash(t *testing.T) {
	requireEngines(t)
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
	r, err := Run(t.Context(), Config{Engines: []string{"tflite", "openvino"}, Duration: 50 * time.Millisecond,
		Workload: Workload{Files: []string{models + "digits.tflite", models + "digits.onnx"}, Sessions: 1}})
	require.Contains(t, r.Engines[0].Error, "tflite: its process ended: ")
	require.ErrorContains(t, err, "SIGABRT")
	require.NotContains(t, err.Error(), "goroutine")
	require.Empty(t, r.Engines[1].Error)
	require.NotZero(t, r.Engines[1].Runs)
	require.Equal(t, 1.0, r.Engines[1].Ratio, "it is the first that can be compared with")
}

// TestWorkerKilled ends the process of an engine between two rounds.
func TestWorkerKilled(t *testing.T) {
	requireEngines(t)
	c := &contender{engine: "tflite"}
	require.NoError(t, c.start(t.Context(), job{"tflite", Workload{Files: []string{models + "digits.tflite"}, Sessions: 1}}))
	require.NoError(t, c.runRound(t.Context(), time.Millisecond))
	require.NoError(t, c.worker.Process.Kill())
	require.ErrorContains(t, c.runRound(t.Context(), time.Millisecond), "its process ended: ")
	c.stop()
	require.Error(t, c.finish())
}

// TestWorkerIdle checks that a worker uses no CPU time between its rounds, and ends
// when its input does.
func TestWorkerIdle(t *testing.T) {
	requireEngines(t)
	c := &contender{engine: "tflite"}
	require.NoError(t, c.start(t.Context(), job{"tflite", Workload{Files: []string{models + "digits.tflite"}, Sessions: 1, Threads: 2}}))
	require.NoError(t, c.runRound(t.Context(), 20*time.Millisecond))
	if runtime.GOOS == "linux" {
		worked := time.Hour
		for range 5 { // a busy machine may keep a thread from going to sleep
			require.NoError(t, c.runRound(t.Context(), 20*time.Millisecond))
			before := processTime(t, c.worker.Process.Pid)
			time.Sleep(200 * time.Millisecond)
			worked = min(worked, processTime(t, c.worker.Process.Pid)-before)
		}
		require.Less(t, worked, 2*time.Millisecond, "its threads spin")
	}
	c.stop()
	require.NoError(t, c.finish())
	require.NoError(t, c.exit)
	require.NotZero(t, c.latencies.Runs)
}

// processTime is the CPU time of the threads of a process.
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

// TestRoundAllocates has measuring allocate nothing, which would disturb the Runs.
func TestRoundAllocates(t *testing.T) {
	requireEngines(t)
	b, err := newBencher(context.Background(), job{"tflite", Workload{Files: []string{models + "digits.tflite"}, Sessions: 1, Threads: 1, Warmup: 1}})
	require.NoError(t, err)
	defer b.close()
	require.Zero(t, testing.AllocsPerRun(10, func() {
		require.NoError(t, b.runners[0].round(1))
	}))
	_, err = b.round(1)
	require.NoError(t, err)
	require.Equal(t, int64(12), b.latencies().Runs)
}

func TestNoiseWarnings(t *testing.T) {
	result := func(engine string, rounds ...float64) Result {
		return Result{Engine: engine, RoundP50US: rounds, Spread: spread(rounds)}
	}
	quiet := result("a", 10, 10.1, 10, 10, 9.9, 10, 50)
	require.Empty(t, noiseWarnings([]Result{quiet}), "one accident")
	require.Empty(t, noiseWarnings([]Result{quiet, result("b", 11, 11.2, 11, 11, 10.9, 11, 55)}), "10 % slower in each round")
	require.Empty(t, noiseWarnings([]Result{{Engine: "failed"}}))

	texts := noiseWarnings([]Result{quiet, result("b", 10.2, 9.9, 10.2, 9.8, 10, 10, 10)})
	require.Len(t, texts, 2)
	require.Contains(t, texts[0], "b: it may be slower or faster than the first engine")
	require.Contains(t, texts[1], "measure for longer")

	texts = noiseWarnings([]Result{result("a", 10, 20, 30, 40, 50, 60)})
	require.Len(t, texts, 2)
	require.Contains(t, texts[0], "a: its P50 varies between rounds, from 20 us to 60 us")

	require.Contains(t, noiseWarnings([]Result{result("a", 1, 1)})[0], "2 rounds, too few")

	require.Equal(t, []float64{2, 0.5}, ratios([]float64{4, 2, 9}, []float64{2, 4}))
	require.Equal(t, 3.0, quantile([]float64{5, 1, 2, 4, 3}, 0.5))
	require.Equal(t, 5.0, quantile([]float64{5, 1, 2, 4, 3}, 1))
}

func TestFormatLatency(t *testing.T) {
	for us, want := range map[float64]string{0.5: "0.5 us", 12.345: "12.3 us", 999: "999 us", 999.9: "1 ms", 1234: "1.23 ms", 1234567: "1.23 s"} {
		require.Equal(t, want, FormatLatency(us))
	}
}
