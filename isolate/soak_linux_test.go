// SPDX-License-Identifier: Apache-2.0

package isolate_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/isolate"
	_ "github.com/anyinfer/anyinfer/openvino"
	_ "github.com/anyinfer/anyinfer/tflite"
	"github.com/stretchr/testify/require"
)

// soaked is a model under load.
type soaked struct {
	name   string
	source common.Source
	in     []common.Tensors
	want   []*common.Tensor
	engine *common.Engine
	live   common.LiveModel

	runs, crashed, canceled, reloads, failedReloads atomic.Int64
}

// TestSoak runs models of several engines in children, at random times kills and stops these, cancels Runs and replaces
// models. It takes as long as the variable says, such as "1h".
func TestSoak(t *testing.T) {
	duration, err := time.ParseDuration(cmp.Or(os.Getenv("ANYINFER_TEST_ISOLATE_SOAK"), "5s"))
	require.NoError(t, err)
	models := []*soaked{
		{name: "fake", source: common.Bytes([]byte("model")).As("fake")},
		{name: "onnxruntime", source: enginetest.File(t, "digits.onnx")},
		{name: "tflite", source: enginetest.File(t, "digits.tflite")},
		{name: "openvino", source: enginetest.File(t, "digits.xml")},
	}
	for _, m := range models {
		m.expect(t)
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	nothingLeft(t, func() {
		var heap uint64
		begin, kills, stops := time.Now(), 0, 0
		for _, m := range models {
			m.engine, err = isolate.Open(m.name, nil, &isolate.Options{
				Children: 2, Restarts: 1 << 20, Grace: 500 * time.Millisecond, LoadTime: 30 * time.Second, CPUTime: 20 * time.Second,
			})
			require.NoError(t, err)
			first, err := m.load(t.Context())
			require.NoError(t, err)
			require.NoError(t, m.live.Replace(t.Context(), first))
		}
		ctx, stop := context.WithTimeout(t.Context(), duration)
		defer stop()
		var work sync.WaitGroup
		for _, m := range models {
			for i := range 3 {
				work.Go(func() { m.run(t, ctx, uint64(i)) })
			}
			work.Go(func() { m.reload(t, ctx) })
		}
		for ctx.Err() == nil {
			time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
			children := childrenNow(t)
			if len(children) == 0 {
				continue
			}
			signal := syscall.SIGKILL
			if kills++; rand.IntN(5) == 0 {
				signal = syscall.SIGSTOP
				stops++
			}
			syscall.Kill(children[rand.IntN(len(children))], signal)
			if heap == 0 && time.Since(begin) > duration/4 {
				heap = heapNow()
			}
		}
		work.Wait()
		t.Logf("%v, %d children killed, %d of them by stopping them first", time.Since(begin).Round(time.Second), kills, stops)
		for _, m := range models {
			t.Logf("%s: %d runs, %d crashed, %d cancelled; %d models replaced, %d not loaded", m.name, m.runs.Load(), m.crashed.Load(), m.canceled.Load(), m.reloads.Load(), m.failedReloads.Load())
			require.Positive(t, m.runs.Load())
			require.LessOrEqual(t, int(m.crashed.Load()), 3*kills, "each child that ends takes the Runs in it with it")
			limited, cancel := context.WithTimeout(t.Context(), time.Minute)
			require.NoError(t, m.live.Shutdown(limited))
			cancel()
			require.NoError(t, m.engine.Close())
		}
		after := heapNow()
		t.Logf("Go's heap after a quarter of the time: %d kB, at the end: %d kB", heap/1000, after/1000)
		require.Less(t, after, heap+16<<20)
	})
}

func heapNow() uint64 {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.HeapAlloc
}

// childrenNow returns the processes that this one has started.
func childrenNow(t testing.TB) (ids []int) {
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	require.NoError(t, err)
	for _, task := range tasks {
		text, _ := os.ReadFile(task) // the thread may have ended
		for _, field := range strings.Fields(string(text)) {
			id, err := strconv.Atoi(field)
			require.NoError(t, err)
			ids = append(ids, id)
		}
	}
	return ids
}

// expect finds inputs, and the results in this process.
func (m *soaked) expect(t *testing.T) {
	if m.name == "fake" {
		for i := range 4 {
			x := make([]float32, 10000*i+1)
			y := make([]float32, len(x))
			for j := range x {
				x[j], y[j] = float32(j), float32(2*j)
			}
			want, err := common.FromSlice(y)
			require.NoError(t, err)
			m.in, m.want = append(m.in, inputs(t, "hello", x...)), append(m.want, want)
		}
		return
	}
	loaded := enginetest.Load(t, enginetest.Open(t, m.name, nil), m.source, &common.Options{Threads: 1})
	info := loaded.Signatures()[0].Inputs[0]
	for seed := range uint64(4) {
		in := common.Tensors{info.Name: enginetest.Random(t, seed, info.DType, info.Shape...)}
		out, err := loaded.Run(t.Context(), in)
		require.NoError(t, err)
		m.in, m.want = append(m.in, in), append(m.want, out["scores"])
	}
}

func (m *soaked) load(ctx context.Context) (*common.Model, error) {
	return m.engine.Load(ctx, m.source, &common.Options{Sessions: 3, Threads: 1})
}

// run compares results, and cancels some Runs.
func (m *soaked) run(t *testing.T, ctx context.Context, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 9))
	for ctx.Err() == nil {
		i, deadline := random.IntN(len(m.in)), 5*time.Second // ends those whose child was stopped
		if random.IntN(50) == 0 {
			deadline = time.Duration(random.IntN(2000)) * time.Microsecond
		}
		limited, cancel := context.WithTimeout(context.Background(), deadline)
		out, err := m.live.Run(limited, m.in[i])
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			m.canceled.Add(1)
		case errors.Is(err, common.ErrCrashed):
			m.crashed.Add(1)
		case err != nil:
			t.Errorf("%s: %v", m.name, err)
			return
		default:
			m.runs.Add(1)
			got := out["scores"]
			if m.name == "fake" {
				got = out["y"]
			}
			if differs := enginetest.Differ(m.want[i], got, func(float64) float64 { return 1e-6 }); differs != "" {
				t.Errorf("%s: %s", m.name, differs)
				return
			}
		}
	}
}

// reload replaces the model again and again.
func (m *soaked) reload(t *testing.T, ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
		limited, cancel := context.WithTimeout(context.Background(), time.Minute)
		next, err := m.load(limited)
		switch {
		case errors.Is(err, common.ErrCrashed):
			m.failedReloads.Add(1)
		case err != nil:
			t.Errorf("%s: load: %v", m.name, err)
		default:
			m.reloads.Add(1)
			if err := m.live.Replace(limited, next); err != nil {
				t.Error(fmt.Errorf("%s: replace: %w", m.name, err))
			}
		}
		cancel()
	}
}
