// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/testing/headercheck"
	_ "github.com/anyinfer/anyinfer/openvino"
)

var ctx = context.Background()

const float, int64s, text = 1, 7, 8 // values of TensorProto.DataType

func file(name string) common.Source { return common.File("../testdata/" + name) }

func source(model []byte) common.Source { return common.Bytes(model).As("onnx") }

// relu is y = Relu(x) with the dimensions dims.
func relu(dims ...any) []byte {
	return onnx([]value{{"x", float, dims}}, []value{{"y", float, dims}}, node{op: "Relu", ins: []string{"x"}, outs: []string{"y"}})
}

func tensor[T common.Elem](t testing.TB, data []T, shape ...int) *common.Tensor {
	t.Helper()
	x, err := common.FromSlice(data, shape...)
	require.NoError(t, err)
	return x
}

// driverOf opens a driver without package common.
func driverOf(t *testing.T, native any) *driver {
	t.Helper()
	enginetest.Require(t, engine)
	d, err := open(common.Config{Logger: new(enginetest.Log).Logger(), Native: native})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*driver)
}

func data[T common.Elem](t testing.TB, x *common.Tensor) []T {
	t.Helper()
	d, err := common.Data[T](x)
	require.NoError(t, err)
	return d
}

// withRelease is d as it is with a library of release 1.x.
func withRelease(t *testing.T, d *driver, release int) *driver {
	t.Helper()
	lib, err := dylib.Open(spec, symbols, "")
	require.NoError(t, err)
	base := make([]uintptr, baseFunctions)
	dylib.CopyOut(base, lib.Call(fnGetAPIBase))
	older := *d
	older.release, older.info.Version = release, fmt.Sprintf("1.%d.0", release)
	older.api = bindAPI(lib.Path, dylib.FromTable(lib.Path, base).Call(baseGetAPI, dylib.Int(release)), release)
	return &older
}

func TestOptions(t *testing.T) {
	e := enginetest.Open(t, engine, nil)
	x := common.Tensors{"x": tensor(t, []float32{-1, 2}, 2)}
	for name, o := range map[string]Options{
		"disable": {Optimization: "disable"}, "basic": {Optimization: "basic"}, "extended": {Optimization: "extended"}, "all": {Optimization: "all"},
		"config":     {Config: map[string]string{"session.intra_op.allow_spinning": "1", "session.disable_prepacking": "1"}},
		"run config": {RunConfig: map[string]string{"memory.enable_memory_arena_shrinkage": "cpu:0"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := enginetest.Load(t, e, source(relu(2)), &common.Options{Threads: 2, Sessions: 2, Native: o})
			for range 2 {
				out, err := m.Run(ctx, x)
				require.NoError(t, err)
				require.Equal(t, []float32{0, 2}, data[float32](t, out["y"]))
			}
		})
	}
	for name, o := range map[string]common.Options{
		"level":              {Native: Options{Optimization: "most"}},
		"NUL":                {Native: Options{Config: map[string]string{"session\x00": "1"}}},
		"no key":             {Native: Options{RunConfig: map[string]string{"": "1"}}},
		"options of the CPU": {Native: Options{Provider: map[string]string{"device_id": "0"}}},
		"no library":         {Native: Options{CustomOps: []string{filepath.Join(t.TempDir(), "missing.so")}}},
		"run config":         {Native: Options{RunConfig: map[string]string{"memory.enable_memory_arena_shrinkage": "moon:0"}}},
		"float16":            {Precision: common.Float16},
	} {
		t.Run("refused "+name, func(t *testing.T) {
			m, err := e.Load(ctx, source(relu(2)), &o)
			if err == nil {
				_, err = m.Run(ctx, x)
				require.NoError(t, m.Close())
				require.ErrorIs(t, err, common.ErrRun)
				return
			}
			require.ErrorIs(t, err, common.ErrOption)
		})
	}
}

// TestCustomOps: a library's operators run, also where the model comes from the cache.
func TestCustomOps(t *testing.T) {
	library := filepath.Join(t.TempDir(), "libtwice.so")
	enginetest.Require(t, engine)
	out, err := exec.Command("cc", "-shared", "-fPIC", "-I", headercheck.ONNXRuntime(t), "-o", library, "testdata/customop.c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	model := onnx([]value{{"x", float, []any{"n"}}}, []value{{"y", float, []any{"n"}}}, node{op: "Twice", domain: "test.anyinfer", ins: []string{"x"}, outs: []string{"y"}})
	e := enginetest.Open(t, engine, nil)
	_, err = e.Load(ctx, source(model), nil)
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "Twice")
	o := &common.Options{Native: Options{CustomOps: []string{library}}, CacheDir: filepath.Join(t.TempDir(), "cache")}
	for range 2 {
		out, err := enginetest.Load(t, e, source(model), o).Run(ctx, common.Tensors{"x": tensor(t, []float32{1, 2, 3}, 3)})
		require.NoError(t, err)
		require.Equal(t, []float32{2, 4, 6}, data[float32](t, out["y"]))
	}
}

// TestStrings: strings go in and out as they are, with any bytes, and each Run reads them again.
func TestStrings(t *testing.T) {
	e := enginetest.Open(t, engine, nil)
	m := enginetest.Load(t, e, source(onnx([]value{{"x", text, []any{"n"}}, {"fixed", text, []any{2}}}, []value{{"y", text, []any{"n"}}, {"z", text, []any{2}}},
		node{op: "Identity", ins: []string{"x"}, outs: []string{"y"}}, node{op: "Identity", ins: []string{"fixed"}, outs: []string{"z"}})), nil)
	s := enginetest.NewSession(t, m)
	for _, words := range [][]string{{"a", "", "ü\x00b"}, {"longer than the first", "1", "2"}, {}} {
		require.NoError(t, s.BindInput(0, tensor(t, words, len(words))))
		fixed := tensor(t, []string{"one", "two"}, 2)
		require.NoError(t, s.BindInput(1, fixed))
		for _, second := range []string{"two", "three"} {
			data[string](t, fixed)[1] = second
			require.NoError(t, s.Run(ctx))
			require.Equal(t, words, append([]string{}, data[string](t, s.Output(0))...))
			require.Equal(t, []string{"one", second}, data[string](t, s.Output(1)))
		}
	}
}

// TestORTFormat loads a file in ONNX Runtime's own format, which ONNX Runtime makes.
func TestORTFormat(t *testing.T) {
	d := driverOf(t, nil)
	path := filepath.Join(t.TempDir(), "relu.ort")
	s, err := d.newSettings(ctx, common.Options{Native: Options{Config: map[string]string{"session.save_model_format": "ORT"}}})
	require.NoError(t, err)
	options, err := d.sessionOptions(s)
	require.NoError(t, err)
	defer d.free(fnReleaseSessionOptions, options)
	require.NoError(t, d.call(common.ErrOption, fnSetOptimizedModelFilePath, dylib.Int(options), osString(path)))
	session, err := d.newSession(ctx, relu(2, "n"), options)
	require.NoError(t, err)
	d.free(fnReleaseSession, session)
	m, err := common.Load(ctx, common.File(path), nil)
	require.NoError(t, err)
	defer m.Close()
	require.Equal(t, "ort", m.Info().Format)
	out, err := m.Run(ctx, common.Tensors{"x": tensor(t, []float32{-1, 3}, 2, 1)})
	require.NoError(t, err)
	require.Equal(t, []float32{0, 3}, data[float32](t, out["y"]))
	bytes, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "ort", common.Bytes(bytes).Format())
}

// TestOlder: what an older release lacks is refused by the number of the first one that has it, and loading does without
// the flag that cancels it.
func TestOlder(t *testing.T) {
	d := withRelease(t, driverOf(t, nil), oldest)
	_, err := d.readExternal(files(t, "../testdata/edges.onnx"))
	require.NoError(t, err)
	external := t.TempDir() + "/model.onnx"
	require.NoError(t, os.WriteFile(external, join(number(1, 8), field(7, field(5, join(field(8, "w"), field(13, join(field(1, "location"), field(2, "w.bin"))))))), 0o600))
	_, err = d.readExternal(files(t, external))
	require.ErrorIs(t, err, common.ErrVersion)
	require.ErrorContains(t, err, "1.18")
	err = d.register(map[string]string{"x": "libx.so"})
	require.ErrorIs(t, err, common.ErrVersion)
	require.ErrorContains(t, err, "1.22")
	options, err := d.sessionOptions(settings{provider: providers[0]})
	require.NoError(t, err)
	defer d.free(fnReleaseSessionOptions, options)
	session, err := d.newSession(ctx, relu(2), options)
	require.NoError(t, err)
	d.free(fnReleaseSession, session)
	devices, err := d.Devices(ctx)
	require.NoError(t, err)
	require.Equal(t, "CPU", devices[0].Name)
	for version, release := range map[string]int{"1.17.3": 17, "1.32.0": 32, "2.0.0": 0, "": 0, "1.x": 0} {
		require.Equal(t, release, parseRelease(version), version)
	}
}

func files(t *testing.T, name string) *common.ModelFiles {
	f, err := common.OpenFiles(ctx, common.File(name), false)
	require.NoError(t, err)
	t.Cleanup(f.Release)
	return f
}

// TestProviders appends an execution provider in each way that the library here has. The CPU's is also a device of
// GetEpDevices, so it stands for the providers of libraries, which need other hardware.
func TestProviders(t *testing.T) {
	d := driverOf(t, nil)
	require.True(t, d.works(providers[0]))
	names, err := d.available()
	require.NoError(t, err)
	require.Contains(t, names, providers[0].name)
	for _, p := range providers[1:] {
		if !slices.Contains(names, p.name) {
			require.False(t, d.works(p), p.name)
			_, err := d.provider(ctx, p.device)
			require.ErrorIs(t, err, common.ErrDevice)
			require.ErrorContains(t, err, "built without")
		}
	}
	if d.release < 23 {
		t.Skip("the library is older than 1.23, and has no device for the CPU")
	}
	devices, err := d.epDevices()
	require.NoError(t, err)
	require.NotEmpty(t, devices)
	plugins, err := d.plugins(nil)
	require.NoError(t, err)
	require.Equal(t, "CPU.CPU", plugins[0].device)
	require.Contains(t, plugins[0].description, "CPUExecutionProvider")
	require.True(t, d.works(plugins[0]))
	require.Error(t, d.appendProvider(0, provider{append: "moon"}, nil))
}

// TestProviderLibraries: a file that is no such library is an error, and the engine can be opened afterwards.
func TestProviderLibraries(t *testing.T) {
	e := enginetest.Open(t, engine, nil)
	if e.Info().Version < "1.22" {
		t.Skip("older than 1.22")
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "missing.so"), e.Info().Library} {
		_, err := common.Open(engine, &common.Config{Native: Config{ProviderLibraries: map[string]string{"test": path}}})
		require.ErrorIs(t, err, common.ErrOption, path)
	}
	_, err := common.Open(engine, &common.Config{Native: Options{}})
	require.ErrorIs(t, err, common.ErrOption)
}

// TestLoadCanceled: a Load of many operators ends when its context does.
func TestLoadCanceled(t *testing.T) {
	e := enginetest.Open(t, engine, nil)
	if e.Info().Version < "1.22" {
		t.Skip("a Load can be canceled since 1.22")
	}
	var nodes []node
	for i := range 20000 {
		nodes = append(nodes, node{op: "Relu", ins: []string{fmt.Sprint("v", i)}, outs: []string{fmt.Sprint("v", i+1)}})
	}
	model := onnx([]value{{"v0", float, []any{1}}}, []value{{"v20000", float, []any{1}}}, nodes...)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err := e.Load(short, source(model), nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// TestCacheNotWritable: what cannot be stored is loaded all the same.
func TestCacheNotWritable(t *testing.T) {
	log := new(enginetest.Log)
	e := enginetest.Open(t, engine, &common.Config{Logger: log.Logger()})
	o := &common.Options{CacheDir: filepath.Join(t.TempDir(), "cache")}
	enginetest.Load(t, e, source(relu(2)), o)
	cached, err := filepath.Glob(filepath.Join(o.CacheDir, "*.onnx"))
	require.NoError(t, err)
	require.Len(t, cached, 1)
	enginetest.Load(t, e, source(relu(2)), o)
	log.Wait(t, "optimized model from the cache")
	require.NoError(t, os.Remove(cached[0]))
	require.NoError(t, os.MkdirAll(strings.TrimSuffix(cached[0], ".onnx")+".building/full", 0o700))
	out, err := enginetest.Load(t, e, source(relu(2)), o).Run(ctx, common.Tensors{"x": tensor(t, []float32{-1, 2}, 2)})
	require.NoError(t, err)
	require.Equal(t, []float32{0, 2}, data[float32](t, out["y"]))
	log.Wait(t, "the optimized model is not cached")
	_, err = e.Load(ctx, source([]byte("damaged")), o)
	require.ErrorIs(t, err, common.ErrModel)
}

// TestSettings: what of the settings no result shows.
func TestSettings(t *testing.T) {
	for _, c := range []struct{ threads, sessions, pool int }{{1, 0, 1}, {1, 8, 1}, {3, 0, 3}, {3, 1, 3}, {3, 2, 5}, {2, 4, 5}} {
		require.Equal(t, c.pool, settings{common: common.Options{Threads: c.threads, Sessions: c.sessions}}.pool(), "%+v", c)
	}
	const spinning = "session.intra_op.allow_spinning"
	require.Equal(t, "0", settings{}.config()[spinning])
	require.Equal(t, "1", settings{native: Options{Config: map[string]string{spinning: "1"}}}.config()[spinning])
	d := driverOf(t, nil)
	for key := range refused {
		_, err := d.newSettings(ctx, common.Options{Native: Options{Config: map[string]string{key: "1"}}})
		require.ErrorIs(t, err, common.ErrOption)
		require.ErrorContains(t, err, key)
	}
	library := filepath.Join(t.TempDir(), "library")
	var keys []cacheKey
	for _, content := range []string{"a", "b"} {
		require.NoError(t, os.WriteFile(library, []byte(content), 0o600))
		key, err := d.newCacheKey(settings{native: Options{CustomOps: []string{library}}}, nil)
		require.NoError(t, err)
		keys = append(keys, key)
	}
	require.NotEqual(t, keys[0], keys[1], "a library's content is part of the key")
}

// TestProviderFailure: ONNX Runtime's code for the failure of a provider is one of a device.
func TestProviderFailure(t *testing.T) {
	d := driverOf(t, nil)
	lib, err := dylib.Open(spec, symbols, "")
	require.NoError(t, err)
	base, create := make([]uintptr, baseFunctions), make([]uintptr, 1)
	dylib.CopyOut(base, lib.Call(fnGetAPIBase))
	dylib.CopyOut(create, dylib.FromTable(lib.Path, base).Call(baseGetAPI, dylib.Int(oldest))) // CreateStatus
	status := dylib.FromTable(lib.Path, create).Call(0, dylib.Int(codeProviderFailed), dylib.String("no memory"))
	err = d.check(common.ErrRun, status)
	require.ErrorIs(t, err, common.ErrDevice)
	require.ErrorContains(t, err, "no memory")
}

// TestQuiet: loading an old model, whose weights are also inputs, and a Run that fails log no warning and no error: there
// is one returned.
func TestQuiet(t *testing.T) {
	log := new(enginetest.Log)
	e := enginetest.Open(t, engine, &common.Config{Logger: log.Logger()})
	weight := join(number(1, 2), number(2, float), field(8, "w"), field(9, []byte{0, 0, 128, 63, 0, 0, 128, 63})) // 1, 1
	model := join(onnx([]value{{"x", float, []any{2}}, {"w", float, []any{2}}, {"shape", int64s, []any{1}}}, []value{{"z", float, []any{"n"}}},
		node{op: "Add", ins: []string{"x", "w"}, outs: []string{"y"}}, node{op: "Reshape", ins: []string{"y", "shape"}, outs: []string{"z"}}), field(7, field(5, weight)))
	m := enginetest.Load(t, e, source(model), &common.Options{CacheDir: filepath.Join(t.TempDir(), "cache")})
	require.Len(t, m.Signatures()[0].Inputs, 2)
	_, err := m.Run(ctx, common.Tensors{"x": tensor(t, []float32{1, 2}, 2), "shape": tensor(t, []int64{3}, 1)})
	require.ErrorIs(t, err, common.ErrRun)
	out, err := m.Run(ctx, common.Tensors{"x": tensor(t, []float32{1, 2}, 2), "shape": tensor(t, []int64{2}, 1)})
	require.NoError(t, err)
	require.Equal(t, []float32{2, 3}, data[float32](t, out["z"]))
	log.Wait(t, "appears in graph inputs")
	log.Wait(t, "Serializing optimized model")
	require.NotContains(t, log.String(), "level=WARN")
	require.NotContains(t, log.String(), "level=ERROR")
}

// TestExternalData: a model gets the file beside it, and none of the working folder that it names where only ONNX
// Runtime would see the name.
func TestExternalData(t *testing.T) {
	e := enginetest.Open(t, engine, nil)
	if e.Info().Version < "1.18" {
		t.Skip("external data needs 1.18")
	}
	floats := func(v byte) []byte { return []byte{0, 0, 128, v, 0, 0, 128, v} } // 63: 1; 191: -1
	working, folder := t.TempDir(), t.TempDir()
	t.Chdir(working)
	require.NoError(t, os.WriteFile(filepath.Join(working, "w.bin"), floats(191), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "w.bin"), floats(63), 0o600))
	entry := func(key, value string) []byte { return field(13, join(field(1, key), field(2, value))) }
	weight := func(entries ...[]byte) []byte {
		return join(number(1, 2), number(2, float), field(8, "w"), join(entries...), number(14, 1))
	}
	model := func(weight []byte, more ...[]byte) []byte {
		return join(onnx([]value{{"x", float, []any{2}}}, []value{{"y", float, []any{2}}}, node{op: "Add", ins: []string{"x", "w"}, outs: []string{"y"}}), field(7, field(5, weight)), join(more...))
	}
	hidden := field(13, join(field(1, "x"), field(1, "location"), field(2, "w.bin")))
	group := []byte{0x9b, 0x06, 0x9c, 0x06} // field 99, which parsers skip
	path := filepath.Join(folder, "model.onnx")
	in := common.Tensors{"x": tensor(t, []float32{0, 0}, 2)}
	for name, bytes := range map[string][]byte{"plain": model(weight(entry("location", "w.bin"))), "hidden": model(weight(hidden)), "group": join(group, model(weight(entry("location", "w.bin"))))} {
		require.NoError(t, os.WriteFile(path, bytes, 0o600))
		m, err := e.Load(ctx, common.File(path), nil)
		if err != nil {
			require.Equal(t, "group", name, err)
			require.ErrorIs(t, err, common.ErrModel)
			continue
		}
		out, err := m.Run(ctx, in)
		require.NoError(t, err)
		require.NoError(t, m.Close())
		require.Equal(t, []float32{1, 1}, data[float32](t, out["y"]), name)
		_, err = e.Load(ctx, source(bytes), nil)
		require.ErrorIs(t, err, common.ErrModel, name)
	}
	_, err := e.Load(ctx, source(model(weight(entry("location", filepath.Join(working, "w.bin"))))), nil)
	require.ErrorIs(t, err, common.ErrModel)
}

// TestDuplicates: names must tell outputs apart.
func TestDuplicates(t *testing.T) {
	y := value{"y", float, []any{2}}
	_, err := enginetest.Open(t, engine, nil).Load(ctx, source(onnx([]value{{"x", float, []any{2}}}, []value{y, y}, node{op: "Relu", ins: []string{"x"}, outs: []string{"y"}})), nil)
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, `"y"`)
}

// TestCacheKey: what an optimized model depends on is part of its key.
func TestCacheKey(t *testing.T) {
	e := enginetest.Open(t, engine, nil)
	dir := filepath.Join(t.TempDir(), "cache")
	for _, c := range []struct {
		length int
		level  string
		config map[string]string
	}{{2, "", nil}, {3, "", nil}, {3, "basic", nil}, {3, "basic", map[string]string{"session.disable_prepacking": "1"}}} {
		o := &common.Options{CacheDir: dir, Shapes: map[string]common.ShapeRange{"x": common.Fixed(c.length)}, Native: Options{Optimization: c.level, Config: c.config}}
		require.Equal(t, common.Shape{c.length}, enginetest.Load(t, e, source(relu("n")), o).Signatures()[0].Outputs[0].Shape)
	}
	cached, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	require.NoError(t, err)
	require.Len(t, cached, 4)
}

// TestProfileAgain: each Profile is of the last Run, and Runs go on with the same tensors after it.
func TestProfileAgain(t *testing.T) {
	e := enginetest.Open(t, engine, nil)
	s := enginetest.NewSession(t, enginetest.Load(t, e, source(relu("n")), &common.Options{Profile: true}))
	for _, runs := range []int{1, 3} {
		x := tensor(t, make([]float32, runs), runs)
		require.NoError(t, s.BindInput(0, x))
		for n := range runs {
			data[float32](t, x)[0] = float32(n)
			require.NoError(t, s.Run(ctx))
			require.Equal(t, float32(n), data[float32](t, s.Output(0))[0])
		}
		layers, err := s.Profile()
		require.NoError(t, err)
		require.Len(t, layers, 1)
		require.Equal(t, "Relu", layers[0].Type)
		require.Equal(t, "CPUExecutionProvider", layers[0].Kernel)
	}
	_, err := lastRun([]byte("[" + strings.Repeat("{},", maxEvents-1) + "{}]"))
	require.ErrorContains(t, err, "Profile more often")
	_, err = lastRun([]byte(`[{"cat`))
	require.ErrorIs(t, err, common.ErrRun)
}

// TestOtherEnvironment: another part of the program has made the library's environment. Sessions still log to their
// engine's Logger.
func TestOtherEnvironment(t *testing.T) {
	other := driverOf(t, nil) // the environment logs to it
	log := new(enginetest.Log)
	e := enginetest.Open(t, engine, &common.Config{Logger: log.Logger()})
	last := driverOf(t, nil)
	require.Equal(t, other.env, last.env, "a process has one environment")
	enginetest.Load(t, e, source(relu(2)), nil)
	log.Wait(t, "engine=onnxruntime")
	log.Wait(t, "Session successfully initialized")
}

// TestOpenWhileClosing opens engines while others release the last reference to the environment.
func TestOpenWhileClosing(t *testing.T) {
	enginetest.Require(t, engine)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 1000 {
				e, err := common.Open(engine, nil)
				if err != nil {
					t.Error(err)
					return
				}
				e.Close()
			}
		})
	}
	group.Wait()
}

// TestBesideOpenVINO: both engines load and run in one process at the same time.
func TestBesideOpenVINO(t *testing.T) {
	var models []*common.Model
	for _, name := range []string{engine, "openvino"} {
		models = append(models, enginetest.Load(t, enginetest.Open(t, name, nil), file("digits.onnx"), nil))
	}
	x := enginetest.Random(t, 1, common.Float32, 1, 1, 8, 8)
	in := common.Tensors{models[0].Signatures()[0].Inputs[0].Name: x}
	results := make([][]float32, len(models))
	var group sync.WaitGroup
	for i, m := range models {
		group.Go(func() {
			for range 100 {
				out, err := m.Run(ctx, in)
				if err != nil {
					t.Error(err)
					return
				}
				results[i] = data[float32](t, out[m.Signatures()[0].Outputs[0].Name])
			}
		})
	}
	group.Wait()
	require.InDeltaSlice(t, results[0], results[1], 1e-5)
}

// TestNoTelemetry: opening the engine, loading and running leave no file in the user's folders, no thread and no
// socket, as ONNX Runtime's telemetry would. It runs in a process of its own with a home folder of its own.
func TestNoTelemetry(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("threads and sockets are counted in /proc")
	}
	enginetest.Require(t, engine)
	const variable = "ANYINFER_TEST_HOME"
	home := os.Getenv(variable)
	if home == "" {
		home = t.TempDir()
		exe, err := os.Executable()
		require.NoError(t, err)
		args := append(strings.Fields(os.Getenv("ANYINFER_TEST_EMULATOR")), exe, "-test.run=^TestNoTelemetry$", "-test.v")
		cmd := exec.Command(args[0], args[1:]...)
		library := enginetest.Open(t, engine, nil).Info().Library
		cmd.Env = append(os.Environ(), variable+"="+home, "HOME="+home, "XDG_CACHE_HOME="+home, "TMPDIR="+t.TempDir())
		if library != "linked" {
			cmd.Env = append(cmd.Env, spec.Env()+"="+library)
		}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "--- PASS: TestNoTelemetry")
		return
	}
	e := enginetest.Open(t, engine, nil)
	m := enginetest.Load(t, e, source(relu(2)), &common.Options{Threads: 1})
	_, err := m.Run(ctx, common.Tensors{"x": tensor(t, []float32{1, 2}, 2)})
	require.NoError(t, err)
	time.Sleep(time.Second) // telemetry begins at once, on a thread
	left, err := os.ReadDir(home)
	require.NoError(t, err)
	require.Empty(t, left)
	descriptors, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, d := range descriptors {
		target, _ := os.Readlink(d)
		require.NotContains(t, target, "socket:")
	}
	// Go names no thread, so its threads have the program's name.
	name, err := os.ReadFile("/proc/self/comm")
	require.NoError(t, err)
	threads, err := filepath.Glob("/proc/self/task/*/comm")
	require.NoError(t, err)
	for _, thread := range threads {
		other, err := os.ReadFile(thread)
		if err == nil {
			require.Equal(t, string(name), string(other))
		}
	}
}

// TestWrongShape: a file has another shape for an output than its model makes. The result has its own shape, in every
// Run of every session, and the log has a warning; ONNX Runtime's other APIs do the same.
func TestWrongShape(t *testing.T) {
	log := new(enginetest.Log)
	e := enginetest.Open(t, engine, &common.Config{Logger: log.Logger()})
	m := enginetest.Load(t, e, source(onnx([]value{{"x", float, []any{4}}, {"shape", int64s, []any{1}}}, []value{{"y", float, []any{2}}, {"z", float, []any{4}}},
		node{op: "Reshape", ins: []string{"x", "shape"}, outs: []string{"y"}}, node{op: "Relu", ins: []string{"x"}, outs: []string{"z"}})), nil)
	x, shape := tensor(t, []float32{-1, 2, 3, 4}, 4), tensor(t, []int64{4}, 1)
	for range 2 {
		s := enginetest.NewSession(t, m)
		require.NoError(t, s.BindInput(0, x))
		require.NoError(t, s.BindInput(1, shape))
		for range 3 {
			require.NoError(t, s.Run(ctx))
			require.Equal(t, []float32{-1, 2, 3, 4}, data[float32](t, s.Output(0)))
			require.Equal(t, []float32{0, 2, 3, 4}, data[float32](t, s.Output(1)))
		}
		require.NoError(t, s.BindOutput(0, tensor(t, make([]float32, 2), 2)))
		require.ErrorIs(t, s.Run(ctx), common.ErrShape)
		require.Equal(t, []float32{-1, 2, 3, 4}, data[float32](t, s.Output(0)))
		out, err := m.Run(ctx, common.Tensors{"x": x, "shape": shape})
		require.NoError(t, err)
		require.Equal(t, common.Shape{4}, out["y"].Shape())
	}
	log.Wait(t, "level=WARN")
}

// TestWrongShapeElsewhere: another session finds the wrong shape. Sessions that are bound already, and Model.Run, have
// their own results and no other request's.
func TestWrongShapeElsewhere(t *testing.T) {
	e := enginetest.Open(t, engine, nil)
	const n = 1 << 19 // so large that Model.Run gives its output away
	m := enginetest.Load(t, e, source(onnx([]value{{"x", float, []any{"n"}}}, []value{{"y", float, []any{2}}}, node{op: "Relu", ins: []string{"x"}, outs: []string{"y"}})), &common.Options{Sessions: 2})
	filled := func(v float32) *common.Tensor {
		all := make([]float32, n)
		for i := range all {
			all[i] = v
		}
		return tensor(t, all, n)
	}
	var sessions []*common.Session
	for range 2 {
		s := enginetest.NewSession(t, m)
		require.NoError(t, s.BindInput(0, tensor(t, []float32{1, 2}, 2)))
		require.NoError(t, s.Run(ctx))
		sessions = append(sessions, s)
	}
	for i, s := range sessions {
		require.NoError(t, s.BindInput(0, filled(float32(i+1))))
		require.NoError(t, s.Run(ctx))
		require.Equal(t, float32(i+1), data[float32](t, s.Output(0))[n-1])
	}
	var kept []*common.Tensor
	for i := range 6 {
		out, err := m.Run(ctx, common.Tensors{"x": filled(float32(i))})
		require.NoError(t, err)
		kept = append(kept, out["y"])
	}
	for i, y := range kept {
		require.Equal(t, float32(i), data[float32](t, y)[0], "an earlier result has changed")
	}
}
