// SPDX-License-Identifier: Apache-2.0

package fake_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

// A program's tests need no SDK: this model doubles numbers.
func Example() {
	vector := func(name string) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: common.Shape{2}}}
	}
	signature := common.Signature{Inputs: vector("x"), Outputs: vector("y")}
	model := fake.NewModel(signature, nil, func(_ context.Context, in common.Tensors) (common.Tensors, error) {
		x, err := common.Get[float32](in, "x")
		if err != nil {
			return nil, err
		}
		y, err := common.FromSlice([]float32{2 * x[0], 2 * x[1]})
		return common.Tensors{"y": y}, err
	})
	defer model.Close()

	x, err := common.FromSlice([]float32{3, 4})
	if err != nil {
		log.Fatal(err)
	}
	out, err := model.Run(context.Background(), common.Tensors{"x": x})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(common.Get[float32](out, "y"))
	// Output: [6 8] <nil>
}

func TestLoadError(t *testing.T) {
	e := &fake.Engine{Name: "refuse", Load: func(files *common.ModelFiles, o common.Options) error {
		require.Equal(t, 3, o.Threads)
		return &common.Error{Kind: common.ErrModel, Message: "no " + files.Format()}
	}}
	e.Register()
	engine, err := common.Open("refuse", nil)
	require.NoError(t, err)
	require.Equal(t, "refuse", engine.Info().Name)
	_, err = engine.Load(context.Background(), common.Bytes([]byte("m")).As("tnn"), &common.Options{Threads: 3})
	require.ErrorIs(t, err, common.ErrModel)
	require.EqualError(t, err, "refuse: load: model not usable: no tnn")
	require.NoError(t, engine.Close())
	require.Zero(t, e.Live())
}

// TestCallOrder checks that a call which DriverSession does not allow panics with the
// reason.
func TestCallOrder(t *testing.T) {
	e := &fake.Engine{Name: "order", Run: func(context.Context, int, []*common.Tensor, []*common.Tensor) error { return nil }}
	e.Reset = func(int) error { return nil }
	e.Signatures = []common.Signature{{}}
	files, err := common.OpenFiles(t.Context(), common.Bytes([]byte("m")), false)
	require.NoError(t, err)
	m, err := e.Driver().Load(t.Context(), files, common.Options{})
	require.NoError(t, err)
	for when, calls := range map[string]string{
		"Run was called when nothing is bound": "R", "Reset was called before a Run": "BZ", "Reset was called when nothing is bound": "Z",
		"Bind was called after Close": "CB", "Cancel was called while no Run executes": "X", "Cancel was called for no Run, but Bind": "BXB",
		"": "BRZBRXRC",
	} {
		s, err := m.NewSession(t.Context(), 0)
		require.NoError(t, err)
		run := func() {
			for _, c := range calls {
				switch c {
				case 'B':
					s.Bind(nil, nil)
				case 'R':
					s.Run(t.Context())
				case 'Z':
					s.(common.Resetter).Reset()
				case 'X':
					s.(common.Canceler).Cancel()
				case 'C':
					s.Close()
				}
			}
		}
		if when == "" {
			require.NotPanics(t, run)
			continue
		}
		require.Contains(t, panicOf(run), when)
	}
}

func panicOf(f func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	return ""
}

// TestNewModel checks that the tensors which the function returns are copied, and
// that invalid ones are an error of Run.
func TestNewModel(t *testing.T) {
	y, err := common.FromSlice([]float32{1, 2})
	require.NoError(t, err)
	result := y
	m := fake.NewModel(common.Signature{Outputs: []common.TensorInfo{{Name: "y", DType: common.Float32, Shape: common.Shape{-1}}}}, nil,
		func(context.Context, common.Tensors) (common.Tensors, error) { return common.Tensors{"y": result}, nil })
	defer m.Close()
	out, err := m.Run(t.Context(), nil)
	require.NoError(t, err)
	got, err := common.Get[float32](out, "y")
	require.NoError(t, err)
	got[0] = 7
	require.Equal(t, float32(1), float32s(t, y)[0], "the function's tensor was changed")
	for _, wrong := range []any{[]int32{1}, nil} {
		result = nil
		if data, ok := wrong.([]int32); ok {
			result, err = common.FromSlice(data)
			require.NoError(t, err)
		}
		_, err = m.Run(t.Context(), nil)
		require.ErrorIs(t, err, common.ErrRun)
		require.ErrorContains(t, err, `returned output "y"`)
	}
}

func float32s(t *testing.T, x *common.Tensor) []float32 {
	data, err := common.Data[float32](x)
	require.NoError(t, err)
	return data
}
