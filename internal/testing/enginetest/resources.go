// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/stretchr/testify/require"
)

// resources checks that nothing is left behind: memory, goroutines, open and
// temporary files. Each test has a process of its own.
func (s *suite) resources(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(*testing.T)
	}{
		{"engines", s.engines}, {"load, run and close", s.cycles}, {"forgotten", s.forgotten},
		{"sessions", s.repeated("digits", 5000, func(t *testing.T, m *model, loaded *common.Model, _ *common.Session, _ int) {
			session, err := loaded.NewSession(ctx, "")
			require.NoError(t, err)
			m.runSession(t, session, 0)
			require.NoError(t, session.Close())
		})},
		{"session runs", s.repeated("digits", 30000, func(t *testing.T, m *model, _ *common.Model, session *common.Session, i int) {
			if err := session.Run(ctx); err != nil {
				t.Fatal(err)
			}
		})},
		{"model runs", s.repeated("nonzero_cast digits_dynamic", 30000, func(t *testing.T, m *model, loaded *common.Model, _ *common.Session, i int) {
			if _, err := loaded.Run(ctx, m.in[i%len(m.in)]); err != nil {
				t.Fatal(err)
			}
		})},
		{"resizing", s.repeated("edges", 10000, func(t *testing.T, m *model, _ *common.Model, session *common.Session, i int) {
			m.runSession(t, session, i%len(m.in))
		})},
		{"cancelled runs", s.repeated("digits", 20000, func(t *testing.T, m *model, loaded *common.Model, session *common.Session, i int) {
			c, cancel := context.WithTimeout(ctx, time.Duration(i%50)*time.Microsecond)
			defer cancel()
			err := session.Run(c)
			_, err2 := loaded.Run(c, m.in[0])
			for _, err := range []error{err, err2} {
				if err != nil {
					require.Equal(t, context.DeadlineExceeded, err)
				}
			}
		})},
		{"idle", s.idle},
	} {
		s.run(t, c.name, func(t *testing.T) {
			alone(t, settings{}, func(t *testing.T) { quiet(t, func() { c.f(t) }) })
		})
	}
	s.run(t, "allocations", s.allocations)
}

// repeat calls f at most n times, but no longer than a second, and checks that
// memory, goroutines and files do not grow once it has warmed up.
func repeat(t *testing.T, n int, f func(i int)) {
	limit := time.Duration(soak(t)) * time.Second
	const least = 12 // however slow the machine is
	start, done := time.Now(), 0
	for ; done < n/4 && (done < least || time.Since(start) < limit/4); done++ {
		f(done)
	}
	// What is measured is as long as the warm-up, three times.
	n = min(n, 4*done)
	before := footprint()
	samples := []string{before.String()}
	after := before
	for part := range 3 {
		for ; done < n*(part+2)/4; done++ {
			f(done)
		}
		after = footprint()
		samples = append(samples, after.String())
	}
	t.Logf("%d times in %v: %s", done, time.Since(start).Round(time.Millisecond), strings.Join(samples, " -> "))
	const own = 2 // of Go's for cleanups, which come and go
	require.LessOrEqual(t, after.goroutines, before.goroutines+own)
	require.LessOrEqual(t, after.files, before.files)
	// Allocators round up and fragment, and a short warm-up leaves some to come.
	noise := 2<<20 + before.memory/20
	require.LessOrEqual(t, after.heap-before.heap, 128<<10, "Go's heap grows")
	if !instrumented {
		require.LessOrEqual(t, after.memory-before.memory, noise, "the memory grows")
	}
}

type usage struct{ memory, heap, goroutines, files int }

func (u usage) String() string {
	return fmt.Sprintf("%.1f MB, %d kB in Go, %d goroutines, %d files", float64(u.memory)/1e6, u.heap/1000, u.goroutines, u.files)
}

// footprint is what the process uses, garbage aside. Memory and files are 0
// on systems that do not tell.
func footprint() (u usage) {
	for range 3 { // cleanups run after a collection, and free more
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
	}
	debug.FreeOSMemory()
	u.goroutines = runtime.NumGoroutine()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	u.heap = int(stats.HeapAlloc)
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		var size, resident int
		fmt.Sscan(string(text), &size, &resident)
		u.memory = resident * os.Getpagesize()
	}
	files, _ := os.ReadDir("/proc/self/fd")
	u.files = len(files)
	return u
}

// quiet fails where something is left of what body did.
func quiet(t *testing.T, body func()) {
	dylib.CaptureStderr(func(string) {}, func() {}) // its goroutine stays
	before := runtime.NumGoroutine()
	body()
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if i == 200 {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines became %d\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(5 * time.Millisecond)
	}
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	left = slices.DeleteFunc(left, func(f os.DirEntry) bool { return strings.HasPrefix(f.Name(), strings.Split(t.Name(), "/")[0]) })
	require.Empty(t, left, "temporary files")
}

// engines opens on one thread and closes on another, as happens to goroutines
// at any time. Then the Go runtime must be able to interrupt the first thread:
// an SDK that leaves it with a signal stack in freed memory crashes here.
func (s *suite) engines(t *testing.T) {
	repeat(t, 200, func(int) {
		opened, closed, done := make(chan *common.Engine), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			e, err := common.Open(s.Name, nil)
			if err != nil {
				t.Error(err)
			}
			opened <- e
			<-closed
			for start := time.Now(); time.Since(start) < 2*time.Millisecond; { // busy, for the collector to interrupt
			}
		}()
		e := <-opened
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		require.NoError(t, e.Close())
		close(closed)
		for range 3 {
			runtime.GC()
		}
		<-done
	})
}

func (s *suite) cycles(t *testing.T) {
	e, err := common.Open(s.Name, nil)
	require.NoError(t, err)
	var models []*model
	var sources []common.Source
	for _, entry := range s.entries {
		for _, format := range s.Formats {
			if entry.Name == "digits" && entry.Files[format] != nil {
				m := s.read(t, entry, format)
				models, sources = append(models, m, m), append(sources, m.file(), m.memory(t))
			}
		}
	}
	sources = append(sources, common.File(filepath.Join(s.root, "testdata", "photo.png")).As(s.Formats[0])) // errors leak, too
	repeat(t, 500*len(sources), func(i int) {
		n := i % len(sources)
		loaded, err := e.Load(ctx, sources[n], nil)
		if n == len(models) {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		models[n].run(t, loaded, 0)
		require.NoError(t, loaded.Close())
	})
	require.NoError(t, e.Close())
}

// repeated repeats f with a model and a session that has run the first case.
func (s *suite) repeated(names string, n int, f func(*testing.T, *model, *common.Model, *common.Session, int)) func(*testing.T) {
	return func(t *testing.T) {
		s.with(t, names, func(m *model, loaded *common.Model) {
			session, err := loaded.NewSession(ctx, "")
			require.NoError(t, err)
			m.runSession(t, session, 0)
			repeat(t, n, func(i int) { f(t, m, loaded, session, i) })
			m.runSession(t, session, 0)
		})
	}
}

// with runs f with the first of the models and closes all.
func (s *suite) with(t *testing.T, names string, f func(*model, *common.Model)) {
	m := s.model(t, strings.Fields(names)...)
	e, err := common.Open(s.Name, nil)
	require.NoError(t, err)
	// One thread: a pool of them waits for busy neighbours, not for us.
	loaded, err := e.Load(ctx, m.file(), m.options(s.oneThread()))
	require.NoError(t, err)
	f(m, loaded)
	require.NoError(t, e.Close())
}

// forgotten never closes: the garbage collector must find all of it.
func (s *suite) forgotten(t *testing.T) {
	m := s.model(t, "digits")
	cancelable, cancel := context.WithCancel(ctx)
	defer cancel()
	repeat(t, 200, func(i int) {
		e, err := common.Open(s.Name, nil)
		require.NoError(t, err)
		if i%4 > 0 {
			loaded, err := e.Load(ctx, m.memory(t), nil)
			require.NoError(t, err)
			_, err = loaded.Run(cancelable, m.in[0])
			require.NoError(t, err)
			if i%4 > 1 {
				session, err := loaded.NewSession(ctx, "")
				require.NoError(t, err)
				m.runSession(t, session, 0)
				e, loaded = nil, nil // only the session holds them
				runtime.GC()
				require.NoError(t, session.Run(cancelable))
				m.check(t, 0, outputs(session))
			}
		}
		runtime.GC()
	})
	for range 20 {
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
	}
}

// idle has 64 sessions that have run and now wait: nothing in the process
// wakes up for them.
func (s *suite) idle(t *testing.T) {
	s.with(t, "digits", func(m *model, loaded *common.Model) {
		c, cancel := context.WithCancel(ctx)
		defer cancel()
		for range 64 {
			session, err := loaded.NewSession(ctx, "")
			require.NoError(t, err)
			m.runSession(t, session, 0)
			require.NoError(t, session.Run(c))
		}
		time.Sleep(100 * time.Millisecond) // what watched the contexts comes to rest
		before := contextSwitches(t)
		time.Sleep(time.Duration(soak(t)) * 300 * time.Millisecond)
		n := contextSwitches(t) - before
		t.Logf("%d context switches", n)
		// Go's runtime and this goroutine have a few; one session that polls has 60.
		require.Less(t, n, 30*soak(t), "idle sessions wake the process up")
	})
}

func contextSwitches(t *testing.T) (n int) {
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	require.NoError(t, err)
	if tasks == nil {
		t.Skip("this system does not count context switches")
	}
	for _, task := range tasks {
		n += statusLine(task, "voluntary_ctxt_switches")
	}
	return n
}

// allocations: a Run on tensors that stay bound allocates nothing in Go.
func (s *suite) allocations(t *testing.T) {
	cancelable, cancel := context.WithCancel(ctx)
	defer cancel()
	e := s.engine(t)
	for _, names := range []string{"digits", "digits_dynamic", "nonzero_cast edges", "multi"} {
		m := s.model(t, strings.Fields(names)...)
		session := NewSession(t, m.load(t, e, common.Options{}))
		m.runSession(t, session, 0)
		for what, c := range map[string]context.Context{"background": ctx, "cancelable": cancelable} {
			s.run(t, m.Name+" "+what, func(t *testing.T) { NoAllocations(t, func() error { return session.Run(c) }) })
		}
	}
}
