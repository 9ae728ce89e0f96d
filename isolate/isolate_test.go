// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/anyinfer/anyinfer/isolate"
	"github.com/stretchr/testify/require"
)

// TestMain makes this test its own child. The fake engine, which needs no SDK, does in it what a model's first input
// says.
func TestMain(m *testing.M) {
	(&fake.Engine{
		Name:    "fake",
		Formats: []common.Format{{Name: "fake", Extensions: []string{".fake"}}},
		Signatures: []common.Signature{{
			Inputs:  []common.TensorInfo{{Name: "action", DType: common.String, Shape: common.Shape{}}, {Name: "x", DType: common.Float32, Shape: common.Shape{-1}}},
			Outputs: []common.TensorInfo{{Name: "y", DType: common.Float32, Shape: common.Shape{-1}}, {Name: "said", DType: common.String, Shape: common.Shape{}}},
		}},
		Run: act,
		Bind: func(int, []*common.Tensor) error {
			if os.Getenv("ANYINFER_TEST_REFUSE") != "" {
				return &common.Error{Kind: common.ErrShape, Message: "it is refused"}
			}
			return nil
		},
		Load: func(files *common.ModelFiles, _ common.Options) error {
			if text := string(files.Bytes(0)); strings.HasPrefix(text, "crash") {
				crash("while loading")
			} else if strings.HasPrefix(text, "slow") || os.Getenv("ANYINFER_TEST_SLOW") != "" {
				select {}
			} else if strings.HasPrefix(text, "spin") {
				spin()
			} else if strings.HasPrefix(text, "bad") {
				return &common.Error{Kind: common.ErrModel, Message: "it is bad", Hint: "make it better", Code: 7}
			}
			return nil
		},
	}).Register()
	(&fake.Engine{ // takes 600 kB and does nothing
		Name: "sink", Formats: []common.Format{{Name: "sink"}},
		Signatures: []common.Signature{{
			Inputs:  []common.TensorInfo{{Name: "x", DType: common.Float32, Shape: common.Shape{150_000}}},
			Outputs: []common.TensorInfo{{Name: "y", DType: common.Float32, Shape: common.Shape{1}}},
		}},
		Run: func(context.Context, int, []*common.Tensor, []*common.Tensor) error { return nil },
	}).Register()
	if fault := os.Getenv(isolate.HostileVariable); fault != "" && os.Getenv(isolate.Variable) != "" {
		isolate.Hostile(fault)
	}
	isolate.Main()
	os.Exit(m.Run())
}

func crash(when string) {
	fmt.Fprintln(os.Stderr, "the SDK gives up", when)
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// act doubles x, after what the first input says.
func act(ctx context.Context, _ int, in, out []*common.Tensor) error {
	action, _ := common.Data[string](in[0])
	said := action[0]
	switch verb, argument, _ := strings.Cut(said, " "); verb {
	case "crash":
		crash("in a Run")
	case "fail":
		return &common.Error{Kind: common.ErrRun, Message: argument}
	case "wait":
		<-ctx.Done()
		return ctx.Err()
	case "hang":
		select {}
	case "spin":
		spin()
	case "allocate", "share":
		size, _ := strconv.Atoi(argument)
		use(verb, size)
	case "pid":
		said = fmt.Sprint(os.Getpid())
	case "env":
		said = os.Getenv(argument)
	case "read":
		_, err := os.ReadFile(argument)
		said = fmt.Sprint(err)
	}
	x, _ := common.Data[float32](in[1])
	y, err := common.NewTensor(common.Float32, len(x))
	if err != nil {
		return err
	}
	data, _ := common.Data[float32](y)
	for i := range x {
		data[i] = 2 * x[i]
	}
	out[0] = y
	out[1], err = common.FromSlice([]string{said}, common.Shape{}...)
	return err
}

func spin() {
	for begin := time.Now(); time.Since(begin) < time.Hour; {
	}
}

// use takes memory of that size: of its own, or a mapping, which RLIMIT_DATA does not count.
func use(verb string, size int) {
	var memory []byte
	if verb == "allocate" {
		memory = make([]byte, size)
	} else {
		memory, _ = syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED|syscall.MAP_ANON)
	}
	for i := range memory {
		memory[i] = 1
	}
	time.Sleep(200 * time.Millisecond)
	runtime.KeepAlive(memory)
}

func open(t *testing.T, o *isolate.Options) *common.Engine {
	t.Helper()
	e, err := isolate.Open("fake", nil, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func load(t *testing.T, o *isolate.Options, lo *common.Options) *common.Model {
	t.Helper()
	m, err := open(t, o).Load(t.Context(), common.Bytes([]byte("model")).As("fake"), lo)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func inputs(t testing.TB, action string, x ...float32) common.Tensors {
	a, err := common.FromSlice([]string{action}, common.Shape{}...)
	require.NoError(t, err)
	b, err := common.FromSlice(x)
	require.NoError(t, err)
	return common.Tensors{"action": a, "x": b}
}

func run(t testing.TB, m *common.Model, action string, x ...float32) (string, []float32, error) {
	out, err := m.Run(t.Context(), inputs(t, action, append(x, 1)...))
	if err != nil {
		return "", nil, err
	}
	said, err := common.Get[string](out, "said")
	require.NoError(t, err)
	y, err := common.Get[float32](out, "y")
	require.NoError(t, err)
	return said[0], y, nil
}

func TestRun(t *testing.T) {
	m := load(t, nil, nil)
	said, y, err := run(t, m, "hello\xff\x00", 1, 2, 3)
	require.NoError(t, err)
	require.Equal(t, "hello\xff\x00", said)
	require.Equal(t, []float32{2, 4, 6, 2}, y)
	said, y, err = run(t, m, strings.Repeat("long ", 10000), make([]float32, 100000)...)
	require.NoError(t, err)
	require.Len(t, said, 50000)
	require.Len(t, y, 100001)
	_, _, err = run(t, m, "fail with words")
	require.ErrorIs(t, err, common.ErrRun)
	require.EqualError(t, err, "fake: run: run failed: with words")
	_, y, err = run(t, m, "again", 4)
	require.NoError(t, err)
	require.Equal(t, []float32{8, 2}, y)
}

func TestCrash(t *testing.T) {
	m := load(t, nil, nil)
	before, _, err := run(t, m, "pid")
	require.NoError(t, err)
	require.NotEqual(t, fmt.Sprint(os.Getpid()), before)
	_, _, err = run(t, m, "crash")
	require.ErrorIs(t, err, common.ErrCrashed)
	require.ErrorContains(t, err, "the SDK gives up in a Run")
	after, y, err := run(t, m, "pid", 3)
	require.NoError(t, err)
	require.NotEqual(t, before, after)
	require.Equal(t, []float32{6, 2}, y)
}

func TestCrashWhileLoading(t *testing.T) {
	e := open(t, nil)
	_, err := e.Load(t.Context(), common.Bytes([]byte("crash")).As("fake"), nil)
	require.ErrorIs(t, err, common.ErrCrashed)
	require.ErrorContains(t, err, "the SDK gives up while loading")
	_, err = e.Load(t.Context(), common.Bytes([]byte("bad")).As("fake"), nil)
	require.EqualError(t, err, "fake: load: model not usable: it is bad (code 7); make it better")
	_, err = e.Load(t.Context(), common.Bytes([]byte("good")).As("fake"), nil)
	require.NoError(t, err)
}

func TestCancel(t *testing.T) {
	m := load(t, &isolate.Options{Grace: 100 * time.Millisecond}, nil)
	before, _, err := run(t, m, "pid")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = m.Run(ctx, inputs(t, "wait", 1))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	after, _, err := run(t, m, "pid")
	require.NoError(t, err)
	require.Equal(t, before, after, "the engine was interrupted")
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = m.Run(ctx, inputs(t, "hang", 1))
	require.True(t, errors.Is(err, context.DeadlineExceeded) || errors.Is(err, common.ErrCrashed), "%v", err)
	require.Less(t, time.Since(start), 5*time.Second)
	after, _, err = run(t, m, "pid")
	require.NoError(t, err)
	require.NotEqual(t, before, after, "the child was killed")
}
