// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

var ctx = context.Background()

var names atomic.Int64

// uniqueName returns a name for an engine, because no name can be registered twice.
// The names of a test sort in the order of the calls.
func uniqueName(t testing.TB) string { return fmt.Sprintf("%s %06d", t.Name(), names.Add(1)) }

// register registers e under a unique name, which is the name of its format too.
func register(t testing.TB, e *fake.Engine) *fake.Engine {
	e.Name = uniqueName(t)
	e.Formats = append(e.Formats, common.Format{Name: e.Name})
	e.Register()
	return e
}

// echo is an engine whose models copy input "x", any number of float32s in
// rows of two, to output "y".
func echo(t *testing.T) *fake.Engine {
	rows := common.Shape{-1, 2}
	return register(t, &fake.Engine{
		Signatures: []common.Signature{{
			Inputs:  []common.TensorInfo{{Name: "x", DType: common.Float32, Shape: rows}},
			Outputs: []common.TensorInfo{{Name: "y", DType: common.Float32, Shape: rows, Labels: []string{"left", "right"}}},
		}},
		Run: func(_ context.Context, _ int, in, out []*common.Tensor) (err error) {
			out[0] = in[0].Clone()
			return nil
		},
	})
}

// blockingEngine is an engine whose Runs wait: each sends to started when it
// begins, and ends when it receives from finish or is cancelled.
type blockingEngine struct {
	*fake.Engine
	started, finish chan struct{}
	runs            atomic.Int64
}

func newBlockingEngine(t *testing.T) *blockingEngine {
	g := &blockingEngine{started: make(chan struct{}, 1000), finish: make(chan struct{})}
	scalar := func(name string) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: common.Shape{}}}
	}
	g.Engine = register(t, &fake.Engine{
		Signatures: []common.Signature{{Inputs: scalar("x"), Outputs: scalar("y")}},
		Run: func(ctx context.Context, _ int, in, out []*common.Tensor) error {
			g.runs.Add(1)
			g.started <- struct{}{}
			select {
			case <-g.finish:
				copy(out[0].Bytes(), in[0].Bytes())
				return nil
			case <-ctx.Done():
				return &common.Error{Kind: common.ErrRun, Message: "interrupted"}
			}
		},
	})
	return g
}

func open(t *testing.T, e *fake.Engine) *common.Engine {
	t.Helper()
	engine, err := common.Open(e.Name, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}

func load(t *testing.T, e *fake.Engine, o *common.Options) *common.Model {
	t.Helper()
	m, err := open(t, e).Load(ctx, common.Bytes([]byte("model")), o)
	require.NoError(t, err)
	return m
}

func newSession(t *testing.T, m *common.Model) *common.Session {
	t.Helper()
	s, err := m.NewSession(ctx, "")
	require.NoError(t, err)
	return s
}

func floats(t *testing.T, values []float32, shape ...int) *common.Tensor {
	t.Helper()
	x, err := common.FromSlice(values, shape...)
	require.NoError(t, err)
	return x
}

func scalar(t *testing.T, v float32) common.Tensors {
	t.Helper()
	return common.Tensors{"x": floats(t, []float32{v}, common.Shape{}...)}
}

func values(t *testing.T, x *common.Tensor) []float32 {
	t.Helper()
	v, err := common.Data[float32](x)
	require.NoError(t, err)
	return v
}

// requireReturns fails the test if f does not return within 10 seconds.
func requireReturns(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not return", what)
	}
}
