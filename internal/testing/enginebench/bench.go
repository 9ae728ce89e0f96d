// SPDX-License-Identifier: Apache-2.0

// Package enginebench has the benchmarks that engines share. What Session.Run costs beyond the native calls
// is measured against a loop in C over the same calls, on the same library, built here with the C compiler of
// the machine.
//
//	func BenchmarkSession(b *testing.B) {
//		enginebench.Session(b, enginebench.Case{Engine: "tflite", Model: "../testdata/digits.tflite"})
//	}
//
//	go test ./tflite -run='^$' -bench=.
package enginebench

import (
	"bufio"
	"context"
	"embed"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/cinclude"
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/toolchain"
	"github.com/stretchr/testify/require"
)

// Case is a model with one float32 input and output.
type Case struct {
	Engine string
	Model  string       // its file
	Shape  common.Shape // of the input, if the model has a dynamic one
	Args   []string     // of the loop in C, after the library, the sizes and the model
}

const (
	rounds = 25  // before those of -benchtime
	warmUp = 100 // calls before each slice, as in loop.h
)

var ctx = context.Background()

// side makes n calls, and returns how long they took and the sum of the outputs.
type side func(n int) (time.Duration, float64)

// compare has the sides make calls in slices of time by turns, so that what else the machine does falls on
// all alike. It returns the nanoseconds of a call, by side and round, and how many calls a side made.
func compare(b *testing.B, slice time.Duration, sides ...side) (perCall [][]float64, calls int) {
	n := 1 // what one slice has room for
	for d, _ := sides[0](n); d < slice; d, _ = sides[0](n) {
		n *= 2
	}
	perCall = make([][]float64, len(sides))
	for len(perCall[0]) < rounds || b.Loop() {
		sums, first := make([]float64, len(sides)), len(perCall[0])
		for turn := range sides { // another one comes first in each round
			k := (turn + first) % len(sides)
			d, sum := sides[k](n)
			sums[k], perCall[k] = sum, append(perCall[k], float64(d.Nanoseconds())/float64(n))
		}
		require.InDeltaSlice(b, slices.Repeat(sums[:1], len(sums)), sums, 1e-5*max(1, math.Abs(sums[0])), "sums of the outputs")
	}
	b.ReportMetric(0, "ns/op") // suppressed: an op here is a round
	return perCall, (n + warmUp) * len(perCall[0])
}

// compareWith reports what run costs beside other, which has that name. The metrics are medians: of each
// side's ns/op, and of their difference (over-ns/op) and ratio in each round. quiet-over-ns/op is the
// difference of the 10th percentiles, which other programs on the machine affect least.
func compareWith(b *testing.B, name string, other, run side) {
	var mallocs, bytes uint64
	times, calls := compare(b, time.Millisecond, other, func(n int) (time.Duration, float64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before) // stops the world: not after the warm-up
		run(warmUp)
		d, sum := run(n)
		runtime.ReadMemStats(&after)
		mallocs += after.Mallocs - before.Mallocs
		bytes += after.TotalAlloc - before.TotalAlloc
		return d, sum
	})
	b.ReportMetric(quantile(times[0], 0.5), name+"-ns/op")
	b.ReportMetric(quantile(times[1], 0.5), "go-ns/op")
	b.ReportMetric(median(times[1], times[0], func(g, c float64) float64 { return g - c }), "over-ns/op")
	b.ReportMetric(quantile(times[1], 0.1)-quantile(times[0], 0.1), "quiet-over-ns/op")
	b.ReportMetric(median(times[1], times[0], divide), "go/"+name)
	b.ReportAllocs()
	b.ReportMetric(float64(mallocs/uint64(calls)), "allocs/op") // whole ones: the runtime has a few of its own
	b.ReportMetric(float64(bytes/uint64(calls)), "B/op")
}

// timed makes calls of call, which returns the outputs.
func timed(b *testing.B, call func() ([]float32, error)) side {
	return func(n int) (time.Duration, float64) {
		var out []float32
		var err error
		start := time.Now()
		for range n {
			if out, err = call(); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start), sum(out)
	}
}

// Session compares Session.Run with the loop in C.
func Session(b *testing.B, c Case) {
	m := load(b, c, 1)
	s := enginetest.NewSession(b, m)
	in, out := fill(b, c, s)
	native := startLoop(b, c, c.Engine, m, len(in), len(out))
	one := b.Context()
	other, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, kind := range []struct {
		name string
		ctxs [2]context.Context // used by turns
	}{
		{"background", [2]context.Context{ctx, ctx}},
		{"cancellable", [2]context.Context{one, one}},
		{"cancellable-each", [2]context.Context{one, other}}, // as if each Run had its own
	} {
		b.Run(kind.name, func(b *testing.B) {
			// A loop of its own: after a Run, the variables of a closure would not be in the cache.
			compareWith(b, "c", native, func(n int) (time.Duration, float64) {
				ctxs, start := kind.ctxs, time.Now()
				for i := range n {
					if err := s.Run(ctxs[i&1]); err != nil {
						b.Fatal(err)
					}
				}
				return time.Since(start), sum(out)
			})
		})
	}
}

// Model compares Model.Run, which copies inputs and outputs, and a session that is acquired for one Run with
// Session.Run.
func Model(b *testing.B, c Case) {
	m := load(b, c, 1)
	s := enginetest.NewSession(b, m)
	_, out := fill(b, c, s)
	in, session := s.Input(0), func() ([]float32, error) { return out, s.Run(ctx) }
	b.Run("run", func(b *testing.B) { compareWith(b, "session", timed(b, session), timed(b, modelRun(m, in))) })
	b.Run("acquire", func(b *testing.B) {
		compareWith(b, "session", timed(b, session), timed(b, func() ([]float32, error) {
			s, err := m.AcquireSession(ctx, "")
			if err != nil {
				return nil, err
			}
			defer s.Close()
			if err := errors.Join(s.BindInput(0, in), s.Run(ctx)); err != nil {
				return nil, err
			}
			return common.Data[float32](s.Output(0))
		}))
	})
}

func modelRun(m *common.Model, in *common.Tensor) func() ([]float32, error) {
	signature := m.Signatures()[0]
	tensors := common.Tensors{signature.Inputs[0].Name: in}
	return func() ([]float32, error) {
		out, err := m.Run(ctx, tensors)
		if err != nil {
			return nil, err
		}
		return common.Get[float32](out, signature.Outputs[0].Name)
	}
}

// Throughput compares how many Runs a second n goroutines and n threads of the loop in C make. Each thread
// has all that it needs for itself; the goroutines have a Session each, or call Model.Run of one model with n
// Sessions. The metrics are medians: thousands of Runs a second (kruns/s) of each side, and the ratios of
// Go's to C's in each round. Those that are quiet are ratios of the 90th percentiles: what the machine does
// where it was not busy otherwise.
func Throughput(b *testing.B, c Case, n int) {
	m := load(b, c, n)
	sessions, models := make([]func() ([]float32, error), n), make([]func() ([]float32, error), n)
	var inElements, outElements int
	for i := range n {
		s := enginetest.NewSession(b, m)
		in, out := fill(b, c, s)
		inElements, outElements = len(in), len(out)
		sessions[i], models[i] = func() ([]float32, error) { return out, s.Run(ctx) }, modelRun(m, s.Input(0))
	}
	native := startLoop(b, c, "parallel_"+c.Engine, m, inElements, outElements, strconv.Itoa(n))
	// Threads begin and end a few microseconds apart, so slices are longer.
	times, _ := compare(b, 10*time.Millisecond, native, inParallel(b, sessions), inParallel(b, models))
	for i, name := range []string{"c", "session", "model"} {
		b.ReportMetric(1e6*float64(n)/quantile(times[i], 0.5), name+"-kruns/s")
		if i > 0 {
			b.ReportMetric(median(times[0], times[i], divide), name+"/c")
			b.ReportMetric(quantile(times[0], 0.1)/quantile(times[i], 0.1), "quiet-"+name+"/c")
		}
	}
}

// inParallel has each worker in a goroutine, and takes as long as the slowest.
func inParallel(b *testing.B, workers []func() ([]float32, error)) side {
	return func(n int) (time.Duration, float64) {
		var warm, done sync.WaitGroup
		begin, sums := make(chan struct{}), make([]float64, len(workers))
		warm.Add(len(workers))
		for i, w := range workers {
			done.Go(func() {
				var out []float32
				var err error
				for call := range warmUp + n {
					if call == warmUp {
						warm.Done()
						<-begin
					}
					if out, err = w(); err != nil {
						b.Error(err)
					}
				}
				sums[i] = sum(out)
			})
		}
		warm.Wait()
		start := time.Now()
		close(begin)
		done.Wait()
		return time.Since(start), sum(sums)
	}
}

// load loads the model with one thread a session.
func load(b *testing.B, c Case, sessions int) *common.Model {
	b.Helper()
	e := enginetest.Open(b, c.Engine, nil)
	if strings.Contains(e.Info().Version, "standin") {
		b.Skip("a stand-in's speed means nothing")
	}
	o := &common.Options{Threads: 1, Sessions: sessions}
	m, err := e.Load(ctx, common.File(c.Model), o)
	if errors.Is(err, common.ErrOption) { // a GPU has no threads
		o.Threads = 0
		m, err = e.Load(ctx, common.File(c.Model), o)
	}
	require.NoError(b, err)
	return m
}

// fill gives s the input that the loop in C has, and returns its memory.
func fill(b *testing.B, c Case, s *common.Session) (in, out []float32) {
	b.Helper()
	if c.Shape != nil {
		t, err := common.NewTensor(common.Float32, c.Shape...)
		require.NoError(b, errors.Join(err, s.BindInput(0, t), s.Run(ctx))) // which makes the output
	}
	in, err := common.Data[float32](s.Input(0))
	require.NoError(b, err)
	for i := range in {
		in[i] = float32(i % 17)
	}
	out, err = common.Data[float32](s.Output(0))
	require.NoError(b, err)
	return in, out
}

//go:embed testdata
var sources embed.FS

// startLoop compiles testdata/name.c, or for an SDK in C++ name.cc, and starts it: a process that makes
// native calls for each number that it reads. It skips the benchmark if there is no compiler or SDK.
func startLoop(b *testing.B, c Case, name string, m *common.Model, in, out int, args ...string) side {
	b.Helper()
	library := m.Engine().Library
	if runtime.GOOS == "windows" || library == "linked" {
		b.Skip("the loop in C needs a library to open with dlopen")
	}
	language, source := toolchain.C, name+".c"
	var sdk []string
	if recipe, ok := toolchain.Find(name); ok {
		language, source = toolchain.CXX, name+".cc"
		var err error
		if sdk, err = recipe.ProgramFlags(); err != nil {
			b.Skip(err)
		}
	}
	compiler, err := language.Compiler()
	if err != nil {
		enginetest.Missing(b, err.Error())
	}
	dir := b.TempDir()
	require.NoError(b, os.CopyFS(dir, sources))
	require.NoError(b, os.CopyFS(filepath.Join(dir, "testdata"), cinclude.Headers))
	program := filepath.Join(dir, name)
	flags := slices.Concat(compiler[1:], []string{"-O2", "-o", program, filepath.Join(dir, "testdata", source)}, sdk, []string{"-ldl", "-pthread"})
	text, err := exec.Command(compiler[0], flags...).CombinedOutput()
	require.NoError(b, err, "%s", text)
	cmd := exec.Command(program, slices.Concat([]string{library, strconv.Itoa(in), strconv.Itoa(out), c.Model}, args, c.Args)...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { stdin.Close(); cmd.Wait() })
	answers := bufio.NewReader(stdout)
	return func(n int) (time.Duration, float64) {
		fmt.Fprintln(stdin, n)
		line, _ := answers.ReadString('\n')
		var ns int64
		var sum float64
		if _, err := fmt.Sscan(line, &ns, &sum); err != nil {
			panic(fmt.Sprintf("the loop in C answers %q", line))
		}
		return time.Duration(ns), sum
	}
}

func sum[T float32 | float64](values []T) (sum float64) {
	for _, v := range values {
		sum += float64(v)
	}
	return sum
}

func quantile(values []float64, q float64) float64 {
	return slices.Sorted(slices.Values(values))[int(q*float64(len(values)))]
}

// median is that of f in each round.
func median(a, b []float64, f func(a, b float64) float64) float64 {
	all := make([]float64, len(a))
	for i := range a {
		all[i] = f(a[i], b[i])
	}
	return quantile(all, 0.5)
}

func divide(a, b float64) float64 { return a / b }
