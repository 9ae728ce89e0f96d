// SPDX-License-Identifier: Apache-2.0

package mnn_test

import (
	"bytes"
	"cmp"
	"context"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/testing/linktest"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/anyinfer/anyinfer/mnn"
	"github.com/stretchr/testify/require"
)

var ctx = context.Background()

func TestMain(m *testing.M) { enginetest.Main(m, "mnn") }

func TestShim(t *testing.T) { linktest.Shim(t, "mnn") }

func open(t *testing.T) *common.Engine {
	t.Helper()
	return enginetest.Open(t, "mnn", nil)
}

func load(t *testing.T, e *common.Engine, model string, o *common.Options) *common.Model {
	t.Helper()
	return enginetest.Load(t, e, enginetest.File(t, model+".mnn"), o)
}

// run runs a model of one input on seeded data of that shape.
func run(t *testing.T, m *common.Model, shape ...int) *common.Tensor {
	t.Helper()
	sig := m.Signatures()[0]
	out, err := m.Run(ctx, common.Tensors{sig.Inputs[0].Name: enginetest.Random(t, 1, sig.Inputs[0].DType, shape...)})
	require.NoError(t, err)
	return out[sig.Outputs[0].Name]
}

// TestBatch: MNN's converter fixes the batch, Shapes frees it again, and each
// image gets what it gets alone.
func TestBatch(t *testing.T) {
	e := open(t)
	one := load(t, e, "digits", nil)
	many := load(t, e, "digits", &common.Options{Shapes: map[string]common.ShapeRange{
		"image": {Min: common.Shape{1, 1, 8, 8}, Opt: common.Shape{4, 1, 8, 8}, Max: common.Shape{4, 1, 8, 8}},
	}})
	sig := many.Signatures()[0]
	require.Equal(t, common.Shape{-1, 1, 8, 8}, sig.Inputs[0].Shape)
	require.Equal(t, common.Shape{-1, 10}, sig.Outputs[0].Shape)
	got := run(t, many, 3, 1, 8, 8)
	require.Equal(t, common.Shape{3, 10}, got.Shape())
	first := run(t, one, 1, 1, 8, 8)
	require.InDeltaSlice(t, values.Float64s(first), values.Float64s(got)[:10], 1e-6)
	_, err := many.Run(ctx, common.Tensors{"image": enginetest.Random(t, 1, common.Float32, 5, 1, 8, 8)})
	require.ErrorIs(t, err, common.ErrShape)
}

// TestShapesThatDoNotSuit: at Load and in Run, after which the next Run is right.
func TestShapesThatDoNotSuit(t *testing.T) {
	e := open(t)
	for _, shape := range []common.Shape{{1, 2, 8, 8}, {1, 1, 2, 2}} {
		_, err := e.Load(ctx, enginetest.File(t, "digits.mnn"), &common.Options{
			Shapes: map[string]common.ShapeRange{"image": common.Fixed(shape...)},
		})
		require.ErrorIs(t, err, common.ErrModel, shape)
	}
	m := load(t, e, "digits", &common.Options{Shapes: map[string]common.ShapeRange{
		"image": {Min: common.Shape{1, 1, 2, 2}, Opt: common.Shape{1, 1, 8, 8}, Max: common.Shape{1, 1, 8, 8}},
	}})
	want := values.Float64s(run(t, m, 1, 1, 8, 8))
	_, err := m.Run(ctx, common.Tensors{"image": enginetest.Random(t, 1, common.Float32, 1, 1, 2, 2)})
	require.ErrorIs(t, err, common.ErrShape)
	require.Equal(t, want, values.Float64s(run(t, m, 1, 1, 8, 8)))
}

// TestNC4HW4: memory that MNN keeps in blocks of four channels is plain here,
// in each way to run and with any number of channels.
func TestNC4HW4(t *testing.T) {
	e := open(t)
	m := load(t, e, "planes", nil)
	require.Equal(t, common.Shape{1, 3, -1, -1}, m.Signatures()[0].Inputs[0].Shape)
	s := enginetest.NewSession(t, m)
	for _, size := range []int{4, 6, 4} {
		x := enginetest.Random(t, uint64(size), common.Float32, 1, 3, size, size+1)
		require.NoError(t, s.BindInput(0, x))
		require.NoError(t, s.Run(ctx))
		want, err := m.Run(ctx, common.Tensors{"x": x})
		require.NoError(t, err)
		require.Equal(t, common.Shape{1, 5, size, size + 1}, s.Output(0).Shape())
		require.Equal(t, values.Float64s(want["y"]), values.Float64s(s.Output(0)))
		zeros, err := common.NewTensor(common.Float32, 1, 3, size, size+1)
		require.NoError(t, err)
		require.NoError(t, s.BindInput(0, zeros))
		require.NoError(t, s.Run(ctx))
		require.NotEqual(t, values.Float64s(want["y"]), values.Float64s(s.Output(0)), "the input counts")
	}
}

// TestShapesByValue: a model with control flow is run as a whole, and says so.
func TestShapesByValue(t *testing.T) {
	m := load(t, open(t), "branch", nil)
	require.Equal(t, map[string]string{"shapes": "inferred by each Run"}, m.Info().Details)
	require.Nil(t, m.Signatures()[0].Outputs[0].Shape)
	require.Empty(t, load(t, open(t), "digits", nil).Info().Details)
}

func TestOptions(t *testing.T) {
	e := open(t)
	want := values.Float64s(run(t, load(t, e, "digits_w8", nil), 1, 1, 8, 8))
	for _, native := range []mnn.Options{{}, {Memory: mnn.Low}, {Memory: mnn.High, Power: mnn.High}, {Power: mnn.Low}} {
		m := load(t, e, "digits_w8", &common.Options{Native: native, Threads: 1})
		require.InDeltaSlice(t, want, values.Float64s(run(t, m, 1, 1, 8, 8)), 0.02, "%+v", native)
		for key, mode := range map[string]mnn.Mode{"memory": native.Memory, "power": native.Power} {
			got, err := m.Property(key)
			require.NoError(t, err)
			require.Equal(t, []string{"normal", "high", "low"}[mode], got)
		}
	}
	for name, o := range map[string]common.Options{
		"cache":            {CacheDir: t.TempDir()},
		"bfloat16":         {Precision: common.BFloat16},
		"unknown mode":     {Native: mnn.Options{Memory: 3}},
		"another's Native": {Native: struct{ Memory int }{1}},
	} {
		_, err := e.Load(ctx, enginetest.File(t, "digits.mnn"), &o)
		require.ErrorIs(t, err, common.ErrOption, name)
	}
	_, err := e.Load(ctx, enginetest.File(t, "digits.mnn"), &common.Options{Native: &mnn.Options{}})
	require.ErrorIs(t, err, common.ErrOption)
	require.ErrorContains(t, err, "Native is *mnn.Options; it takes mnn.Options, not a pointer")
	_, err = e.Load(ctx, enginetest.File(t, "digits.mnn"), &common.Options{Shapes: map[string]common.ShapeRange{"nope": common.Fixed(1)}})
	require.ErrorIs(t, err, common.ErrName)
}

// TestThreads: MNN's pool is as large as the first model made it; a model that
// wants more is refused, and not run on less.
func TestThreads(t *testing.T) {
	e := open(t)
	first := load(t, e, "digits", &common.Options{Threads: max(2, runtime.NumCPU())})
	most := first.Info().Threads // those of this process, maybe made by another test
	_, err := e.Load(ctx, enginetest.File(t, "digits.mnn"), &common.Options{Threads: most + 1})
	require.ErrorIs(t, err, common.ErrOption)
	require.ErrorContains(t, err, "one pool of threads")
	require.Equal(t, 1, load(t, e, "digits", &common.Options{Threads: 1}).Info().Threads)
	require.Equal(t, most, load(t, e, "digits", nil).Info().Threads)
}

func TestProfile(t *testing.T) {
	s := enginetest.NewSession(t, load(t, open(t), "digits", &common.Options{Profile: true, Threads: 1}))
	var first int
	for range 2 { // only the last Run counts
		require.NoError(t, s.Run(ctx))
		layers, err := s.Profile()
		require.NoError(t, err)
		first = cmp.Or(first, len(layers))
		require.Len(t, layers, first)
		var types []string
		for _, l := range layers {
			types = append(types, l.Type)
			require.GreaterOrEqual(t, l.Duration, time.Duration(0))
		}
		require.Contains(t, types, "Convolution")
		require.Contains(t, types, "Softmax")
	}
}

// TestWeightsBeside: weights in a file beside the model are used, and a file
// that lacks some is refused.
func TestWeightsBeside(t *testing.T) {
	e := open(t)
	want := values.Float64s(run(t, load(t, e, "digits", nil), 1, 1, 8, 8))
	require.InDeltaSlice(t, want, values.Float64s(run(t, load(t, e, "digits_apart", nil), 1, 1, 8, 8)), 1e-6)
	model, err := os.ReadFile("../testdata/digits_apart.mnn")
	require.NoError(t, err)
	_, err = e.Load(ctx, common.Bytes(model).As("mnn"), nil)
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "common.File")
	file := filepath.Join(t.TempDir(), "m.mnn")
	require.NoError(t, os.WriteFile(file, model, 0o600))
	_, err = e.Load(ctx, common.File(file), nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, err, common.ErrModel)
	weights, err := os.ReadFile("../testdata/digits_apart.mnn.weight")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file+".weight", weights[:len(weights)-1], 0o600))
	_, err = e.Load(ctx, common.File(file), nil)
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "needs 12520 bytes of external weights, the file has 12519")
}

// TestLog: what MNN prints comes to the logger, in errors, and neither to stdout nor to stderr: those of a process of its
// own are looked at.
func TestLog(t *testing.T) {
	enginetest.Require(t, "mnn")
	if file := os.Getenv("ANYINFER_TEST_LOG"); file != "" {
		logTo(t, file)
	}
	file := filepath.Join(t.TempDir(), "log")
	args := append(strings.Fields(os.Getenv("ANYINFER_TEST_EMULATOR")), os.Args[0], "-test.run=^TestLog$")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "ANYINFER_TEST_LOG="+file, "CI=true") // TestMain does not open MNN before
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
	log, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Regexp(t, `level=WARN msg=.* engine=mnn\n`, string(log))
	require.NotContains(t, string(log), "level=ERROR")
}

// logTo writes to a file what is logged of a model that loads and of one that does not, and ends the process.
func logTo(t *testing.T, file string) {
	out, err := os.Create(file)
	require.NoError(t, err)
	e, err := common.Open("mnn", &common.Config{Logger: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	s, err := load(t, e, "digits", nil).NewSession(ctx, "")
	require.NoError(t, err)
	require.NoError(t, s.Run(ctx))
	m := load(t, e, "digits", &common.Options{Shapes: map[string]common.ShapeRange{
		"image": {Min: common.Shape{1, 1, 2, 2}, Opt: common.Shape{1, 1, 8, 8}, Max: common.Shape{1, 1, 8, 8}},
	}})
	_, err = m.Run(ctx, common.Tensors{"image": enginetest.Random(t, 1, common.Float32, 1, 1, 2, 2)})
	require.ErrorIs(t, err, common.ErrShape)
	_, err = e.Load(ctx, enginetest.File(t, "digits.mnn"), &common.Options{Shapes: map[string]common.ShapeRange{"image": common.Fixed(1, 2, 8, 8)}})
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "MNN cannot prepare the model: ")
	require.ErrorContains(t, err, "conv", "MNN's own words")
	require.Eventually(t, func() bool { // lines come a little later
		log, err := os.ReadFile(file)
		return err == nil && bytes.Contains(log, []byte("level=WARN"))
	}, 5*time.Second, time.Millisecond)
	require.NoError(t, e.Close())
	libc, err := dylib.Open(dylib.Spec{Engine: "libc", Stem: "c", Sonames: []string{"libc.so.6"}}, []dylib.Decl{{C: "int fflush(FILE *)"}}, "")
	require.NoError(t, err)
	libc.Call(0, dylib.Int(0)) // Go's exit does not write what C's streams still hold
	os.Exit(0)
}

// TestBizCode checks that a bizCode without JSON is metadata as it is.
func TestBizCode(t *testing.T) {
	require.Equal(t, map[string]string{"bizCode": "anyinfer"}, load(t, open(t), "digits", nil).Info().Metadata)
}

// TestAnotherABI: a shim that was compiled for another version is refused with
// the command that helps.
func TestAnotherABI(t *testing.T) {
	e := open(t)
	if e.Info().Library == "linked" {
		t.Skip("the shim is linked: it cannot be of another version")
	}
	library := filepath.Join(t.TempDir(), "libanyinfer_mnn.so")
	data, err := os.ReadFile(e.Info().Library)
	require.NoError(t, err)
	begin := []byte{2, 0, 0, 0, 8 + 21*8, 0, 0, 0} // of anyinfer_api: the version, and its size
	require.Equal(t, 1, bytes.Count(data, begin))
	data[bytes.Index(data, begin)] = 3
	require.NoError(t, os.WriteFile(library, data, 0o700))
	_, err = common.Open("mnn", &common.Config{Library: library})
	require.ErrorIs(t, err, common.ErrVersion)
	require.ErrorContains(t, err, "anyinfer shim build mnn")
	require.ErrorContains(t, err, "version 3 of the engine ABI, but this program needs version 2")
}

// TestBindOutput: results come to the caller's memory, copied once by the shim,
// where shapes are inferred once and where each Run infers them, and Run
// allocates nothing.
func TestBindOutput(t *testing.T) {
	e := open(t)
	cancelable, cancel := context.WithCancel(ctx)
	defer cancel()
	for model, shape := range map[string][]int{"digits": {1, 1, 8, 8}, "digits_dynamic": {3, 1, 8, 8}, "planes": {1, 3, 4, 5}, "branch": nil} {
		s := enginetest.NewSession(t, load(t, e, model, &common.Options{Threads: 1}))
		for i, info := range s.Signature().Inputs {
			dims := info.Shape
			if shape != nil {
				dims = shape
			}
			require.NoError(t, s.BindInput(i, enginetest.Random(t, 1, info.DType, dims...)))
		}
		require.NoError(t, s.Run(ctx))
		want := s.Output(0).Clone()
		padded, err := common.NewTensor(want.DType(), want.Shape()...)
		require.NoError(t, err)
		slice, err := common.FromSlice(make([]float32, want.Len()), want.Shape()...)
		require.NoError(t, err)
		for _, out := range []*common.Tensor{padded, slice} {
			require.NoError(t, s.BindOutput(0, out))
			require.NoError(t, s.Run(ctx))
			require.Same(t, out, s.Output(0))
			require.Equal(t, values.Float64s(want), values.Float64s(out))
			for _, c := range []context.Context{ctx, cancelable} {
				enginetest.NoAllocations(t, func() error { return s.Run(c) })
			}
		}
		require.NoError(t, s.BindOutput(0, nil))
		require.NoError(t, s.Run(ctx))
		require.Equal(t, values.Float64s(want), values.Float64s(s.Output(0)))
	}
}
