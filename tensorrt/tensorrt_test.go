// SPDX-License-Identifier: Apache-2.0

package tensorrt_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/testing/linktest"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/anyinfer/anyinfer/tensorrt"
	"github.com/stretchr/testify/require"
)

var ctx = context.Background()

const models = "../testdata/"

func TestShim(t *testing.T) { linktest.Shim(t, "tensorrt") }

func open(t *testing.T) *common.Engine {
	t.Helper()
	return enginetest.Open(t, "tensorrt", nil)
}

func load(t *testing.T, e *common.Engine, model string, o *common.Options) *common.Model {
	t.Helper()
	return enginetest.Load(t, e, enginetest.File(t, model), o)
}

// batches are Options for a batch of that range.
func batches(smallest, largest int) *common.Options {
	return &common.Options{Shapes: map[string]common.ShapeRange{"image": {
		Min: common.Shape{smallest, 1, 8, 8}, Opt: common.Shape{largest, 1, 8, 8}, Max: common.Shape{largest, 1, 8, 8},
	}}}
}

// images is a seeded batch.
func images(t *testing.T, batch int, seed uint64) *common.Tensor {
	t.Helper()
	return enginetest.Random(t, seed, common.Float32, batch, 1, 8, 8)
}

func scores(t *testing.T, m *common.Model, x *common.Tensor) []float64 {
	t.Helper()
	out, err := m.Run(ctx, common.Tensors{"image": x})
	require.NoError(t, err)
	return values.Float64s(out["scores"])
}

// before reports whether the engine's release is older.
func before(e *common.Engine, major, minor int) bool {
	var a, b int
	fmt.Sscanf(e.Info().Version, "%d.%d", &a, &b)
	return a < major || a == major && b < minor
}

// TestShapes: TensorRT builds for a range, which must be said.
func TestShapes(t *testing.T) {
	e := open(t)
	_, err := e.Load(ctx, common.File(models+"digits_dynamic.onnx"), nil)
	require.ErrorIs(t, err, common.ErrOption)
	require.ErrorContains(t, err, `input "image" is [-1x1x8x8]: TensorRT builds for a range of shapes; set it in Options.Shapes`)
	m := load(t, e, "digits_dynamic.onnx", batches(2, 4))
	require.Equal(t, common.Shape{-1, 1, 8, 8}, m.Signatures()[0].Inputs[0].Shape)
	for _, n := range []int{2, 3, 4} {
		require.Len(t, scores(t, m, images(t, n, 1)), 10*n)
	}
	for _, n := range []int{1, 5} {
		_, err = m.Run(ctx, common.Tensors{"image": images(t, n, 1)})
		require.ErrorIs(t, err, common.ErrShape)
	}
	for _, o := range []*common.Options{
		{Shapes: map[string]common.ShapeRange{"image": common.Fixed(1, 2, 8, 8)}},
		{Shapes: map[string]common.ShapeRange{"image": common.Fixed(8, 8)}},
	} {
		_, err = e.Load(ctx, common.File(models+"digits_dynamic.onnx"), o)
		require.ErrorIs(t, err, common.ErrShape)
	}
}

// TestDevices runs on each GPU and DLA core.
func TestDevices(t *testing.T) {
	e := open(t)
	x := images(t, 1, 3)
	want := scores(t, load(t, e, "digits.onnx", nil), x)
	devices, err := e.Devices(ctx)
	require.NoError(t, err)
	require.Equal(t, "GPU.0", devices[0].Name)
	for _, d := range devices {
		o := &common.Options{Device: d.Name}
		if strings.HasPrefix(d.Name, "DLA") {
			_, err := e.Load(ctx, common.File(models+"digits.onnx"), o)
			require.ErrorIs(t, err, common.ErrOption)
			require.ErrorContains(t, err, "computes in float16 and int8 only")
			if !before(e, 11, 0) {
				continue // and no option changes what the model computes in
			}
			o.Precision = common.Float16
		}
		m := load(t, e, "digits.onnx", o)
		require.Equal(t, d.Name, m.Info().Device)
		require.InDeltaSlice(t, want, scores(t, m, x), 1e-2)
	}
}

func TestOptions(t *testing.T) {
	e := open(t)
	for name, o := range map[string]common.Options{
		"threads":          {Threads: 2},
		"another's Native": {Native: struct{ Memory int }{1}},
		"workspace":        {Native: tensorrt.Options{WorkspaceBytes: -1}},
		"level":            {Native: tensorrt.Options{OptimizationLevel: 6}},
		"plugins":          {Native: tensorrt.Options{Plugins: []string{"no/such/libplugin.so"}}},
	} {
		_, err := e.Load(ctx, common.File(models+"digits.onnx"), &o)
		require.ErrorIs(t, err, common.ErrOption, name)
	}
	for native, says := range map[any]string{
		&tensorrt.Options{}: "Native is *tensorrt.Options; it takes tensorrt.Options, not a pointer",
		"text":              "Native is string; it takes tensorrt.Options",
	} {
		for _, dir := range []string{"", t.TempDir()} {
			_, err := e.Load(ctx, common.File(models+"digits.onnx"), &common.Options{Native: native, CacheDir: dir})
			require.ErrorIs(t, err, common.ErrOption)
			require.ErrorContains(t, err, says)
		}
	}
	_, err := e.Load(ctx, common.File(models+"digits.onnx"), &common.Options{Precision: common.Float16})
	if before(e, 11, 0) {
		require.NoError(t, err)
	} else {
		require.ErrorIs(t, err, common.ErrOption)
		require.ErrorContains(t, err, "since TensorRT 11 a model computes in its own types")
	}
	o := tensorrt.Options{WorkspaceBytes: 1 << 28, TF32: true}
	if !before(e, 8, 6) {
		o.OptimizationLevel = 1
	}
	m := load(t, e, "digits.onnx", &common.Options{Native: o})
	require.Equal(t, common.Float32, m.Info().Precision)
	require.Equal(t, "onnx", m.Info().Format)
	profiles, err := m.Property("profiles")
	require.NoError(t, err)
	require.Equal(t, "1", profiles)
}

// TestGraphs: the second Run with the same shapes is recorded, others are
// launched from then on.
func TestGraphs(t *testing.T) {
	e := open(t)
	plain := load(t, e, "digits_dynamic.onnx", batches(1, 4))
	o := batches(1, 4)
	o.Native = tensorrt.Options{CUDAGraphs: true}
	graphs := load(t, e, "digits_dynamic.onnx", o)
	require.Equal(t, map[string]string{"cuda_graphs": "on"}, graphs.Info().Details)
	for i, n := range []int{1, 1, 1, 1, 3, 3, 3, 1, 1, 1} {
		x := images(t, n, uint64(i))
		require.InDeltaSlice(t, scores(t, plain, x), scores(t, graphs, x), 1e-6, "run %d", i)
	}
	s := onStandin(t, e)
	require.GreaterOrEqual(t, s.calls("cuGraphLaunch"), 5)

	// A model that cannot be recorded runs without.
	again := load(t, e, "digits_dynamic.onnx", o)
	s.fault("cuStreamEndCapture")
	launched := s.calls("cuGraphLaunch")
	for i := range 4 {
		x := images(t, 2, uint64(i))
		require.InDeltaSlice(t, scores(t, plain, x), scores(t, again, x), 1e-6)
	}
	require.Equal(t, launched, s.calls("cuGraphLaunch"))
	require.Zero(t, s.mistakes())
}

func TestProfile(t *testing.T) {
	e := open(t)
	m := load(t, e, "digits.onnx", &common.Options{Profile: true, Native: tensorrt.Options{CUDAGraphs: true}})
	s := enginetest.NewSession(t, m)
	var first int
	for range 3 { // those of the last Run
		require.NoError(t, s.Run(ctx))
		layers, err := s.Profile()
		require.NoError(t, err)
		require.NotEmpty(t, layers)
		first = cmp.Or(first, len(layers))
		require.Len(t, layers, first)
	}
}

// TestLog: TensorRT's words come to the logger, and an error into what the
// caller is told.
func TestLog(t *testing.T) {
	var log enginetest.Log
	e := enginetest.Open(t, "tensorrt", &common.Config{Logger: log.Logger()})
	load(t, e, "digits.onnx", nil)
	log.Wait(t, `msg="building the plan`)
	_, err := e.Load(ctx, common.Bytes([]byte("ptrt, and no plan")).As("tensorrt"), nil)
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "TensorRT cannot load this plan")
	log.Wait(t, "level=ERROR")
	log.Wait(t, "engine=tensorrt")
}

// TestCancelBuild: a build of minutes ends soon when its context does.
func TestCancelBuild(t *testing.T) {
	e := open(t)
	s := onStandin(t, e)
	if before(e, 10, 0) {
		t.Skip("TensorRT can be interrupted since 10")
	}
	s.buildDelay(60_000)
	defer s.buildDelay(0)
	short, cancel := context.WithTimeout(ctx, 2500*time.Millisecond) // progress is logged after 2 s
	defer cancel()
	start := time.Now()
	_, err := e.Load(short, common.File(models+"digits.onnx"), nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), 30*time.Second)
}

// TestFaults has each function of CUDA and TensorRT fail once, at each of its
// first calls. It ends in a typed error, nothing stays behind, and the next
// model runs.
func TestFaults(t *testing.T) {
	e := open(t)
	s := onStandin(t, e)
	x := images(t, 2, 1)
	cycle := func(o *common.Options) error {
		m, err := e.Load(ctx, common.File(models+"digits_dynamic.onnx"), o)
		if err != nil {
			return err
		}
		defer m.Close()
		for range 3 {
			if _, err = m.Run(ctx, common.Tensors{"image": x}); err != nil {
				return err
			}
		}
		return nil
	}
	require.NoError(t, cycle(batches(1, 4)))
	before := s.leaks()
	functions := []string{
		"cuCtxPushCurrent_v2", "cuMemAlloc_v2", "cuMemAllocHost_v2", "cuStreamCreate", "cuMemcpyHtoDAsync_v2",
		"cuMemcpyDtoHAsync_v2", "cuStreamSynchronize", "createInferBuilder", "createInferRuntime", "parse", "buildSerializedNetwork",
		"deserializeCudaEngine", "createExecutionContext", "setInputShape", "setTensorAddress", "enqueueV3", "enqueueV2",
	}
	hit := map[string]int{}
	for _, name := range functions {
		for _, how := range []string{"", "!throw", "!int"} {
			for n := 1; n <= 3; n++ {
				o := batches(1, 4)
				if n == 3 {
					o.Native = tensorrt.Options{CUDAGraphs: true}
				}
				spec := fmt.Sprintf("%s%s:%d", name, how, n)
				s.fault(spec)
				err := cycle(o)
				s.fault("")
				if err != nil {
					hit[name]++
					detail := (*common.Error)(nil)
					require.ErrorAs(t, err, &detail, spec)
					require.NotErrorIs(t, err, common.ErrClosed, spec)
					require.NotErrorIs(t, err, common.ErrInUse, spec)
					require.NotEmpty(t, detail.Message, spec)
				}
				require.Equal(t, before, s.leaks(), "%s: %v", spec, err)
				require.NoError(t, cycle(batches(1, 4)), "after %s", spec)
				require.Zero(t, s.mistakes(), spec)
			}
		}
	}
	for _, name := range functions {
		if s.calls(name) > 0 {
			require.NotZero(t, hit[name], "%s never failed", name)
		}
	}
}

// TestNoDevice: without a GPU nothing of TensorRT is touched.
func TestNoDevice(t *testing.T) {
	s := onStandin(t, open(t))
	made := s.calls("createInferRuntime")
	for _, fault := range []string{"cuInit", "cuDeviceGetCount"} {
		s.fault(fault)
		_, err := common.Open("tensorrt", nil)
		s.fault("")
		require.ErrorIs(t, err, common.ErrDevice)
		require.ErrorContains(t, err, "no CUDA device")
	}
	require.Equal(t, made, s.calls("createInferRuntime"))
	open(t)
}

// TestSessions: sessions of one plan run side by side, on whatever threads.
func TestSessions(t *testing.T) {
	e := open(t)
	o := batches(1, 8)
	o.Sessions = 4
	m := load(t, e, "digits_dynamic.onnx", o)
	x := images(t, 8, 1)
	want := scores(t, m, x)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for range 50 {
				part, err := common.FromSlice(must(common.Data[float32](x))[:64*(2*n+1)], 2*n+1, 1, 8, 8)
				if err != nil {
					t.Error(err)
					return
				}
				out, err := m.Run(ctx, common.Tensors{"image": part})
				if err != nil {
					t.Error(err)
					return
				}
				for i, v := range values.Float64s(out["scores"]) {
					if diff := v - want[i]; diff > 1e-6 || diff < -1e-6 {
						t.Errorf("batch %d, score %d: %v, not %v", 2*n+1, i, v, want[i])
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestProfilesInUse: before 8.6 a profile serves one context. A plan has one for
// each of Sessions and one more.
func TestProfilesInUse(t *testing.T) {
	e := open(t)
	m := load(t, e, "digits_dynamic.onnx", batches(1, 4))
	run := func() (*common.Session, error) {
		s, err := m.NewSession(ctx, "")
		if err == nil {
			err = s.BindInput(0, images(t, 3, 1))
		}
		if err == nil {
			err = s.Run(ctx)
		}
		return s, err
	}
	first, err := run()
	require.NoError(t, err)
	_, err = run()
	require.NoError(t, err)
	_, err = run()
	if !before(e, 8, 6) {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, common.ErrRun)
	require.ErrorContains(t, err, "load with Options.Sessions")
	require.NoError(t, first.Close())
	_, err = run()
	require.NoError(t, err)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
