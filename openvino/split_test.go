// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
)

func TestSplit(t *testing.T) {
	cores := runtime.NumCPU()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	properties := func(key string) Options { return Options{Properties: map[string]string{key: "1"}} }
	for name, c := range map[string]struct {
		device  string
		o       common.Options
		n       int
		threads int // of each
	}{
		"one session":         {"CPU", common.Options{}, 1, 0},
		"sessions":            {"CPU", common.Options{Sessions: 2}, min(2, cores), cores / 2},
		"one for each core":   {"CPU", common.Options{Sessions: cores}, cores, 1},
		"more than cores":     {"CPU", common.Options{Sessions: 4 * cores}, cores, 1},
		"threads":             {"CPU", common.Options{Sessions: 2, Threads: 1}, min(2, cores), 1},
		"threads beyond":      {"CPU", common.Options{Sessions: 2, Threads: 1000}, min(2, cores), cores / 2},
		"streams":             {"CPU", common.Options{Sessions: 2, Native: Options{Streams: 2}}, 1, 0},
		"property of streams": {"CPU", common.Options{Sessions: 2, Native: properties("NUM_STREAMS")}, 1, 0},
		"property of threads": {"CPU", common.Options{Sessions: 2, Native: properties("INFERENCE_NUM_THREADS")}, 1, 0},
		"other property":      {"CPU", common.Options{Sessions: 2, Native: properties("SCHEDULING_CORE_TYPE")}, min(2, cores), cores / 2},
		"GPU":                 {"GPU", common.Options{Sessions: 2}, 1, 0},
		"AUTO":                {"AUTO:CPU", common.Options{Sessions: 2}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			set := settings{"NUM_STREAMS": "streams", "INFERENCE_NUM_THREADS": "threads"}
			require.Equal(t, c.n, set.split(c.device, c.o))
			if c.n == 1 {
				require.Equal(t, settings{"NUM_STREAMS": "streams", "INFERENCE_NUM_THREADS": "threads"}, set)
				return
			}
			require.Equal(t, settings{"NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": strconv.Itoa(c.threads)}, set)
		})
	}
	t.Run("GOMAXPROCS", func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		require.Equal(t, 1, settings{}.split("CPU", common.Options{Sessions: 2}))
	})
}

// loadInternal loads with a driver that package common does not stand before.
func loadInternal(t *testing.T, ctx context.Context, d *driver, src common.Source, o common.Options) (*model, error) {
	files, err := common.OpenFiles(context.Background(), src, false)
	require.NoError(t, err)
	t.Cleanup(files.Release)
	m, err := d.Load(ctx, files, o)
	if err != nil {
		return nil, err
	}
	return m.(*model), nil
}

func openInternal(t *testing.T) *driver {
	enginetest.Require(t, engine)
	d, err := open(common.Config{Logger: slog.Default()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*driver)
}

// requireCores skips where there are too few for more than one compiled model.
func requireCores(t *testing.T) {
	if runtime.NumCPU() < 2 || runtime.GOMAXPROCS(0) < 2 {
		t.Skip("one core")
	}
}

// TestSessionsShareCompiledModels: new sessions use the compiled model that the
// fewest use, and stay there.
func TestSessionsShareCompiledModels(t *testing.T) {
	requireCores(t)
	m, err := loadInternal(t, t.Context(), openInternal(t), enginetest.File(t, "digits_dynamic.onnx"), common.Options{Sessions: 2, Threads: 1})
	require.NoError(t, err)
	defer m.Close()
	require.Len(t, m.compiled, 2)
	require.NotEqual(t, m.compiled[0], m.compiled[1])
	var sessions []common.DriverSession
	for _, want := range [][]int{{1, 0}, {1, 1}, {2, 1}, {2, 2}} {
		s, err := m.NewSession(t.Context(), 0)
		require.NoError(t, err)
		sessions = append(sessions, s)
		require.Equal(t, want, m.sessions)
	}
	require.NoError(t, sessions[1].Close())
	require.NoError(t, sessions[3].Close())
	require.Equal(t, []int{2, 0}, m.sessions)
	s, err := m.NewSession(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, []int{2, 1}, m.sessions)
	in := enginetest.Random(t, 1, common.Float32, 1, 1, 8, 8)
	require.NoError(t, s.Bind([]*common.Tensor{in}, make([]*common.Tensor, 1)))
	require.NoError(t, s.Run(t.Context()))
	require.NoError(t, s.(common.Resetter).Reset())
	require.Equal(t, []int{2, 1}, m.sessions, "after Reset")
	require.NoError(t, s.Run(t.Context()))
	for _, s := range []common.DriverSession{s, sessions[0], sessions[2]} {
		require.NoError(t, s.Close())
	}
	require.Equal(t, []int{0, 0}, m.sessions)

	compiled := m.compiled[0]
	m.compiled[0] = 0 // OpenVINO refuses to make a request of NULL
	_, err = m.NewSession(t.Context(), 0)
	require.Error(t, err)
	require.Equal(t, []int{0, 0}, m.sessions, "after an error")
	m.compiled[0] = compiled
}

// endsAfter is a context that ends when it was asked n times whether it has.
type endsAfter struct {
	context.Context
	n int
}

func (c *endsAfter) Err() error {
	if c.n--; c.n < 0 {
		return context.Canceled
	}
	return nil
}

// TestLoadFailsHalfWay: where only some of the compiled models were made, they are
// freed.
func TestLoadFailsHalfWay(t *testing.T) {
	requireCores(t)
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	d := openInternal(t)
	resident := func() (kB int) {
		debug.FreeOSMemory()
		text, err := os.ReadFile("/proc/self/statm")
		require.NoError(t, err)
		var size int
		_, err = fmt.Sscan(string(text), &size, &kB)
		require.NoError(t, err)
		return kB * os.Getpagesize() / 1000
	}
	fail := func(times int) {
		for range times {
			ctx := &endsAfter{t.Context(), 1} // not before the first of them
			_, err := loadInternal(t, ctx, d, enginetest.File(t, "digits.xml"), common.Options{Sessions: 2})
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, -1, ctx.n)
		}
	}
	fail(30)
	before := resident()
	fail(60)
	after := resident()
	t.Log("kB:", before, after)
	require.Less(t, after-before, 15_000, "kB more")
}
