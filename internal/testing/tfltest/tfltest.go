// SPDX-License-Identifier: Apache-2.0

// Package tfltest has the tests that the engines for TFLite files share, beyond those of enginetest.
package tfltest

import (
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/flatcheck"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

// Load loads a model of testdata until the test ends.
func Load(t *testing.T, e *common.Engine, model string, o *common.Options) *common.Model {
	t.Helper()
	return enginetest.Load(t, e, enginetest.File(t, model+".tflite"), o)
}

// Inputs are seeded numbers for the model's first signature. Their dynamic dimensions are n. Of a vector, the input of
// the models called nonzero, n elements are 1 and the others 0.
func Inputs(t *testing.T, m *common.Model, n int) common.Tensors {
	t.Helper()
	in := common.Tensors{}
	for i, info := range m.Signatures()[0].Inputs {
		shape := slices.Clone(info.Shape)
		for j, d := range shape {
			if d < 0 {
				shape[j] = n
			}
		}
		x := enginetest.Random(t, uint64(i)+1, info.DType, shape...)
		if len(shape) == 1 {
			elements, err := common.Data[float32](x)
			require.NoError(t, err)
			clear(elements)
			copy(elements, slices.Repeat([]float32{1}, n))
		}
		in[info.Name] = x
	}
	return in
}

// BindOutput tests that Run writes to the outputs that are bound and to no other tensors, and allocates nothing. Where
// outputs are dynamic it also tests results that do not fit.
func BindOutput(t *testing.T, engine string, models ...string) {
	e := enginetest.Open(t, engine, nil)
	for _, model := range models {
		t.Run(model, func(t *testing.T) {
			m := Load(t, e, model, &common.Options{Threads: 1})
			b := binding{m, enginetest.NewSession(t, m), m.Signatures()[0]}
			var former []*common.Tensor
			for _, n := range []int{2, 5, 1, 6} {
				for _, memory := range []string{"aligned", "unaligned", "the session's"} {
					want := b.input(t, n)
					bound := b.bind(t, want, memory)
					enginetest.NoAllocations(t, func() error { return b.session.Run(t.Context()) })
					written := b.check(t, want)
					for _, x := range former {
						require.Zero(t, slices.Max(x.Bytes()), "it is not bound any more")
					}
					if bound != nil {
						require.True(t, slices.Equal(bound, written))
						b.misfit(t, n, bound)
					}
					for _, x := range written {
						clear(x.Bytes())
					}
					former = written
				}
			}
		})
	}
}

type binding struct {
	model     *common.Model
	session   *common.Session
	signature common.Signature
}

// input sets the inputs, in place where they have the shape: then nothing is bound anew. It returns the results.
func (b binding) input(t *testing.T, n int) common.Tensors {
	in := Inputs(t, b.model, n)
	for i, info := range b.signature.Inputs {
		if x := in[info.Name]; b.session.Input(i).Is(x.DType(), x.Shape()) {
			copy(b.session.Input(i).Bytes(), x.Bytes())
		} else {
			require.NoError(t, b.session.BindInput(i, x))
		}
	}
	want, err := b.model.Run(t.Context(), in)
	require.NoError(t, err)
	return want
}

// bind binds tensors like want, or none where the memory is the session's. An SDK cannot work in unaligned ones.
func (b binding) bind(t *testing.T, want common.Tensors, memory string) (bound []*common.Tensor) {
	for i, info := range b.signature.Outputs {
		x := want[info.Name]
		y, err := common.NewTensor(x.DType(), x.Shape()...)
		if memory == "unaligned" && x.DType() == common.Float32 {
			y, err = common.FromSlice(make([]float32, x.Len()+1)[1:], x.Shape()...)
		}
		require.NoError(t, err)
		if memory == "the session's" {
			y = nil
		} else {
			bound = append(bound, y)
		}
		require.NoError(t, b.session.BindOutput(i, y))
	}
	return bound
}

// check compares the outputs and returns them.
func (b binding) check(t *testing.T, want common.Tensors) (got []*common.Tensor) {
	for i, info := range b.signature.Outputs {
		got = append(got, b.session.Output(i))
		require.Equal(t, want[info.Name].Shape(), got[i].Shape())
		require.Equal(t, values.Float64s(want[info.Name]), values.Float64s(got[i]), info.Name)
	}
	return got
}

// misfit runs on inputs whose result does not fit the bound outputs, which is an error. A result whose shape depends on
// the data is then in a tensor of the session's. Then it runs on the inputs for n again.
func (b binding) misfit(t *testing.T, n int, bound []*common.Tensor) {
	if !b.signature.Outputs[0].Shape.Dynamic() {
		return
	}
	other := b.input(t, 7-n)
	require.ErrorIs(t, b.session.Run(t.Context()), common.ErrShape)
	if !b.signature.Inputs[0].Shape.Dynamic() {
		b.check(t, other)
	}
	want := b.input(t, n)
	require.NoError(t, b.session.Run(t.Context()))
	require.True(t, slices.Equal(bound, b.check(t, want)), "they are still bound")
}

// Shapes tests what an engine does about shapes that the file does not have. Each of natives, values of
// common.Options.Native, selects other kernels.
func Shapes(t *testing.T, engine string, natives ...any) {
	e := enginetest.Open(t, engine, nil)
	t.Run("changed", func(t *testing.T) { changedShapes(t, e) })
	t.Run("fixed becomes dynamic", func(t *testing.T) { fixedBecomesDynamic(t, e) })
	for _, native := range natives {
		t.Run("refused", func(t *testing.T) { refusedShapes(t, e, native) })
		t.Run("too small", func(t *testing.T) { tooSmall(t, e, native) })
	}
}

type shapes = map[string]common.ShapeRange

func fixed(name string, dims ...int) shapes { return shapes{name: common.Fixed(dims...)} }

// changedShapes: Shapes has inputs of any signature. Outputs that are one tensor, or an input, get their shapes.
func changedShapes(t *testing.T, e *common.Engine) {
	both := shapes{"image": common.Fixed(1, 16, 20, 1), "picture": common.Fixed(2, 8, 8, 1)}
	four := shapes{"first": common.Fixed(4, 3), "second": common.Fixed(4, 3)}
	for _, test := range []struct {
		model, signature string
		shapes           shapes
		output           common.Shape
	}{
		{"functions", "classify", both, common.Shape{2, 10}},
		{"functions", "edges", both, common.Shape{1, 8, 10, 1}},
		{"aliases", "", four, common.Shape{4, 3}},
	} {
		m := Load(t, e, test.model, &common.Options{Shapes: test.shapes})
		s, err := m.NewSession(t.Context(), test.signature)
		require.NoError(t, err)
		require.NoError(t, s.Run(t.Context()), "the inputs have their shapes")
		for _, info := range s.Signature().Inputs {
			require.Equal(t, test.shapes[info.Name].Opt, info.Shape)
		}
		for i, info := range s.Signature().Outputs {
			require.Equal(t, test.output, info.Shape, info.Name)
			require.Equal(t, test.output, s.Output(i).Shape(), info.Name)
		}
	}
}

// fixedBecomesDynamic: Shapes makes the batch dynamic in a model that fixes it.
func fixedBecomesDynamic(t *testing.T, e *common.Engine) {
	m := Load(t, e, "digits", &common.Options{Shapes: shapes{
		"image": {Min: common.Shape{1, 8, 8, 1}, Opt: common.Shape{2, 8, 8, 1}, Max: common.Shape{4, 8, 8, 1}},
	}})
	require.Equal(t, common.Shape{-1, 8, 8, 1}, m.Signatures()[0].Inputs[0].Shape)
	require.Equal(t, common.Shape{-1, -1}, m.Signatures()[0].Outputs[0].Shape)
	one, four := Inputs(t, m, 1), Inputs(t, m, 4)
	copy(four["image"].Bytes()[3*64*4:], one["image"].Bytes())
	alone, err := m.Run(t.Context(), one)
	require.NoError(t, err)
	last, err := m.Run(t.Context(), four)
	require.NoError(t, err)
	require.Equal(t, common.Shape{4, 10}, last["scores"].Shape())
	require.InDeltaSlice(t, values.Float64s(alone["scores"]), values.Float64s(last["scores"])[30:], 1e-6)
}

// refusedShapes: Load fails, where the library refuses the shapes with its own words.
func refusedShapes(t *testing.T, e *common.Engine, native any) {
	wide := int64(1) << 32
	for name, test := range map[string]struct {
		model  string
		shapes shapes
		kind   error
		text   string
	}{
		"channels":          {"digits", fixed("image", 1, 8, 8, 3), common.ErrShape, ""},
		"rank":              {"digits", fixed("image", 8, 8, 1), common.ErrShape, ""},
		"too large":         {"digits", fixed("image", int(wide), 8, 8, 1), common.ErrShape, ""},
		"too small":         {"digits", fixed("image", 1, 2, 2, 1), common.ErrShape, ""},
		"too narrow":        {"digits", fixed("image", 1, 16, 1, 1), common.ErrShape, ""},
		"the tensor's name": {"functions", fixed("serving_default_image:0", 1, 8, 8, 1), common.ErrName, ""},
		"an output":         {"functions", fixed("edges", 1, 8, 8, 1), common.ErrName, ""},
		"other channels":    {"functions", fixed("image", 1, 8, 8, 3), common.ErrShape, ""},
		"other size":        {"functions", fixed("image", 1, 1, 1, 1), common.ErrShape, ""},
		"other input":       {"multi", fixed("a", 4, 3), common.ErrShape, "[4,3] and [2,3]"},
	} {
		if name == "too large" && strconv.IntSize == 32 {
			continue // every int fits
		}
		o := &common.Options{Native: native, Shapes: test.shapes}
		_, err := e.Load(t.Context(), enginetest.File(t, test.model+".tflite"), o)
		require.ErrorIs(t, err, test.kind, name)
		require.ErrorContains(t, err, test.text)
	}
}

// tooSmall: a Run in which a convolution has no output is an error, also in subgraphs beyond the first. XNNPACK by
// itself would run some, and write where it should not.
func tooSmall(t *testing.T, e *common.Engine, native any) {
	some := shapes{"image": {Min: common.Shape{1, 1, 1, 1}, Opt: common.Shape{1, 8, 8, 1}, Max: common.Shape{1, 16, 8, 1}}}
	for _, test := range []struct {
		model, signature    string
		shapes              shapes
		small, good, output common.Shape
	}{
		{"digits", "", some, common.Shape{1, 2, 2, 1}, common.Shape{1, 8, 8, 1}, common.Shape{1, 10}},
		{"digits", "", some, common.Shape{1, 16, 1, 1}, common.Shape{1, 8, 8, 1}, common.Shape{1, 10}},
		{"functions", "edges", nil, common.Shape{1, 1, 1, 1}, common.Shape{1, 6, 4, 1}, common.Shape{1, 3, 2, 1}},
	} {
		m := Load(t, e, test.model, &common.Options{Native: native, Shapes: test.shapes})
		s, err := m.NewSession(t.Context(), test.signature)
		require.NoError(t, err)
		for range 2 {
			require.NoError(t, s.BindInput(0, enginetest.Random(t, 1, common.Float32, test.small...)))
			require.ErrorIs(t, s.Run(t.Context()), common.ErrShape)
			require.NoError(t, s.BindInput(0, enginetest.Random(t, 1, common.Float32, test.good...)))
			require.NoError(t, s.Run(t.Context()), "the next Run is right")
			require.Equal(t, test.output, s.Output(0).Shape())
		}
	}
}

// RefusesScaleOne fails unless e refuses a comparison of quantized numbers with a scale of exactly 1, for which the
// kernel ends the process.
func RefusesScaleOne(t *testing.T, e *common.Engine) {
	t.Helper()
	model, err := os.ReadFile(enginetest.File(t, "sums_int8.tflite").Name())
	require.NoError(t, err)
	q, _ := flatcheck.Model(model).Vector("subgraphs").Table(0).Vector("tensors").Table(0).Table("quantization")
	q.Vector("scale").Set(0, int64(math.Float32bits(1)))
	_, err = e.Load(t.Context(), common.Bytes(model), nil)
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "a scale of exactly 1")
}
