// SPDX-License-Identifier: Apache-2.0

package tensorrt_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/tensorrt"
	"github.com/stretchr/testify/require"
)

// envCache makes the test binary load digits with this CacheDir, and tell how
// often a plan was built.
const envCache = "ANYINFER_TEST_TENSORRT_CACHE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(envCache); dir != "" {
		cacheChild(dir)
		return
	}
	enginetest.Main(m, "tensorrt")
}

// cacheChild prints "begun", and after loading how many plans were built.
func cacheChild(dir string) {
	var t testing.T
	e := must(common.Open("tensorrt", nil))
	s := onStandin(&t, e)
	delay := must(strconv.Atoi(os.Getenv(envCache + "_DELAY")))
	s.buildDelay(delay)
	fmt.Println("begun")
	o := &common.Options{CacheDir: dir}
	if fault := os.Getenv(envCache + "_FAULT"); fault != "" {
		s.fault(fault)
		o.Device = "GPU.1"
		_, err := e.Load(ctx, common.File(models+"digits.onnx"), o)
		fmt.Println(err)
	}
	m := must(e.Load(ctx, common.File(models+"digits.onnx"), o))
	if n := len(scores(&t, m, images(&t, 1, 1))); n != 10 {
		panic(n)
	}
	fmt.Println("built", s.calls("buildSerializedNetwork"))
	m.Close()
	e.Close()
}

// startChild starts such a process, and returns when it has begun to load.
func startChild(t *testing.T, dir string, delay time.Duration) (cmd *exec.Cmd, out *bytes.Buffer, done func() error) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd = exec.Command(exe)
	cmd.Env = append(os.Environ(), envCache+"="+dir, fmt.Sprintf("%s_DELAY=%d", envCache, delay.Milliseconds()))
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	word := make([]byte, len("begun\n"))
	_, err = pipe.Read(word)
	require.NoError(t, err)
	require.Equal(t, "begun\n", string(word))
	out = new(bytes.Buffer)
	return cmd, out, func() error {
		out.ReadFrom(pipe)
		return cmd.Wait()
	}
}

// built loads model with a cache and tells whether a plan was built for it.
func built(t *testing.T, e *common.Engine, s standin, src common.Source, o common.Options) bool {
	t.Helper()
	n := s.calls("buildSerializedNetwork")
	m, err := e.Load(ctx, src, &o)
	require.NoError(t, err)
	defer m.Close()
	require.Equal(t, "onnx", m.Info().Format)
	in := common.Tensors{}
	for _, info := range m.Signatures()[0].Inputs {
		in[info.Name], err = common.NewTensor(info.DType, info.Shape...)
		require.NoError(t, err)
	}
	_, err = m.Run(ctx, in)
	require.NoError(t, err)
	return s.calls("buildSerializedNetwork") > n
}

// files are those in dir with that extension.
func files(t *testing.T, dir, ext string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"+ext))
	require.NoError(t, err)
	return found
}

// TestCache: a plan is built once for what it depends on.
func TestCache(t *testing.T) {
	e := open(t)
	s := onStandin(t, e)
	dir := filepath.Join(t.TempDir(), "to be", "made")
	o := common.Options{CacheDir: dir}
	digits := common.File(models + "digits.onnx")
	require.True(t, built(t, e, s, digits, o))
	require.False(t, built(t, e, s, digits, o))
	data, err := os.ReadFile(models + "digits.onnx")
	require.NoError(t, err)
	require.False(t, built(t, e, s, common.Bytes(data), o), "the bytes count, not where they are")
	m, err := e.Load(ctx, digits, &o)
	require.NoError(t, err)
	require.Equal(t, common.Float32, m.Info().Precision)
	require.NoError(t, m.Close())

	// Not for what only counts when it runs.
	o.Native = tensorrt.Options{CUDAGraphs: true}
	require.False(t, built(t, e, s, digits, o))
	o.Profile = true
	require.False(t, built(t, e, s, digits, o))
	o.Profile = false

	// For all else.
	o.Native = tensorrt.Options{WorkspaceBytes: 1 << 26}
	require.True(t, built(t, e, s, digits, o))
	require.True(t, built(t, e, s, digits, common.Options{CacheDir: dir, Device: "GPU.1"}))
	require.True(t, built(t, e, s, digits, common.Options{CacheDir: dir, Sessions: 2}))
	require.True(t, built(t, e, s, common.File(models+"multi.onnx"), common.Options{CacheDir: dir}))
	if before(e, 11, 0) {
		require.True(t, built(t, e, s, digits, common.Options{CacheDir: dir, Precision: common.Float16}))
		m, err := e.Load(ctx, digits, &common.Options{CacheDir: dir, Precision: common.Float16})
		require.NoError(t, err)
		require.Equal(t, common.Float16, m.Info().Precision, "the plan does not tell it")
		require.NoError(t, m.Close())
	}
	dynamic := common.File(models + "digits_dynamic.onnx")
	for n := range 2 {
		with := common.Options{CacheDir: dir, Shapes: map[string]common.ShapeRange{"image": common.Fixed(n+1, 1, 8, 8)}}
		require.True(t, built(t, e, s, dynamic, with))
		require.False(t, built(t, e, s, dynamic, with))
	}
	plans := len(files(t, dir, ".plan"))
	shapes := func(opt int) map[string]common.ShapeRange {
		return map[string]common.ShapeRange{"image": {Min: common.Shape{1, 1, 8, 8}, Opt: common.Shape{opt, 1, 8, 8}, Max: common.Shape{8, 1, 8, 8}}}
	}
	for _, opt := range []int{1, 4, 8} { // within one range
		m, err := e.Load(ctx, dynamic, &common.Options{CacheDir: dir, Shapes: shapes(opt)})
		require.NoError(t, err)
		require.NoError(t, m.Close())
	}
	require.Len(t, files(t, dir, ".plan"), plans+3, "plans are tuned for Opt")
	require.Len(t, files(t, dir, ".timing"), 2, "one a kind of GPU")
	require.Empty(t, files(t, dir, ".building"))

	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "a plan is code")
	require.NoError(t, os.Chmod(dir, 0o777))
	_, err = e.Load(ctx, digits, &common.Options{CacheDir: dir})
	require.ErrorIs(t, err, common.ErrOption)
	require.ErrorContains(t, err, "chmod go-w")
	require.NoError(t, os.Chmod(dir, 0o700))
	_, err = e.Load(ctx, digits, &common.Options{CacheDir: models + "digits.onnx"})
	require.ErrorIs(t, err, common.ErrOption)
	require.ErrorContains(t, err, "CacheDir cannot be used")
	_, err = e.Load(ctx, common.File(files(t, dir, ".plan")[0]), &common.Options{CacheDir: dir})
	require.ErrorIs(t, err, common.ErrOption)
}

// plan is the plan of a model, as a cache has it before its precision and a checksum.
func plan(t *testing.T, e *common.Engine, model string, o common.Options) []byte {
	t.Helper()
	dir := t.TempDir()
	o.CacheDir = dir
	m, err := e.Load(ctx, common.File(models+model), &o)
	require.NoError(t, err)
	require.NoError(t, m.Close())
	file, err := os.ReadFile(files(t, dir, ".plan")[0])
	require.NoError(t, err)
	end := len(file) - 32 - 1
	return file[:end-int(file[end])]
}

// TestPlan: a plan is a model of its own, with its build behind it.
func TestPlan(t *testing.T) {
	e := open(t)
	data := plan(t, e, "digits.onnx", common.Options{})
	file := filepath.Join(t.TempDir(), "digits.engine")
	require.NoError(t, os.WriteFile(file, data, 0o666))
	want := scores(t, load(t, e, "digits.onnx", nil), images(t, 1, 1))
	for _, src := range []common.Source{common.File(file), common.Bytes(data).As("tensorrt")} {
		m, err := e.Load(ctx, src, nil)
		require.NoError(t, err)
		require.Equal(t, "tensorrt", m.Info().Format)
		require.Equal(t, want, scores(t, m, images(t, 1, 1)))
		require.NoError(t, m.Close())
		for name, o := range map[string]common.Options{
			"precision": {Precision: common.Float16}, "shape:image": {Shapes: map[string]common.ShapeRange{"image": common.Fixed(1, 1, 8, 8)}},
			"workspace": {Native: tensorrt.Options{WorkspaceBytes: 1}},
		} {
			_, err := e.Load(ctx, src, &o)
			require.ErrorIs(t, err, common.ErrOption)
			require.ErrorContains(t, err, name)
			require.ErrorContains(t, err, "the options of a plan are fixed when it is built")
		}
	}
}

// withHeader returns a plan after metadata, as Ultralytics exports it. Spaces in the
// metadata move the plan to an address of another alignment.
func withHeader(plan []byte, spaces int) []byte {
	about := `{"task": "classify", "stride": 32,` + strings.Repeat(" ", spaces) + `"names": {"0": "zero", "1": "one", "2": "two", "3": "three", ` +
		`"4": "four", "5": "five", "6": "six", "7": "seven", "8": "eight", "9": "nine"}}`
	return slices.Concat(binary.LittleEndian.AppendUint32(nil, uint32(len(about))), []byte(about), plan)
}

// TestPlanWithMetadata loads a plan that Ultralytics has put after metadata.
func TestPlanWithMetadata(t *testing.T) {
	e := open(t)
	data := plan(t, e, "digits.onnx", common.Options{})
	want := scores(t, load(t, e, "digits.onnx", nil), images(t, 1, 1))
	file := filepath.Join(t.TempDir(), "model")
	for spaces := range 64 {
		data := withHeader(data, spaces)
		require.NoError(t, os.WriteFile(file, data, 0o600))
		for _, src := range []common.Source{common.File(file), common.Bytes(data)} {
			m, err := e.Load(ctx, src, &common.Options{Native: tensorrt.Options{CUDAGraphs: true}})
			require.NoError(t, err)
			require.Equal(t, "tensorrt", m.Info().Format)
			require.Equal(t, "on", m.Info().Details["cuda_graphs"])
			require.Equal(t, "classify", m.Info().Metadata["task"])
			require.Equal(t, "32", m.Info().Metadata["stride"])
			require.Equal(t, "three", m.Signatures()[0].Outputs[0].Labels[3])
			require.Equal(t, want, scores(t, m, images(t, 1, 1)))
			require.NoError(t, m.Close())
		}
	}
	whole := withHeader(data, 0)
	for at, b := range map[int]byte{0: whole[0] + 1, 1: 0xff, 2: 0xff, 3: 1, 4: '[', 5: '}', 9: '"'} {
		bad := bytes.Clone(whole)
		bad[at] = b
		_, err := e.Load(ctx, common.Bytes(bad).As("tensorrt"), nil)
		require.ErrorIs(t, err, common.ErrModel, at)
		require.ErrorContains(t, err, "TensorRT cannot load this plan", at)
	}
	_, err := e.Load(ctx, common.Bytes(whole[:len(whole)-len(data)]).As("tensorrt"), nil)
	require.ErrorIs(t, err, common.ErrModel, "there is no plan after the metadata")
}

// TestMetadataOfCachedPlan checks that a plan from the cache has the metadata of its ONNX file.
func TestMetadataOfCachedPlan(t *testing.T) {
	e := open(t)
	o := &common.Options{CacheDir: t.TempDir()}
	built, cached := load(t, e, "classes.onnx", o), load(t, e, "classes.onnx", o)
	require.Equal(t, "classify", built.Info().Metadata["task"])
	require.Equal(t, built.Info().Metadata, cached.Info().Metadata)
	require.Equal(t, built.Signatures(), cached.Signatures())
	require.Len(t, cached.Signatures()[0].Outputs[0].Labels, 4)
}

// TestPlanShapes: a plan has its range of shapes in it.
func TestPlanShapes(t *testing.T) {
	e := open(t)
	m, err := e.Load(ctx, common.Bytes(plan(t, e, "digits_dynamic.onnx", *batches(2, 4))).As("tensorrt"), nil)
	require.NoError(t, err)
	defer m.Close()
	require.Equal(t, common.Shape{-1, 1, 8, 8}, m.Signatures()[0].Inputs[0].Shape)
	require.Len(t, scores(t, m, images(t, 3, 1)), 30)
	_, err = m.Run(ctx, common.Tensors{"image": images(t, 5, 1)})
	require.ErrorIs(t, err, common.ErrShape)
	require.ErrorContains(t, err, "the plan was built for image [2x1x8x8] to [4x1x8x8]")
	require.Len(t, scores(t, m, images(t, 4, 1)), 40)
}

// TestCacheDamaged: whatever byte is another one, the plan is built anew.
func TestCacheDamaged(t *testing.T) {
	e := open(t)
	s := onStandin(t, e)
	dir := t.TempDir()
	o := common.Options{CacheDir: dir}
	digits := common.File(models + "digits.onnx")
	require.True(t, built(t, e, s, digits, o))
	file := files(t, dir, ".plan")[0]
	good, err := os.ReadFile(file)
	require.NoError(t, err)
	places := []int{0, 1, 8, len(good) - 33, len(good) - 32, len(good) - 1}
	for range 60 {
		places = append(places, rand.IntN(len(good)))
	}
	for _, at := range places {
		bad := bytes.Clone(good)
		bad[at] ^= 1 << rand.IntN(8)
		require.NoError(t, os.WriteFile(file, bad, 0o666))
		require.True(t, built(t, e, s, digits, o), "byte %d", at)
		now, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Len(t, now, len(good))
		require.False(t, built(t, e, s, digits, o))
	}
	for _, n := range []int{0, 1, 31, 32, len(good) / 2, len(good) - 1} {
		require.NoError(t, os.WriteFile(file, good[:n], 0o666))
		require.True(t, built(t, e, s, digits, o), "%d bytes", n)
	}
	// A plan that is intact and does not load, as of another machine.
	s.fault("deserializeCudaEngine")
	require.True(t, built(t, e, s, digits, o))
	timing := files(t, dir, ".timing")[0]
	require.NoError(t, os.WriteFile(timing, []byte("nonsense"), 0o666))
	require.NoError(t, os.Remove(file))
	require.True(t, built(t, e, s, digits, o))
}

// TestCacheKilled ends processes at any moment of a build.
func TestCacheKilled(t *testing.T) {
	e := open(t)
	s := onStandin(t, e)
	dir := t.TempDir()
	o := common.Options{CacheDir: dir}
	for i := range 25 {
		cmd, _, done := startChild(t, dir, 40*time.Millisecond)
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		done()
		if i%5 == 4 {
			built(t, e, s, common.File(models+"digits.onnx"), o)
			require.Empty(t, files(t, dir, ".building"), "nothing stays of what was killed")
			require.Len(t, files(t, dir, ".plan"), 1)
			require.False(t, built(t, e, s, common.File(models+"digits.onnx"), o))
			for _, f := range files(t, dir, ".plan") {
				require.NoError(t, os.Remove(f))
			}
		}
	}
}

// TestFirstUse: a GPU that cannot be used is asked again the next time.
func TestFirstUse(t *testing.T) {
	onStandin(t, open(t))
	t.Setenv(envCache+"_FAULT", "cuDevicePrimaryCtxRetain")
	_, out, done := startChild(t, t.TempDir(), 0)
	require.NoError(t, done())
	require.Contains(t, out.String(), "device not usable: the GPU cannot be used: ")
	require.Contains(t, out.String(), "\nbuilt 1\n")
}

// TestCacheShared: of processes that want the same plan at once one builds it.
func TestCacheShared(t *testing.T) {
	onStandin(t, open(t))
	dir := t.TempDir()
	var wg sync.WaitGroup
	var mu sync.Mutex
	told := map[string]int{}
	for range 3 {
		_, out, done := startChild(t, dir, 300*time.Millisecond)
		wg.Go(func() {
			err := done()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			told[strings.TrimSpace(out.String())]++
		})
	}
	wg.Wait()
	require.Equal(t, map[string]int{"built 1": 1, "built 0": 2}, told)
}

// loadAtOnce loads digits n times at once with a cache, where builds take a
// while, and returns the errors and how many builds were begun. during is
// called while one goes on, with a function that ends the context of the one
// that builds; the others have begun to load, too.
func loadAtOnce(t *testing.T, e *common.Engine, s standin, n int, during func(end func())) (errs []error, begun int) {
	t.Helper()
	o := &common.Options{CacheDir: t.TempDir()}
	before := s.calls("buildSerializedNetwork")
	s.buildDelay(300)
	defer s.buildDelay(0)
	errs = make([]error, n)
	var wg sync.WaitGroup
	load := func(ctx context.Context, i int) {
		wg.Go(func() {
			m, err := e.Load(ctx, common.File(models+"digits.onnx"), o)
			if errs[i] = err; err == nil {
				errs[i] = m.Close()
			}
		})
	}
	first, end := context.WithCancel(ctx)
	defer end()
	load(first, 0)
	require.Eventually(t, func() bool { return s.calls("buildSerializedNetwork") > before }, 5*time.Second, time.Millisecond)
	for i := 1; i < n; i++ {
		load(ctx, i)
	}
	during(end)
	wg.Wait()
	return errs, s.calls("buildSerializedNetwork") - before
}

// TestCacheAtOnce: of Loads in one process that need the same plan one builds
// it. Where it fails or is cancelled, another one builds, and the rest succeed.
func TestCacheAtOnce(t *testing.T) {
	e := open(t)
	s := onStandin(t, e)
	errs, begun := loadAtOnce(t, e, s, 8, func(func()) {})
	require.Equal(t, make([]error, 8), errs)
	require.Equal(t, 1, begun)

	errs, begun = loadAtOnce(t, e, s, 8, func(end func()) { end() })
	require.Equal(t, make([]error, 7), errs[1:])
	if !before(e, 10, 0) { // since then a build can be interrupted
		require.ErrorIs(t, errs[0], context.Canceled)
		require.Equal(t, 2, begun)
	}

	s.fault("buildSerializedNetwork")
	errs, begun = loadAtOnce(t, e, s, 8, func(func()) {})
	require.Error(t, errs[0])
	require.Equal(t, make([]error, 7), errs[1:])
	require.Equal(t, 2, begun)

	// One that waits need not wait for the end of the build.
	o := &common.Options{CacheDir: t.TempDir()}
	s.buildDelay(2000)
	defer s.buildDelay(0)
	building, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	n := s.calls("buildSerializedNetwork")
	wg.Go(func() {
		if m, err := e.Load(building, common.File(models+"digits.onnx"), o); err == nil {
			m.Close()
		}
	})
	require.Eventually(t, func() bool { return s.calls("buildSerializedNetwork") > n }, 5*time.Second, time.Millisecond)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := e.Load(short, common.File(models+"digits.onnx"), o)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(begin), time.Second)
	end()
	wg.Wait()
	require.Equal(t, n+1, s.calls("buildSerializedNetwork"))
	require.Zero(t, s.mistakes())
}

// TestCacheWeights: weights in a file beside the model count, too.
func TestCacheWeights(t *testing.T) {
	e := open(t)
	s := onStandin(t, e)
	dir := t.TempDir()
	model := filepath.Join(dir, "model.onnx")
	o := common.Options{CacheDir: filepath.Join(dir, "cache")}
	require.NoError(t, os.WriteFile(model, externalModel("weights.bin", 4), 0o666))
	_, err := e.Load(ctx, common.File(model), &o)
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "weights.bin")
	weights := filepath.Join(dir, "weights.bin")
	require.NoError(t, os.WriteFile(weights, make([]byte, 16), 0o666))
	require.True(t, built(t, e, s, common.File(model), o))
	require.False(t, built(t, e, s, common.File(model), o))
	require.NoError(t, os.WriteFile(weights, bytes.Repeat([]byte{1}, 16), 0o666))
	require.True(t, built(t, e, s, common.File(model), o))
}

// externalModel is y = x + w of n numbers, with w in a file.
func externalModel(file string, n byte) []byte {
	field := func(number byte, content ...byte) []byte {
		return append([]byte{number<<3 | 2, byte(len(content))}, content...)
	}
	text := func(number byte, s string) []byte { return field(number, []byte(s)...) }
	varint := func(number, v byte) []byte { return []byte{number << 3, v} }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	value := func(number byte, name string) []byte {
		shape := field(2, field(1, varint(1, n)...)...)
		return field(number, join(text(1, name), field(2, field(1, join(varint(1, 1), shape)...)...))...)
	}
	entry := field(13, join(text(1, "location"), text(2, file))...)
	weights := field(5, join(varint(1, n), varint(2, 1), text(8, "w"), entry, varint(14, 1))...)
	node := field(1, join(text(1, "x"), text(1, "w"), text(2, "y"), text(4, "Add"))...)
	graph := join(node, text(2, "g"), weights, value(11, "x"), value(12, "y"))
	return join(varint(1, 8), field(7, graph...), field(8, varint(2, 13)...))
}
