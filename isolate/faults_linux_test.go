// SPDX-License-Identifier: Apache-2.0

package isolate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/isolate"
	"github.com/stretchr/testify/require"
)

// left is what the program has of children.
type left struct{ goroutines, files, mappings, children, folders int }

func leftNow(t testing.TB) (l left) {
	l.goroutines = runtime.NumGoroutine()
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	l.files = len(files)
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	l.mappings = strings.Count(string(maps), "anyinfer-tensors")
	l.children = len(childrenNow(t))
	folders, err := filepath.Glob(filepath.Join(os.TempDir(), "anyinfer-child-*"))
	require.NoError(t, err)
	l.folders = len(folders)
	return l
}

// nothingLeft fails where f leaves something of children in the program.
func nothingLeft(t *testing.T, f func()) {
	t.Setenv("TMPDIR", t.TempDir())
	e, err := isolate.Open("fake", nil, nil) // Go opens files of its own for the first child
	require.NoError(t, err)
	require.NoError(t, e.Close())
	before := leftNow(t)
	f()
	var after left
	for range 400 {
		runtime.GC()
		if after = leftNow(t); after.goroutines <= before.goroutines && after.files <= before.files && after.mappings == before.mappings &&
			after.children == before.children && after.folders == before.folders {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<16)
	require.Fail(t, "something is left", "%+v became %+v\n%s", before, after, stacks[:runtime.Stack(stacks, true)])
}

// faulty are options for children with a fault, and short limits.
func faulty(t testing.TB, fault string) *isolate.Options {
	own, err := os.Executable()
	require.NoError(t, err)
	return &isolate.Options{
		Command: []string{own}, Env: []string{isolate.HostileVariable + "=" + fault}, LoadTime: 2 * time.Second, Grace: 200 * time.Millisecond,
		Restarts: 2, Sandbox: isolate.NoSandbox,
	}
}

// everyCall makes each call that a child answers, and returns the errors.
func everyCall(t *testing.T, o *isolate.Options) (errs []error) {
	ctx := t.Context()
	e, err := isolate.Open("fake", &common.Config{Logger: slog.New(slog.DiscardHandler)}, o)
	if err != nil {
		return []error{err}
	}
	add := func(err error) { errs = append(errs, err) }
	_, err = e.Devices(ctx)
	add(err)
	_, err = e.Property("key")
	add(err)
	m, err := e.Load(ctx, common.Bytes([]byte("model")).As("fake"), nil)
	if err != nil {
		return append(errs, err, e.Close())
	}
	s, err := m.NewSession(ctx, "")
	add(err)
	for _, action := range []string{strings.Repeat("long", 200_000), "hello", "fail", "wait", "hang", "hello"} {
		deadline := 20 * time.Second
		if action == "wait" || action == "hang" {
			deadline = 100 * time.Millisecond
		}
		limited, cancel := context.WithTimeout(ctx, deadline)
		_, err = m.Run(limited, inputs(t, action, make([]float32, 5000)...))
		add(err)
		cancel()
	}
	if s != nil {
		add(s.Run(ctx)) // without inputs, of which one is dynamic
		add(s.Close())
	}
	return append(errs, m.Close(), e.Close())
}

// TestFaults has children die, stop, lie and flood at each call. The program goes on, and so does another child.
func TestFaults(t *testing.T) {
	nothingLeft(t, func() {
		e, err := isolate.Open("fake", nil, nil)
		require.NoError(t, err)
		bystander, err := e.Load(t.Context(), common.Bytes([]byte("model")).As("fake"), nil)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				out, err := bystander.Run(t.Context(), inputs(t, "hello", float32(i)))
				if err == nil {
					var y []float32
					if y, err = common.Get[float32](out, "y"); err == nil && y[0] != float32(2*i) {
						err = fmt.Errorf("%v is not twice %v", y, i)
					}
				}
				if err != nil {
					t.Error("another child:", err)
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
		slots := make(chan bool, 4*runtime.GOMAXPROCS(0)) // most of them wait
		var faults sync.WaitGroup
		for _, fault := range isolate.Faults() {
			slots <- true
			faults.Go(func() {
				defer func() { <-slots }()
				hang := time.AfterFunc(time.Minute, func() { panic(fault + " hangs") })
				defer hang.Stop()
				begin := time.Now()
				errs := everyCall(t, faulty(t, fault))
				var kinds []string
				for _, err := range errs {
					var e *common.Error
					switch {
					case err == nil:
						kinds = append(kinds, "-")
					case errors.As(err, &e) && e.Kind != nil:
						kinds = append(kinds, e.Kind.Error())
					case errors.Is(err, context.DeadlineExceeded):
						kinds = append(kinds, "deadline")
					default:
						t.Errorf("%s: an error without a kind: %v", fault, err)
					}
				}
				t.Logf("%s, %v: %s", fault, time.Since(begin).Round(time.Millisecond), strings.Join(kinds, ", "))
			})
		}
		faults.Wait()
		stop()
		work.Wait()
		require.NoError(t, bystander.Close())
		require.NoError(t, e.Close())
	})
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	require.Less(t, memory.HeapSys, uint64(2<<30), "Go's memory")
}

// TestNoFault has a child without a fault do all that the others do.
func TestNoFault(t *testing.T) {
	nothingLeft(t, func() {
		errs := everyCall(t, faulty(t, "none at none"))
		errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
		for _, err := range errs {
			t.Log(err)
		}
		require.Len(t, errs, 5) // of the property, of the Run that fails, of the two that wait, of the session
	})
}
