// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"context"
	"fmt"
	"maps"
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
// temporary files. Each job has a process of its own.
func (s *suite) resources(t *testing.T) {
	for _, job := range slices.Sorted(maps.Keys(resourceJobs)) {
		s.run(t, job, func(t *testing.T) { s.child(t, "resources:"+job) })
	}
	s.run(t, "allocations", s.allocations)
}

var resourceJobs = map[string]func(*suite, *testing.T){
	"engines":             (*suite).engines,
	"load, run and close": (*suite).cycles,
	"session runs":        (*suite).sessionRuns,
	"model runs":          (*suite).modelRuns,
	"sessions":            (*suite).sessions,
	"resizing":            (*suite).resizing,
	"cancelled runs":      (*suite).cancelledRuns,
	"forgotten":           (*suite).forgotten,
	"idle":                (*suite).idle,
}

// repeat calls f at most n times, but no longer than a few seconds unless
// ANYINFER_TEST_SOAK is set, and checks that memory, goroutines and files do
// not grow once it has warmed up.
func repeat(t *testing.T, n int, f func(i int)) {
	limit := 3 * time.Second
	if os.Getenv("ANYINFER_TEST_SOAK") != "" {
		limit = time.Hour
	}
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
	left = slices.DeleteFunc(left, func(f os.DirEntry) bool { return strings.HasPrefix(f.Name(), t.Name()) })
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
	quiet(t, func() {
		e, err := common.Open(s.Name, nil)
		require.NoError(t, err)
		m := s.model(t, "digits")
		var sources []common.Source
		for _, format := range s.Formats {
			sources = append(sources, m.file(s.root, format), common.Bytes(m.bytes(t, s.root, format)...).As(format))
		}
		sources = append(sources, common.File(filepath.Join(s.root, "testdata", "photo.png")).As(s.Formats[0])) // errors leak, too
		repeat(t, 500*len(sources), func(i int) {
			n := i % len(sources)
			loaded, err := e.Load(ctx, sources[n], nil)
			if n == len(sources)-1 {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			_, err = loaded.Run(ctx, s.in(t, m, s.Formats[n/2], 0))
			require.NoError(t, err)
			require.NoError(t, loaded.Close())
		})
		require.NoError(t, e.Close())
		if e, err = common.Open(s.Name, nil); err == nil {
			err = e.Close()
		}
		require.NoError(t, err)
	})
}

// with runs f with the model and closes all.
func (s *suite) with(t *testing.T, name string, f func(*common.Model, entry, string)) {
	quiet(t, func() {
		e, err := common.Open(s.Name, nil)
		require.NoError(t, err)
		m := s.model(t, name)
		format := s.format(t, m)
		// One thread: a pool of them waits for busy neighbours, not for us.
		loaded, err := e.Load(ctx, m.file(s.root, format), s.suited(t, m, format, s.oneThread()))
		require.NoError(t, err)
		f(loaded, m, format)
		require.NoError(t, e.Close())
	})
}

func (s *suite) sessionRuns(t *testing.T) {
	s.with(t, "digits", func(loaded *common.Model, m entry, format string) {
		session := newSession(t, loaded)
		runSession(t, session, s.in(t, m, format, 0))
		cancelable, cancel := context.WithCancel(ctx)
		defer cancel()
		repeat(t, 100000, func(i int) {
			c := ctx
			if i%2 == 1 {
				c = cancelable
			}
			if err := session.Run(c); err != nil {
				t.Fatal(err)
			}
		})
		m.check(t, s.want(t, m, format, 0), outputs(session))
	})
}

func (s *suite) modelRuns(t *testing.T) {
	s.with(t, s.first(t, "nonzero_cast", "digits_dynamic"), func(loaded *common.Model, m entry, format string) {
		var ins []common.Tensors
		for n := range m.Cases {
			ins = append(ins, s.in(t, m, format, n))
		}
		repeat(t, 100000, func(i int) {
			if _, err := loaded.Run(ctx, ins[i%len(ins)]); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func (s *suite) sessions(t *testing.T) {
	s.with(t, "digits", func(loaded *common.Model, m entry, format string) {
		in := s.in(t, m, format, 0)
		repeat(t, 5000, func(int) {
			session := newSession(t, loaded)
			runSession(t, session, in)
			require.NoError(t, session.Close())
		})
	})
}

func (s *suite) resizing(t *testing.T) {
	s.with(t, "edges", func(loaded *common.Model, m entry, format string) {
		session := newSession(t, loaded)
		var ins []common.Tensors
		for n := range m.Cases {
			ins = append(ins, s.in(t, m, format, n))
		}
		repeat(t, 10000, func(i int) {
			runSession(t, session, ins[i%len(ins)])
		})
	})
}

func (s *suite) cancelledRuns(t *testing.T) {
	s.with(t, "digits", func(loaded *common.Model, m entry, format string) {
		session := newSession(t, loaded)
		in := s.in(t, m, format, 0)
		runSession(t, session, in)
		repeat(t, 20000, func(i int) {
			c, cancel := context.WithTimeout(ctx, time.Duration(i%50)*time.Microsecond)
			defer cancel()
			if err := session.Run(c); err != nil {
				require.Equal(t, context.DeadlineExceeded, err)
			}
			if _, err := loaded.Run(c, in); err != nil {
				require.Equal(t, context.DeadlineExceeded, err)
			}
		})
	})
}

// forgotten never closes: the garbage collector must find all of it.
func (s *suite) forgotten(t *testing.T) {
	quiet(t, func() {
		m := s.model(t, "digits")
		format := s.format(t, m)
		in := s.in(t, m, format, 0)
		cancelable, cancel := context.WithCancel(ctx)
		defer cancel()
		repeat(t, 200, func(i int) {
			e, err := common.Open(s.Name, nil)
			require.NoError(t, err)
			if i%4 > 0 {
				loaded, err := e.Load(ctx, common.Bytes(m.bytes(t, s.root, format)...).As(format), nil)
				require.NoError(t, err)
				_, err = loaded.Run(cancelable, in)
				require.NoError(t, err)
				if i%4 > 1 {
					session := newSession(t, loaded)
					runSession(t, session, in)
					require.NoError(t, session.Run(cancelable))
					e, loaded = nil, nil // only the session holds them
					runtime.GC()
					require.NoError(t, session.Run(cancelable))
					m.check(t, s.want(t, m, format, 0), outputs(session))
				}
			}
			runtime.GC()
		})
		for range 20 {
			runtime.GC()
			time.Sleep(5 * time.Millisecond)
		}
	})
}

// allocations: a Run on tensors that stay bound allocates nothing in Go.
func (s *suite) allocations(t *testing.T) {
	if instrumented {
		t.Skip("the race detector and AddressSanitizer allocate")
	}
	cancelable, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, name := range []string{"digits", "digits_dynamic", s.first(t, "nonzero_cast", "edges"), "multi"} {
		loaded, m, format := s.load(t, name, nil)
		session := newSession(t, loaded)
		runSession(t, session, s.in(t, m, format, 0))
		for what, c := range map[string]context.Context{"background": ctx, "cancelable": cancelable} {
			s.run(t, name+" "+what, func(t *testing.T) {
				require.NoError(t, session.Run(c))
				allocated := testing.AllocsPerRun(200, func() {
					if err := session.Run(c); err != nil {
						t.Error(err)
					}
				})
				require.Zero(t, allocated)
			})
		}
	}
}
