// SPDX-License-Identifier: Apache-2.0

package litert_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/testing/tfltest"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/anyinfer/anyinfer/tflite/litert"
	"github.com/stretchr/testify/require"
)

var ctx = context.Background()

func open(t *testing.T) *common.Engine {
	t.Helper()
	return enginetest.Open(t, "litert", nil)
}

func file(t *testing.T, model string) common.Source { return enginetest.File(t, model+".tflite") }

func run(t *testing.T, m *common.Model, in common.Tensors, output string) []float64 {
	t.Helper()
	out, err := m.Run(ctx, in)
	require.NoError(t, err)
	return values.Float64s(out[output])
}

func TestKernels(t *testing.T) {
	e := open(t)
	fast := tfltest.Load(t, e, "digits", nil)
	require.Equal(t, map[string]string{"delegates": "XNNPACK"}, fast.Info().Details)
	in := tfltest.Inputs(t, fast, 1)
	want := run(t, fast, in, "scores")
	for kernels, name := range map[litert.Kernels]string{litert.Builtin: "builtin", litert.Reference: "reference"} {
		slow := tfltest.Load(t, e, "digits", &common.Options{Native: litert.Options{Kernels: kernels}})
		require.Equal(t, map[string]string{"kernels": name}, slow.Info().Details)
		require.InDeltaSlice(t, want, run(t, slow, in, "scores"), 1e-6)
	}
}

func TestRefusedOptions(t *testing.T) {
	e := open(t)
	for name, test := range map[string]struct {
		options common.Options
		kind    error
	}{
		"cache":          {common.Options{CacheDir: t.TempDir()}, common.ErrOption},
		"precision":      {common.Options{Precision: common.Float16}, common.ErrOption},
		"native":         {common.Options{Native: "fast"}, common.ErrOption},
		"kernels":        {common.Options{Native: litert.Options{Kernels: 3}}, common.ErrOption},
		"fallback":       {common.Options{Native: litert.Options{Fallback: true}}, common.ErrOption},
		"unknown device": {common.Options{Device: "TPU"}, common.ErrDevice},
	} {
		_, err := e.Load(ctx, file(t, "digits"), &test.options)
		require.ErrorIs(t, err, test.kind, name)
	}
	_, err := e.Load(ctx, file(t, "digits"), &common.Options{Native: &litert.Options{}})
	require.ErrorIs(t, err, common.ErrOption)
	require.ErrorContains(t, err, "Native is *litert.Options; it takes litert.Options, not a pointer")
	_, err = common.Open("litert", &common.Config{Native: 1})
	require.ErrorIs(t, err, common.ErrOption)
}

// TestAnotherLibrary: the error about a library that is not LiteRT, or is too old, says which release is needed.
func TestAnotherLibrary(t *testing.T) {
	library := os.Getenv("ANYINFER_TFLITE_LIBRARY")
	if library == "" {
		e, err := common.Open("tflite", nil)
		if err != nil {
			t.Skip("needs the library of TFLite, as one that lacks functions: ", err)
		}
		library = e.Info().Library
		require.NoError(t, e.Close())
	}
	if info, err := os.Stat(library); err == nil && info.IsDir() {
		library += "/libtensorflowlite_c.so"
	}
	_, err := common.Open("litert", &common.Config{Library: library})
	require.ErrorIs(t, err, common.ErrVersion)
	require.ErrorContains(t, err, "LiteRT 2.1.6 or newer is needed")
	require.ErrorContains(t, err, "LiteRtCreateModelFromFd")
}

// TestShapesOfEachSignature: Shapes apply to every signature that has the input.
func TestShapesOfEachSignature(t *testing.T) {
	m := tfltest.Load(t, open(t), "multi_signatures",
		&common.Options{Shapes: map[string]common.ShapeRange{"a": common.Fixed(4, 3), "b": common.Fixed(4, 3)}})
	for _, sig := range m.Signatures() {
		require.Equal(t, common.Shape{4, 3}, sig.Outputs[0].Shape)
		s, err := m.NewSession(ctx, sig.Name)
		require.NoError(t, err)
		values.Fill(s.Input(0), 1)
		values.Fill(s.Input(1), 2)
		require.NoError(t, s.Run(ctx))
		a, b := values.Float64s(s.Input(0)), values.Float64s(s.Input(1))
		for i, y := range values.Float64s(s.Output(0)) {
			require.InDelta(t, map[string]float64{"add": a[i] + b[i], "mul": a[i] * b[i]}[sig.Name], y, 1e-6)
		}
	}
}

// TestRefusedModels: Load fails for a model that LiteRT cannot run, so that another engine can have it.
func TestRefusedModels(t *testing.T) {
	e := open(t)
	for model, text := range map[string]string{
		"nonzero": "size depends on the data",
		"rnn":     "Variable tensors not yet supported",
		"strings": "holds strings",
	} {
		_, err := e.Load(ctx, file(t, model), nil)
		require.ErrorIs(t, err, common.ErrModel)
		require.ErrorContains(t, err, text)
		require.ErrorContains(t, err, `use engine "tflite"`)
	}
	multi, err := os.ReadFile("../../testdata/multi.tflite")
	require.NoError(t, err)
	same := bytes.Replace(multi, []byte("\x01\x00\x00\x00b\x00"), []byte("\x01\x00\x00\x00a\x00"), 1)
	require.NotEqual(t, multi, same)
	_, err = e.Load(ctx, common.Bytes(same), nil)
	require.ErrorIs(t, err, common.ErrModel, "two inputs with the same name crash LiteRT")
}

// TestVariablesWithoutXNNPACK: a model with variables runs without XNNPACK, which crashes on this one, where a variable
// is added to itself.
func TestVariablesWithoutXNNPACK(t *testing.T) {
	model, err := os.ReadFile("../../testdata/accumulator.tflite")
	require.NoError(t, err)
	add := []byte("\x02\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00") // the sum and x
	at := bytes.Index(model, add)
	require.Positive(t, at)
	model[at+8] = 1
	m, err := open(t).Load(ctx, common.Bytes(model), nil)
	require.NoError(t, err)
	require.Equal(t, "builtin", m.Info().Details["kernels"])
	s, err := m.NewSession(ctx, "")
	require.NoError(t, err)
	for _, want := range [][]float64{{20, 40}, {40, 80}, {80, 160}} {
		require.NoError(t, s.Run(ctx))
		require.Equal(t, want, values.Float64s(s.Output(0)))
	}
}

// TestVariablesKeepTheirShape: inputs of a model with variables cannot be resized, as LiteRT would read or write beyond
// a variable that gets a value of another size.
func TestVariablesKeepTheirShape(t *testing.T) {
	e := open(t)
	shapes := func(r common.ShapeRange) *common.Options {
		return &common.Options{Shapes: map[string]common.ShapeRange{"x": r}}
	}
	_, err := e.Load(ctx, file(t, "accumulator"), shapes(common.Fixed(5, 2)))
	require.ErrorIs(t, err, common.ErrShape)
	one := common.Shape{1, 2}
	m := tfltest.Load(t, e, "accumulator", shapes(common.ShapeRange{Min: one, Opt: one, Max: common.Shape{5, 2}}))
	run(t, m, tfltest.Inputs(t, m, 1), "y")
	_, err = m.Run(ctx, tfltest.Inputs(t, m, 5))
	require.ErrorIs(t, err, common.ErrShape)
	run(t, m, tfltest.Inputs(t, m, 1), "y")
}

// TestDynamicOutput: an output whose size is known only after a Run gets memory of that size.
func TestDynamicOutput(t *testing.T) {
	m := tfltest.Load(t, open(t), "nonzero_cast", nil)
	s, err := m.NewSession(ctx, "")
	require.NoError(t, err)
	x, err := common.Data[float32](s.Input(0))
	require.NoError(t, err)
	for _, n := range []int{6, 0, 1, 5, 6} {
		clear(x)
		var want []float32
		for i := range n {
			x[5-i] = 1
			want = append([]float32{float32(5 - i)}, want...)
		}
		require.NoError(t, s.Run(ctx))
		require.Equal(t, common.Shape{n, 1}, s.Output(0).Shape())
		got, err := common.Data[float32](s.Output(0))
		require.NoError(t, err)
		require.Equal(t, len(want), len(got))
		for i := range want {
			require.Equal(t, want[i], got[i])
		}
	}
}

func TestProfile(t *testing.T) {
	e := open(t)
	for kernels, first := range map[litert.Kernels]common.LayerTime{
		litert.Builtin: {Name: "operator 0", Type: "CONV_2D"},
		litert.XNNPACK: {Type: "Convolution (NHWC, F32) IGEMM", Kernel: "delegate"},
	} {
		m := tfltest.Load(t, e, "digits", &common.Options{Profile: true, Threads: 1, Native: litert.Options{Kernels: kernels}})
		s, err := m.NewSession(ctx, "")
		require.NoError(t, err)
		var layers []common.LayerTime
		for range 3 { // only the last Run counts
			require.NoError(t, s.Run(ctx))
			layers, err = s.Profile()
			require.NoError(t, err)
		}
		require.Less(t, len(layers), 10)
		layers[0].Duration = 0
		require.Equal(t, first, layers[0])
	}
}

// TestDevices: a GPU is listed only where the system has a device file of one.
func TestDevices(t *testing.T) {
	devices, err := open(t).Devices(ctx)
	require.NoError(t, err)
	require.Equal(t, "CPU", devices[0].Name)
	if _, err := os.Stat("/dev"); err != nil {
		t.Skip(err)
	}
	for _, pattern := range []string{"/dev/dri/render*", "/dev/nv*", "/dev/mali*", "/dev/kgsl*", "/dev/dxg"} {
		if files, _ := filepath.Glob(pattern); files != nil {
			t.Skip("this machine may have a GPU: ", files)
		}
	}
	require.Len(t, devices, 1)
}

// TestGPU: results on a GPU are those on the CPU.
func TestGPU(t *testing.T) {
	e := open(t)
	for _, model := range []string{"digits", "digits_dynamic", "edges", "multi"} {
		for _, fallback := range []bool{false, true} {
			m, err := e.Load(ctx, file(t, model), &common.Options{Device: "GPU", Native: litert.Options{Fallback: fallback}})
			if errors.Is(err, common.ErrDevice) {
				t.Skip("no GPU here: ", err)
			}
			require.NoError(t, err)
			require.Equal(t, "GPU", m.Info().Device)
			require.Equal(t, common.Float32, m.Info().Precision)
			c := tfltest.Load(t, e, model, nil)
			in := tfltest.Inputs(t, m, 8)
			for _, info := range m.Signatures()[0].Outputs {
				require.InDeltaSlice(t, run(t, c, in, info.Name), run(t, m, in, info.Name), 1e-4)
			}
		}
	}
	_, err := e.Load(ctx, file(t, "fivedim"), &common.Options{Device: "GPU"})
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "Fallback")
	m := tfltest.Load(t, e, "fivedim", &common.Options{Device: "GPU", Native: litert.Options{Fallback: true}})
	require.Equal(t, "GPU,CPU", m.Info().Device)
	run(t, m, tfltest.Inputs(t, m, 0), "y")
}

func TestScaleOne(t *testing.T) { tfltest.RefusesScaleOne(t, open(t)) }
