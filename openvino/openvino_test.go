// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/openvino"
)

var ctx = context.Background()

func TestInfo(t *testing.T) {
	e := open(t)
	info := e.Info()
	require.Equal(t, "openvino", info.Name)
	require.Regexp(t, `^20\d\d\.\d`, info.Version)
	require.NotEmpty(t, info.Library)
	devices, err := e.Devices(ctx)
	require.NoError(t, err)
	require.Equal(t, "CPU", devices[0].Name)
	require.NotEmpty(t, devices[0].Description)
	m := load(t, e, file("digits.onnx"), &common.Options{Threads: 1})
	require.Equal(t, common.ModelInfo{
		Format: "onnx", Device: "CPU", Precision: common.Float32, Threads: 1, Sessions: 1, State: common.Stateless,
		Details: map[string]string{"streams": "1", "compiled_models": "1"}, Metadata: map[string]string{"name": "model", "producer": "anyinfer"},
	}, m.Info())
}

func TestSources(t *testing.T) {
	e := open(t)
	read := func(name string) []byte {
		b, err := os.ReadFile("../testdata/" + name)
		require.NoError(t, err)
		return b
	}
	fsys := os.DirFS("../testdata")
	odd := filepath.Join(t.TempDir(), "digits.model") // no extension that tells
	require.NoError(t, os.WriteFile(odd, read("digits.tflite"), 0o600))
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	var want []float32
	for _, c := range []struct {
		name string
		src  common.Source
	}{
		{"onnx file", file("digits.onnx")},
		{"onnx bytes", common.Bytes(read("digits.onnx"))},
		{"onnx fs", common.FS(fsys, "digits.onnx")},
		{"ir file", file("digits.xml")},
		{"ir files", common.Files("../testdata/digits.xml", "../testdata/digits.bin")},
		{"ir bytes", common.Bytes(read("digits.xml"), read("digits.bin"))},
		{"ir fs", common.FS(fsys, "digits.xml")},
		{"tflite file", file("digits.tflite")},
		{"tflite bytes", common.Bytes(read("digits.tflite"))},
		{"tflite fs", common.FS(fsys, "digits.tflite")},
		{"tflite by another name", common.File(odd)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.name, "tflite") && e.Info().Version < "2026.1" {
				_, err := e.Load(ctx, c.src, nil)
				require.ErrorIs(t, err, common.ErrVersion)
				return
			}
			m := load(t, e, c.src, nil)
			s := session(t, m)
			for i, x := 0, data[float32](t, s.Input(0)); i < len(x); i++ {
				x[i] = float32(i%17) / 16
			}
			runtime.GC() // weights in Go memory must stay
			require.NoError(t, s.Run(ctx))
			got := data[float32](t, s.Output(0))
			if want == nil {
				want = append(want, got...)
			}
			require.InDeltaSlice(t, want, got, 1e-5)
		})
	}
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "temporary files")
}

// A relu each, of float32 [2,3]: a GraphDef and a ProgramDesc.
const (
	graphDef = "" +
		"0a320a0178120b506c616365686f6c6465722a0b0a056474797065120230012a130a057368617065120a3a0812020802120208030a150a0179120452" +
		"656c751a01782a070a015412023001"
	programDesc = "" +
		"0ab701080010001a0c0a04666565641202080918011a0d0a0566657463681202080a18011a130a0178120c08071a080a0608051002100318001a130a" +
		"0179120c08071a080a06080510021003180022260a090a015812046665656412080a034f75741201781a046665656422090a03636f6c100018002218" +
		"0a060a015812017812080a034f75741201791a0472656c7522280a060a0158120179120c0a034f7574120566657463681a05666574636822090a0363" +
		"6f6c10001800220408a0a87a"
)

func TestOtherFrontends(t *testing.T) {
	e := open(t)
	for format, c := range map[string]struct{ text, extension string }{
		"tensorflow": {graphDef, ".pb"},
		"paddle":     {programDesc, ".pdmodel"},
	} {
		model, err := hex.DecodeString(c.text)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "relu"+c.extension)
		require.NoError(t, os.WriteFile(path, model, 0o600))
		require.NoError(t, os.WriteFile(strings.TrimSuffix(path, c.extension)+".pdiparams", nil, 0o600))
		for _, src := range []common.Source{common.File(path), common.Bytes(model, nil).As(format), common.Bytes(model).As(format)} {
			m, err := e.Load(ctx, src, nil)
			if format == "tensorflow" && err != nil { // its weights are inside: a second piece is one too many
				require.ErrorContains(t, err, "2 files")
				continue
			}
			require.NoError(t, err)
			require.Equal(t, format, m.Info().Format)
			sig := m.Signatures()[0]
			out, err := m.Run(ctx, common.Tensors{sig.Inputs[0].Name: tensor(t, []float32{-1, 2, 3, 4, -5, 6}, 2, 3)})
			require.NoError(t, err)
			require.Equal(t, []float32{0, 2, 3, 4, 0, 6}, data[float32](t, out[sig.Outputs[0].Name]))
			require.NoError(t, m.Close())
		}
	}
}

func TestModelErrors(t *testing.T) {
	e := open(t)
	notTFLite := common.ErrModel
	if e.Info().Version < "2026.1" {
		notTFLite = common.ErrVersion
	}
	for name, c := range map[string]struct {
		src  common.Source
		kind error
		text string
	}{
		"no xml":           {common.Bytes([]byte("<?xml version")), common.ErrModel, ""},
		"not onnx":         {common.Bytes([]byte("\x08\x07\x12\x04nope")), common.ErrModel, ""},
		"not tflite":       {common.Bytes([]byte("abcdTFL3")), notTFLite, ""},
		"too many pieces":  {common.Bytes(ir("f32", "2", relu), []byte{1}, []byte{2}), common.ErrModel, "3"},
		"too many files":   {common.Files("../testdata/digits.xml", "../testdata/digits.bin", "../testdata/digits.onnx"), common.ErrModel, "3 files"},
		"unknown op":       {common.Bytes(ir("f32", "2", `type="Nope" version="opset1">`)), common.ErrModel, "Nope"},
		"dynamic rank":     {common.Bytes(ir("f32", "...", relu)), common.ErrModel, "dynamic rank"},
		"string input":     {common.Bytes(ir("string", "2", `type="ShapeOf" version="opset3"><data output_type="i64"/>`)), common.ErrDType, "string"},
		"sub-byte input":   {common.Bytes(ir("u4", "2", same("f32"))), common.ErrDType, `input "x" has elements of type u4`},
		"sub-byte input 2": {common.Bytes(ir("i4", "2", same("f32"))), common.ErrDType, `i4`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.Load(ctx, c.src, nil)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.text)
			require.NotContains(t, err.Error(), ".cpp:")
		})
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err := e.Load(cancelled, file("digits.onnx"), nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestCustomOperator(t *testing.T) {
	path := "../../shared/models/ssd_mobilenet_v1_quant.tflite"
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	e := open(t)
	if e.Info().Version < "2026.1" {
		t.Skip("reads no TFLite")
	}
	_, err := e.Load(ctx, common.File(path), nil)
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "TFLite_Detection_PostProcess")
}

func TestSignature(t *testing.T) {
	e := open(t)
	for _, c := range []struct {
		src     []byte
		name    string
		in, out common.Shape
	}{
		{ir("f32", "2,3", relu), "x", common.Shape{2, 3}, common.Shape{2, 3}},
		{ir("f32", "", relu), "x", common.Shape{}, common.Shape{}},
		{ir("f32", "?,3", relu), "x", common.Shape{-1, 3}, common.Shape{-1, 3}},
		{ir("f32", "2..5,3", relu), "x", common.Shape{-1, 3}, common.Shape{-1, 3}},
		{irNamed("f32", "2,3", relu, "", ""), "input_0", common.Shape{2, 3}, common.Shape{2, 3}},
	} {
		m := load(t, e, common.Bytes(c.src), nil)
		sig := m.Signatures()[0]
		require.Empty(t, sig.Name)
		require.Equal(t, []common.TensorInfo{{Name: c.name, DType: common.Float32, Shape: c.in}}, sig.Inputs)
		require.Equal(t, c.out, sig.Outputs[0].Shape)
		if c.name == "input_0" {
			require.Equal(t, "output_0", sig.Outputs[0].Name)
		}
		shape := c.in
		if c.in.Dynamic() {
			shape = common.Shape{2, 3}
		}
		in := tensor(t, make([]float32, shape.Elems()), shape...)
		data[float32](t, in)[0] = 7
		out, err := m.Run(ctx, common.Tensors{c.name: in})
		require.NoError(t, err)
		require.Equal(t, shape, out[sig.Outputs[0].Name].Shape())
		require.EqualValues(t, 7, data[float32](t, out[sig.Outputs[0].Name])[0])
	}
	m := load(t, e, common.Bytes(ir("f32", "2..5,3", relu)), nil)
	_, err := m.Run(ctx, common.Tensors{"x": tensor(t, make([]float32, 18), 6, 3)})
	require.ErrorIs(t, err, common.ErrShape, "beyond the model's own bounds")
	_, err = m.Run(ctx, common.Tensors{"x": tensor(t, make([]float32, 15), 5, 3)})
	require.NoError(t, err, "after an error")
}

// Every dtype passes through unchanged, also where input and output are one.
func TestDTypes(t *testing.T) {
	e := open(t)
	for _, dt := range []common.DType{common.Bool, common.Int8, common.Int16, common.Int32, common.Int64, common.Uint8, common.Uint16,
		common.Uint32, common.Uint64, common.Float16, common.BFloat16, common.Float32, common.Float64} {
		name := map[common.DType]string{common.Bool: "boolean", common.BFloat16: "bf16"}[dt]
		if name == "" {
			name = dt.String()[:1] + strconv.Itoa(8*dt.Size())
		}
		for _, shape := range []string{"2,3", "?,3"} {
			t.Run(name+" "+shape, func(t *testing.T) {
				m := load(t, e, common.Bytes(ir(name, shape, same(name))), nil)
				require.Equal(t, dt, m.Signatures()[0].Inputs[0].DType)
				in, err := common.NewTensor(dt, 2, 3)
				require.NoError(t, err)
				for i := range 3 {
					if dt >= common.Float16 {
						in.Bytes()[(2*i+1)*dt.Size()-1] = 0x40 // 2 in each float type
					} else {
						in.Bytes()[2*i*dt.Size()] = 1
					}
				}
				out, err := m.Run(ctx, common.Tensors{"x": in})
				require.NoError(t, err)
				require.Len(t, out, 1)
				for _, y := range out {
					require.Equal(t, dt, y.DType())
					require.Equal(t, in.Bytes(), y.Bytes())
				}
			})
		}
	}
}

// An output that is an input passed through needs its memory set before the
// input's in older releases, also after either changed.
func TestPassThrough(t *testing.T) {
	s := session(t, load(t, open(t), common.Bytes(ir("f32", "2,3", same("f32"))), nil))
	for n := range 3 {
		in := tensor(t, []float32{1, 2, 3, 4, 5, float32(n)}, 2, 3)
		require.NoError(t, s.BindInput(0, in))
		for range 2 {
			require.NoError(t, s.Run(ctx))
			require.Equal(t, []float32{1, 2, 3, 4, 5, float32(n)}, data[float32](t, s.Output(0)))
		}
		data[float32](t, in)[0] = 9
		require.NoError(t, s.Run(ctx))
		require.EqualValues(t, 9, data[float32](t, s.Output(0))[0])
	}
}

func TestShapesOption(t *testing.T) {
	e := open(t)
	shapes := func(name string, r common.ShapeRange) *common.Options {
		return &common.Options{Shapes: map[string]common.ShapeRange{name: r}}
	}
	m := load(t, e, file("digits_dynamic.onnx"), shapes("image", common.Fixed(3, 1, 8, 8)))
	require.Equal(t, common.Shape{3, 1, 8, 8}, m.Signatures()[0].Inputs[0].Shape)
	require.Equal(t, common.Shape{3, 10}, m.Signatures()[0].Outputs[0].Shape)
	m = load(t, e, file("digits_dynamic.onnx"), shapes("image", common.ShapeRange{Min: common.Shape{1, 1, 8, 8}, Opt: common.Shape{2, 1, 8, 8}, Max: common.Shape{4, 1, 8, 8}}))
	require.Equal(t, common.Shape{-1, 1, 8, 8}, m.Signatures()[0].Inputs[0].Shape)
	require.Equal(t, common.Shape{-1, 10}, m.Signatures()[0].Outputs[0].Shape)
	s := session(t, m)
	require.NoError(t, s.Run(ctx))
	require.Equal(t, common.Shape{2, 10}, s.Output(0).Shape())
	_, err := e.Load(ctx, file("digits.onnx"), shapes("picture", common.Fixed(1, 1, 8, 8)))
	require.ErrorIs(t, err, common.ErrName)
	require.ErrorContains(t, err, `"image"`)
	_, err = e.Load(ctx, file("digits.onnx"), shapes("image", common.Fixed(8, 8)))
	require.ErrorIs(t, err, common.ErrShape)
	m = load(t, e, common.Bytes(irNamed("f32", "2,3", relu, "", "")), shapes("input_0", common.Fixed(4, 5)))
	require.Equal(t, common.Shape{4, 5}, m.Signatures()[0].Outputs[0].Shape)
}

func TestOptions(t *testing.T) {
	e := open(t)
	digits := file("digits.onnx")
	property := func(m *common.Model, key string) string {
		v, err := m.Property(key)
		require.NoError(t, err)
		return v
	}
	m := load(t, e, digits, &common.Options{Profile: true})
	require.Equal(t, "f32", property(m, "INFERENCE_PRECISION_HINT"))
	require.Equal(t, "ACCURACY", property(m, "EXECUTION_MODE_HINT"))
	require.Equal(t, "LATENCY", property(m, "PERFORMANCE_HINT"))
	require.Contains(t, []string{"NO", "false"}, property(m, "ENABLE_CPU_PINNING"))
	require.Contains(t, []string{"YES", "true"}, property(m, "PERF_COUNT"))

	m = load(t, e, digits, &common.Options{Threads: 1, Sessions: 2})
	require.Equal(t, "1", property(m, "NUM_STREAMS"))
	require.Equal(t, "1", property(m, "INFERENCE_NUM_THREADS"))
	require.Equal(t, 1, m.Info().Threads)
	require.Equal(t, 2, m.Info().Sessions)

	m = load(t, e, digits, &common.Options{Threads: 1, Sessions: 2, Native: openvino.Options{Streams: 2}})
	if runtime.NumCPU() >= 2 {
		require.Equal(t, "2", property(m, "NUM_STREAMS"))
		require.Equal(t, "2", property(m, "INFERENCE_NUM_THREADS"))
	}

	m = load(t, e, digits, &common.Options{Native: openvino.Options{Streams: 1, Hint: "throughput", Properties: map[string]string{
		"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1", "PERFORMANCE_HINT_NUM_REQUESTS": "1"}}})
	require.Equal(t, "THROUGHPUT", property(m, "PERFORMANCE_HINT"))
	require.Equal(t, "1", property(m, "NUM_STREAMS"))
	require.Equal(t, "1", property(m, "INFERENCE_NUM_THREADS"))

	able, err := e.Property("OPTIMIZATION_CAPABILITIES")
	require.NoError(t, err)
	for dt, name := range map[common.DType]string{common.Float16: "FP16", common.BFloat16: "BF16"} {
		m, err := e.Load(ctx, digits, &common.Options{Precision: dt})
		if !strings.Contains(able, name) {
			require.ErrorIs(t, err, common.ErrOption, "the CPU has no %s", name)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, dt, m.Info().Precision)
		require.NoError(t, m.Close())
	}

	cache := filepath.Join(t.TempDir(), "deep", "cache")
	load(t, e, digits, &common.Options{CacheDir: cache})
	files, err := os.ReadDir(cache)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	s := session(t, load(t, e, digits, &common.Options{CacheDir: cache})) // from the cache
	require.NoError(t, s.Run(ctx))

	for _, device := range []string{"CPU", "AUTO", "HETERO:CPU", "AUTO:CPU"} {
		m := load(t, e, digits, &common.Options{Device: device})
		require.Equal(t, "CPU", m.Info().Device)
		require.NoError(t, session(t, m).Run(ctx))
	}
}

func TestOptionErrors(t *testing.T) {
	e := open(t)
	blocked := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(blocked, nil, 0o600))
	properties := func(k, v string) *common.Options {
		return &common.Options{Native: openvino.Options{Properties: map[string]string{k: v}}}
	}
	many := openvino.Options{Properties: map[string]string{}}
	for i := range 40 {
		many.Properties["P"+strconv.Itoa(i)] = "1"
	}
	for name, c := range map[string]struct {
		o    *common.Options
		kind error
		text string
	}{
		"device":         {&common.Options{Device: "TPU"}, common.ErrDevice, "the devices are: CPU"},
		"device number":  {&common.Options{Device: "CPU.7"}, common.ErrDevice, ""},
		"combination":    {&common.Options{Device: "HETERO:TPU"}, common.ErrDevice, ""},
		"native":         {&common.Options{Native: 3}, common.ErrOption, "int"},
		"hint":           {&common.Options{Native: openvino.Options{Hint: "fast"}}, common.ErrOption, "fast"},
		"streams":        {&common.Options{Native: openvino.Options{Streams: -1}}, common.ErrOption, "-1"},
		"property":       {properties("FOO", "1"), common.ErrOption, "FOO"},
		"property value": {properties("PERFORMANCE_HINT", "fast"), common.ErrOption, "fast"},
		"number":         {properties("NUM_STREAMS", "many"), common.ErrOption, "many"},
		"no name":        {properties("", "1"), common.ErrOption, ""},
		"NUL":            {properties("A\x00B", "1"), common.ErrOption, ""},
		"40 properties":  {&common.Options{Native: many}, common.ErrOption, ""},
		"cache":          {&common.Options{CacheDir: filepath.Join(blocked, "x")}, common.ErrOption, "CacheDir"},
		"auto in f16":    {&common.Options{Device: "AUTO", Precision: common.Float16}, common.ErrOption, "float16"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := e.Load(ctx, file("digits.onnx"), c.o)
			if err == nil {
				m.Close()
			}
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.text)
		})
	}
	_, err := common.Open("openvino", &common.Config{Native: 1})
	require.ErrorIs(t, err, common.ErrOption)
}

func TestProperties(t *testing.T) {
	e := open(t)
	a, err := e.Property("FULL_DEVICE_NAME")
	require.NoError(t, err)
	b, err := e.Property("CPU/FULL_DEVICE_NAME")
	require.NoError(t, err)
	require.Equal(t, a, b)
	devices, err := e.Devices(ctx)
	require.NoError(t, err)
	require.Equal(t, devices[0].Description, a)
	m := load(t, e, file("digits.onnx"), nil)
	for _, key := range []string{"NOPE", "TPU/FULL_DEVICE_NAME"} {
		_, err = e.Property(key)
		require.ErrorIs(t, err, common.ErrOption)
		_, err = m.Property(key)
		require.ErrorIs(t, err, common.ErrOption)
	}
}

// The size of the output depends on the data: it grows, shrinks and vanishes
// with the same input tensor, and with another.
func TestDataDependent(t *testing.T) {
	s := session(t, load(t, open(t), file("nonzero.onnx"), nil))
	x := data[float32](t, s.Input(0))
	for _, n := range []int{1, 3, 6, 2, 0, 6, 0, 5} {
		for i := range x {
			x[i] = 0
			if i < n {
				x[i] = 1
			}
		}
		require.NoError(t, s.Run(ctx))
		got := data[int64](t, s.Output(0))
		require.Len(t, got, n)
		for i, v := range got {
			require.EqualValues(t, i, v)
		}
	}
}

func TestDynamicUpAndDown(t *testing.T) {
	e := open(t)
	s := session(t, load(t, e, file("digits_dynamic.onnx"), nil))
	require.Nil(t, s.Input(0))
	require.ErrorIs(t, s.Run(ctx), common.ErrShape)
	one := session(t, load(t, e, file("digits.onnx"), nil))
	for _, n := range []int{1, 64, 2, 3, 64, 1} {
		in := tensor(t, make([]float32, n*64), n, 1, 8, 8)
		x := data[float32](t, in)
		for i := range x {
			x[i] = float32(i*7%17) / 16
		}
		require.NoError(t, s.BindInput(0, in))
		require.NoError(t, s.Run(ctx))
		require.Equal(t, common.Shape{n, 10}, s.Output(0).Shape())
		copy(data[float32](t, one.Input(0)), x[(n-1)*64:])
		require.NoError(t, one.Run(ctx))
		require.InDeltaSlice(t, data[float32](t, one.Output(0)), data[float32](t, s.Output(0))[(n-1)*10:], 1e-6)
	}
}

// Memory of the user's is read in place, whatever its alignment.
func TestBindInPlace(t *testing.T) {
	s := session(t, load(t, open(t), common.Bytes(ir("f32", "8", relu)), nil))
	room := make([]float32, 64)
	for off := range 8 {
		in := tensor(t, room[off:off+8:off+8], 8)
		require.NoError(t, s.BindInput(0, in))
		require.NoError(t, s.Run(ctx))
		for i := range 8 {
			room[off+i] = float32(off + i)
		}
		require.NoError(t, s.Run(ctx)) // no second Bind
		require.Equal(t, room[off:off+8], data[float32](t, s.Output(0)))
		runtime.GC()
	}
}

func TestCancel(t *testing.T) {
	e := open(t)
	s := session(t, load(t, e, file("slow.onnx"), nil))
	begin := time.Now()
	require.NoError(t, s.Run(ctx))
	whole := time.Since(begin)
	want := append([]float32(nil), data[float32](t, s.Output(0))...)
	for range 3 {
		short, cancel := context.WithTimeout(ctx, whole/8)
		begin = time.Now()
		err := s.Run(short)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(begin), whole/2)
	}
	clear(data[float32](t, s.Output(0)))
	require.NoError(t, s.Run(ctx)) // usable afterwards
	require.Equal(t, want, data[float32](t, s.Output(0)))
}

func TestProfile(t *testing.T) {
	e := open(t)
	s := session(t, load(t, e, file("digits.onnx"), &common.Options{Profile: true}))
	require.NoError(t, s.Run(ctx))
	layers, err := s.Profile()
	require.NoError(t, err)
	var convolution bool
	for _, l := range layers {
		require.NotEmpty(t, l.Name)
		require.NotEmpty(t, l.Type)
		require.Less(t, l.Duration, time.Second)
		convolution = convolution || strings.Contains(l.Type, "Convolution") && l.Kernel != ""
	}
	require.True(t, convolution, "%v", layers)
	_, err = session(t, load(t, e, file("digits.onnx"), nil)).Profile()
	require.ErrorIs(t, err, common.ErrOption)
}

// Failing calls side by side: codes are right, and the SDK's one text for all
// is read without a crash.
func TestErrorsSideBySide(t *testing.T) {
	e := open(t)
	done := make(chan error)
	for range 8 {
		go func() {
			for range 50 {
				if _, err := e.Property("NOPE"); !errors.Is(err, common.ErrOption) {
					done <- err
					return
				}
				if _, err := e.Load(ctx, common.Bytes([]byte("<?xml?>")), nil); !errors.Is(err, common.ErrModel) {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		require.NoError(t, <-done)
	}
}

// TestIneffectiveProperties: what OpenVINO takes and ignores is refused, as what
// it does not know is.
func TestIneffectiveProperties(t *testing.T) {
	e := open(t)
	for key, c := range map[string]struct{ value, says string }{
		"ENABLE_MMAP":         {"NO", "MapFiles"},
		"CACHE_DIR":           {t.TempDir(), "CacheDir"},
		"CACHE_MODE":          {"OPTIMIZE_SIZE", "CacheDir"},
		"FORCE_TBB_TERMINATE": {"YES", "process"},
		"ALLOW_AUTO_BATCHING": {"NO", "batching"},
		"AUTO_BATCH_TIMEOUT":  {"5", "batching"},
		"MODEL_PTR":           {"1", "pointer"},
		"WEIGHTS_PATH":        {"/w", "CacheDir"},
		"NO_SUCH_PROPERTY":    {"1", ""},
	} {
		o := common.Options{Native: openvino.Options{Properties: map[string]string{key: c.value}}}
		_, err := e.Load(ctx, file("digits.xml"), &o)
		require.ErrorIs(t, err, common.ErrOption, key)
		require.ErrorContains(t, err, key)
		require.ErrorContains(t, err, c.says)
	}
	if e.Info().Version < "2025.4" {
		return // which do not know CACHE_MODE
	}
	o := common.Options{CacheDir: t.TempDir(), Native: openvino.Options{Properties: map[string]string{"CACHE_MODE": "OPTIMIZE_SPEED"}}}
	require.NoError(t, os.Chmod(o.CacheDir, 0o700))
	load(t, e, file("digits.xml"), &o)
}
