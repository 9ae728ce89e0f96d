// SPDX-License-Identifier: Apache-2.0

package tnn_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/testing/linktest"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

var ctx = context.Background()

func TestMain(m *testing.M) { enginetest.Main(m, "tnn") }

func TestShim(t *testing.T) { linktest.Shim(t, "tnn") }

func open(t *testing.T) *common.Engine {
	t.Helper()
	return enginetest.Open(t, "tnn", nil)
}

func file(t *testing.T, model string) common.Source { return enginetest.File(t, model+".tnnproto") }

func load(t *testing.T, e *common.Engine, model string, o *common.Options) *common.Model {
	t.Helper()
	return enginetest.Load(t, e, file(t, model), o)
}

// network is a model without weights: "x 2 2 3 0" and the like, the outputs,
// and the layers without their commas.
func network(inputs, outputs string, layers ...string) common.Source {
	proto := fmt.Sprintf("\"1 9 1 4206624772 ,\"\n%q\n\"- ,\"\n%q\n\" %d ,\"\n", inputs+" ,", outputs+" ,", len(layers))
	for _, l := range layers {
		proto += fmt.Sprintf("%q\n", l+" ,")
	}
	return common.Bytes([]byte(proto), binary.LittleEndian.AppendUint64(nil, 0xFABC0004)).As("tnn")
}

// image is seeded data of that shape.
func image(t *testing.T, shape ...int) *common.Tensor {
	t.Helper()
	return enginetest.Random(t, 1, common.Float32, shape...)
}

func run(t *testing.T, m *common.Model, shape ...int) *common.Tensor {
	t.Helper()
	sig := m.Signatures()[0]
	out, err := m.Run(ctx, common.Tensors{sig.Inputs[0].Name: image(t, shape...)})
	require.NoError(t, err)
	return out[sig.Outputs[0].Name]
}

func shapes(name string, smallest, largest common.Shape) *common.Options {
	return &common.Options{Shapes: map[string]common.ShapeRange{name: {Min: smallest, Opt: smallest, Max: largest}}}
}

// TestShapes: a file has fixed shapes, Options.Shapes frees them. Beyond them
// TNN would write outside of its memory.
func TestShapes(t *testing.T) {
	e := open(t)
	one := load(t, e, "digits", nil)
	require.Equal(t, common.Shape{1, 1, 8, 8}, one.Signatures()[0].Inputs[0].Shape)
	many := load(t, e, "digits", shapes("image", common.Shape{1, 1, 8, 8}, common.Shape{4, 1, 8, 8}))
	require.Equal(t, common.Shape{-1, 1, 8, 8}, many.Signatures()[0].Inputs[0].Shape)
	require.Equal(t, common.Shape{-1, 10}, many.Signatures()[0].Outputs[0].Shape)
	require.InDeltaSlice(t, values.Float64s(run(t, one, 1, 1, 8, 8)), values.Float64s(run(t, many, 3, 1, 8, 8))[:10], 1e-6)
	for _, m := range []*common.Model{one, many} {
		_, err := m.Run(ctx, common.Tensors{"image": image(t, 5, 1, 8, 8)})
		require.ErrorIs(t, err, common.ErrShape)
	}
}

// TestShapesThatDoNotSuit: what TNN would compute with memory that is not
// there is refused when the model is loaded.
func TestShapesThatDoNotSuit(t *testing.T) {
	e := open(t)
	for _, o := range []*common.Options{
		shapes("image", common.Shape{1, 2, 8, 8}, common.Shape{1, 2, 8, 8}),
		shapes("image", common.Shape{1, 1, 8, 8}, common.Shape{1, 1, 9, 40}),
		shapes("image", common.Shape{1, 1, 1, 1}, common.Shape{1, 1, 8, 8}),
	} {
		_, err := e.Load(ctx, file(t, "digits"), o)
		require.ErrorIs(t, err, common.ErrModel)
		require.ErrorContains(t, err, "the model does not take these shapes: layer ")
	}
	_, err := e.Load(ctx, file(t, "digits"), shapes("image", common.Shape{8, 8}, common.Shape{8, 8}))
	require.ErrorIs(t, err, common.ErrShape)
}

// TestSizes: TNN's poolings keep the padding that they had for the last size,
// and compute a wrong shape for the next; here each is as when it was the first.
func TestSizes(t *testing.T) {
	e := open(t)
	m, err := e.Load(ctx, network("x 4 1 1 8 8 0", "y", "Pooling y 1 1 x y 0 3 3 2 2 1 1 -1 -1 -1 0 0 0 0"),
		shapes("x", common.Shape{1, 1, 5, 5}, common.Shape{2, 1, 9, 9}))
	require.NoError(t, err)
	for _, size := range []int{8, 7, 9, 8, 5, 6, 7} {
		require.Equal(t, common.Shape{2, 1, (size + 1) / 2, (size + 1) / 2}, run(t, m, 2, 1, size, size).Shape(), "%d", size)
	}
}

// TestDevices: the same results from the plain C++ of device NAIVE, whose
// converters are TNN's for most devices.
func TestDevices(t *testing.T) {
	e := open(t)
	first := map[string]string{"amd64": "X86", "386": "X86", "arm64": "ARM", "arm": "ARM"}[runtime.GOARCH]
	devices, err := e.Devices(ctx)
	require.NoError(t, err)
	require.Equal(t, first, devices[0].Name)
	require.Contains(t, devices, common.Device{Name: "NAIVE", Description: "processor, in plain C++"})
	want := values.Float64s(run(t, load(t, e, "digits", nil), 1, 1, 8, 8))
	naive := load(t, e, "digits", &common.Options{Device: "NAIVE"})
	require.Equal(t, "NAIVE", naive.Info().Device)
	require.InDeltaSlice(t, want, values.Float64s(run(t, naive, 1, 1, 8, 8)), 1e-6)
}

func TestIntegers(t *testing.T) {
	m, err := open(t).Load(ctx, network("a 2 2 3 3", "y", "Flatten y 1 1 a y 1"), &common.Options{Device: "NAIVE"})
	require.NoError(t, err)
	require.Equal(t, common.Int32, m.Signatures()[0].Inputs[0].DType)
	require.Equal(t, common.Int32, m.Signatures()[0].Outputs[0].DType)
	a, err := common.FromSlice([]int32{1, -2, 3, 1 << 24, 5, 6}, 2, 3)
	require.NoError(t, err)
	out, err := m.Run(ctx, common.Tensors{"a": a})
	require.NoError(t, err)
	require.Equal(t, a.Bytes(), out["y"].Bytes())
}

func TestOptions(t *testing.T) {
	e := open(t)
	for name, o := range map[string]common.Options{
		"cache":            {CacheDir: t.TempDir()},
		"profile":          {Profile: true},
		"more than cores":  {Threads: runtime.NumCPU() + 1},
		"another's Native": {Native: struct{ Memory int }{1}},
	} {
		_, err := e.Load(ctx, file(t, "digits"), &o)
		require.ErrorIs(t, err, common.ErrOption, name)
	}
	if runtime.GOARCH == "amd64" {
		for _, p := range []common.DType{common.Float16, common.BFloat16} {
			_, err := e.Load(ctx, file(t, "digits"), &common.Options{Precision: p})
			require.ErrorIs(t, err, common.ErrOption)
			require.ErrorContains(t, err, "X86 does not compute in "+p.String())
		}
	}
	_, err := e.Load(ctx, file(t, "digits"), &common.Options{Shapes: map[string]common.ShapeRange{"nope": common.Fixed(1)}})
	require.ErrorIs(t, err, common.ErrName)
	m := load(t, e, "digits", nil)
	require.Equal(t, common.Float32, m.Info().Precision)
	require.Equal(t, runtime.NumCPU(), m.Info().Threads, "this TNN has OpenMP")
	_, err = enginetest.NewSession(t, m).Profile()
	require.ErrorIs(t, err, common.ErrOption)
}

// TestLog: what TNN prints on stderr comes to the logger, with its level.
func TestLog(t *testing.T) {
	var log enginetest.Log
	e := enginetest.Open(t, "tnn", &common.Config{Logger: log.Logger()})
	load(t, e, "digits", nil)
	_, err := e.Load(ctx, network("x 2 1 4 0", "y", "NoSuchLayer y 1 1 x y"), nil)
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "TNN cannot read the model: code: 0x1000 msg: layer type is not supported")
	log.Wait(t, "level=ERROR")
	log.Wait(t, "engine=tnn")
}

// TestParts: neither file is enough, and their order counts.
func TestParts(t *testing.T) {
	e := open(t)
	var files [][]byte
	for _, ext := range []string{".tnnproto", ".tnnmodel"} {
		data, err := os.ReadFile("../testdata/digits" + ext)
		require.NoError(t, err)
		files = append(files, data)
	}
	for _, parts := range [][][]byte{{files[0]}, {files[1]}, {files[1], files[0]}, {files[0], files[1], files[1]}} {
		_, err := e.Load(ctx, common.Bytes(parts...).As("tnn"), nil)
		require.ErrorIs(t, err, common.ErrModel)
	}
}

// TestGPUs runs on the stand-in's devices, which are none but in name: it
// tests what the engine asks of TNN, not that GPUs work.
func TestGPUs(t *testing.T) {
	e := open(t)
	if !strings.Contains(e.Info().Version, "standin") {
		t.Skip("for the stand-in's devices")
	}
	var names []string
	devices, err := e.Devices(ctx)
	require.NoError(t, err)
	for _, d := range devices {
		names = append(names, d.Name)
	}
	require.Equal(t, []string{"OPENCL", "METAL"}, names[2:], "CUDA finds no device")
	want := values.Float64s(run(t, load(t, e, "digits", nil), 1, 1, 8, 8))
	for _, c := range []struct {
		device       string
		asked, given common.DType
	}{{"OPENCL", 0, common.Float32}, {"OPENCL", common.Float32, common.Float32}, {"OPENCL", common.Float16, common.Float16},
		{"METAL", 0, common.Float16}, {"METAL", common.Float16, common.Float16}} {
		m := load(t, e, "digits", &common.Options{Device: c.device, Precision: c.asked})
		require.Equal(t, c.given, m.Info().Precision)
		require.Zero(t, m.Info().Threads)
		require.InDeltaSlice(t, want, values.Float64s(run(t, m, 1, 1, 8, 8)), 1e-6)
	}
	for _, o := range []common.Options{
		{Device: "METAL", Precision: common.Float32}, {Device: "OPENCL", Precision: common.BFloat16}, {Device: "OPENCL", Threads: 1},
	} {
		_, err := e.Load(ctx, file(t, "digits"), &o)
		require.ErrorIs(t, err, common.ErrOption)
	}
}

// TestFaults has TNN fail in ways that the genuine one does not on demand. Each
// ends in an error, and other models go on.
func TestFaults(t *testing.T) {
	e := open(t)
	if !strings.Contains(e.Info().Version, "standin") {
		t.Skip("the genuine TNN has no layer Fault")
	}
	fault := func(what string) common.Source { return network("x 2 4 3 0", "y", "Fault y 1 1 x y "+what) }
	good := load(t, e, "digits", nil)
	for what, c := range map[string]struct {
		is   error
		text string
	}{
		"create:status": {common.ErrModel, "TNN cannot prepare the model: code: 0x3000 msg: a fault was asked for"},
		"create:throw":  {common.ErrRun, "stand-in: thrown as asked for"},
		"create:int":    {common.ErrRun, "the SDK threw an exception of unknown type"},
		"late":          {common.ErrModel, `the shape of output "y" depends on values`},
		"int64":         {common.ErrDType, `"y" is of TNN's type 5`},
	} {
		_, err := e.Load(ctx, fault(what), nil)
		require.ErrorIs(t, err, c.is, what)
		require.ErrorContains(t, err, c.text)
	}
	for what, text := range map[string]string{
		"forward:status": "TNN failed: code: 0x3000", "forward:throw": "stand-in: thrown", "forward:int": "unknown type",
		"forward:grow": "TNN has changed the shape", "reshape:status": "a fault was asked for", "reshape:throw": "stand-in: thrown",
	} {
		m, err := e.Load(ctx, fault(what), nil)
		require.NoError(t, err, what)
		for range 3 {
			_, err = m.Run(ctx, common.Tensors{"x": image(t, 4, 3)})
			require.Error(t, err, what)
			require.ErrorContains(t, err, text)
			if strings.HasPrefix(what, "reshape:s") {
				require.ErrorIs(t, err, common.ErrShape)
			} else {
				require.ErrorIs(t, err, common.ErrRun)
			}
		}
		require.NoError(t, m.Close())
	}
	run(t, good, 1, 1, 8, 8)
}
