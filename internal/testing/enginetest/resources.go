// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/stretchr/testify/require"
)

// resources checks that nothing is left behind: memory, goroutines, open and temporary files. Each test has a
// process of its own.
func (s *suite) resources(t *testing.T) {
	for name, f := range map[string]func(*testing.T){
		"engines": s.engines, "load, run and close": s.cycles, "forgotten": s.forgotten, "idle": s.with("digits", idle),
		"sessions": s.with("digits", func(t *testing.T, m *model, loaded *common.Model, _ *common.Session) {
			repeat(t, 5000, func(int) {
				session, err := loaded.NewSession(ctx, "")
				require.NoError(t, err)
				m.runSession(t, session, 0)
				require.NoError(t, session.Close())
			})
		}),
		"session runs": s.with("digits", func(t *testing.T, _ *model, _ *common.Model, session *common.Session) {
			repeat(t, 100000, func(int) { require.NoError(t, session.Run(ctx)) })
		}),
		"model runs": s.with("nonzero_cast digits_dynamic", func(t *testing.T, m *model, loaded *common.Model, _ *common.Session) {
			repeat(t, 100000, func(i int) {
				_, err := loaded.Run(ctx, m.in[i%len(m.in)])
				require.NoError(t, err)
			})
		}),
		"resizing": s.with("edges", func(t *testing.T, m *model, _ *common.Model, session *common.Session) {
			repeat(t, 10000, func(i int) { m.runSession(t, session, i%len(m.in)) })
		}),
		"cancelled runs": s.with("digits", cancelled),
	} {
		s.run(t, name, func(t *testing.T) { alone(t, settings{}, func(t *testing.T) { quiet(t, func() { f(t) }) }) })
	}
	s.run(t, "allocations", s.allocations)
}

// repeat calls f at most n times, but no longer than a second, and checks that memory, goroutines and files
// do not grow once it has warmed up.
func repeat(t *testing.T, n int, f func(i int)) {
	start, done := time.Now(), 0
	for ; done < n/4 && (done < 12 || time.Since(start) < time.Duration(soak(t))*time.Second/4); done++ {
		f(done)
	}
	// What is measured is as long as the warm-up, three times.
	n = min(n, 4*done)
	before := footprint()
	for ; done < n; done++ {
		f(done)
	}
	after := footprint()
	t.Logf("%d times in %v: from %+v to %+v", done, time.Since(start).Round(time.Millisecond), before, after)
	grows := func() string {
		switch {
		case after.goroutines > before.goroutines+2: // Go has some for cleanups, which come and go
			return "the number of goroutines"
		case after.files > before.files:
			return "the number of open files"
		case after.heap > before.heap+128<<10:
			return "Go's heap"
		// Allocators round up and fragment, and a short warm-up leaves some to come.
		case !Instrumented() && after.memory > before.memory+2<<20+before.memory/20:
			return "the memory"
		}
		return ""
	}
	for i := 0; grows() != "" && i < 100; i++ { // on a busy machine cleanups come late
		after = footprint()
	}
	require.Empty(t, grows(), "%+v", after)
}

type usage struct{ memory, heap, goroutines, files int }

// footprint is what the process uses, garbage aside. Memory and files are 0 on systems without /proc.
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

// engines opens on one thread and closes on another, as goroutines may. Then the Go
// runtime must be able to interrupt the first thread: an SDK that leaves it with a signal stack in freed
// memory crashes here.
func (s *suite) engines(t *testing.T) {
	repeat(t, 200, func(int) {
		opened, closed := make(chan *common.Engine), make(chan struct{})
		var first sync.WaitGroup
		first.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			e, err := openEngine(s.Name, nil)
			if err != nil {
				t.Error(err)
			}
			opened <- e
			<-closed
			for start := time.Now(); time.Since(start) < 2*time.Millisecond; { // busy, for the collector to interrupt
			}
		})
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		require.NoError(t, (<-opened).Close())
		close(closed)
		for range 3 {
			runtime.GC()
		}
		first.Wait()
	})
}

// cycles loads from files, from memory and what is no model: errors leak, too.
func (s *suite) cycles(t *testing.T) {
	e, err := openEngine(s.Name, nil)
	require.NoError(t, err)
	var models []*model
	for _, entry := range s.entries {
		for _, format := range s.Formats {
			if entry.Name == "digits" && entry.Files[format] != nil {
				models = append(models, s.read(t, entry, format))
			}
		}
	}
	photo := common.File(filepath.Join(s.root, "testdata", "photo.png")).As(s.Formats[0])
	repeat(t, 500*len(models), func(i int) {
		m := models[i%len(models)]
		for _, src := range []common.Source{m.file(), m.memory(t)} {
			loaded, err := e.Load(ctx, src, nil)
			require.NoError(t, err)
			m.run(t, loaded, 0)
			require.NoError(t, loaded.Close())
		}
		_, err := e.Load(ctx, photo, nil)
		require.Error(t, err)
	})
	require.NoError(t, e.Close())
}

// with is f with the first of the models that there is, and a session that has run its first case. All is
// closed at the end.
func (s *suite) with(names string, f func(*testing.T, *model, *common.Model, *common.Session)) func(*testing.T) {
	return func(t *testing.T) {
		m := s.model(t, strings.Fields(names)...)
		e, err := openEngine(s.Name, nil)
		require.NoError(t, err)
		// One thread: a pool of them waits for busy neighbours, not for us.
		loaded, err := e.Load(ctx, m.file(), m.options(s.oneThread()))
		require.NoError(t, err)
		session, err := loaded.NewSession(ctx, "")
		require.NoError(t, err)
		m.runSession(t, session, 0)
		f(t, m, loaded, session)
		m.runSession(t, session, 0)
		require.NoError(t, e.Close())
	}
}

// cancelled ends contexts at every moment of a Run. The next is right: no late interrupt hits it.
func cancelled(t *testing.T, m *model, loaded *common.Model, session *common.Session) {
	ended := 0
	repeat(t, 20000, func(i int) {
		c, cancel := context.WithTimeout(ctx, time.Duration(i%100)*time.Microsecond)
		defer cancel()
		err := session.Run(c)
		_, err2 := loaded.Run(c, m.in[0])
		for _, err := range []error{err, err2} {
			if err != nil {
				require.Equal(t, context.DeadlineExceeded, err)
				ended++
			}
		}
		require.NoError(t, session.Run(ctx))
		m.check(t, 0, outputs(session))
	})
	require.NotZero(t, ended)
}

// forgotten never closes: the garbage collector must find all of it.
func (s *suite) forgotten(t *testing.T) {
	m := s.model(t, "digits")
	repeat(t, 200, func(i int) {
		e, err := openEngine(s.Name, nil)
		require.NoError(t, err)
		if i%4 > 0 {
			loaded, err := e.Load(ctx, m.memory(t), nil)
			require.NoError(t, err)
			_, err = loaded.Run(t.Context(), m.in[0])
			require.NoError(t, err)
			if i%4 > 1 {
				session, err := loaded.NewSession(ctx, "")
				require.NoError(t, err)
				m.runSession(t, session, 0)
				e, loaded = nil, nil // only the session holds them
				runtime.GC()
				require.NoError(t, session.Run(t.Context()))
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

// idle has 64 sessions that have run and now wait: nothing in the process wakes up for them.
func idle(t *testing.T, m *model, loaded *common.Model, _ *common.Session) {
	for range 64 {
		session, err := loaded.NewSession(ctx, "")
		require.NoError(t, err)
		defer runtime.KeepAlive(session)
		m.runSession(t, session, 0)
		require.NoError(t, session.Run(t.Context()))
	}
	switches := func() (n int) {
		tasks, _ := filepath.Glob("/proc/self/task/*/status")
		for _, task := range tasks {
			n += statusLine(task, "voluntary_ctxt_switches")
		}
		return n
	}
	n := switches()
	if n == 0 {
		t.Skip("this system does not count context switches")
	}
	for range 10 { // on a busy machine what watched the contexts comes to rest late
		before := switches()
		time.Sleep(300 * time.Millisecond)
		// Go's runtime and this goroutine have a few; one session that polls has 60.
		if n = switches() - before; n < 30 {
			return
		}
	}
	t.Errorf("idle sessions wake the process up: %d context switches in 300 ms", n)
}

// allocations: a Run on tensors that stay bound allocates nothing in Go.
func (s *suite) allocations(t *testing.T) {
	e, cancelable := s.engine(t), t.Context()
	for _, names := range []string{"digits", "digits_dynamic", "nonzero_cast edges", "multi"} {
		m := s.model(t, strings.Fields(names)...)
		session := NewSession(t, m.load(t, e, common.Options{}))
		m.runSession(t, session, 0)
		for what, c := range map[string]context.Context{"background": ctx, "cancelable": cancelable} {
			s.run(t, m.Name+" "+what, func(t *testing.T) { NoAllocations(t, func() error { return session.Run(c) }) })
		}
	}
}

// A big model has a table of float32 whose row i has only elements of value i, and looks rows up by their
// numbers. The table of "onnx-external" is in a file of its own.
var bigFormats = []string{"openvino", "onnx", "onnx-external", "tflite", "mnn"}

const (
	bigColumns = 256
	bigRow     = 4 * bigColumns // bytes
)

// big loads and runs a big model of each format, in a process of its own that measures its memory.
func (s *suite) big(t *testing.T) {
	for _, format := range bigFormats {
		if own, _, _ := strings.Cut(format, "-"); slices.Contains(s.Formats, own) {
			s.run(t, format, func(t *testing.T) { alone(t, settings{}, func(t *testing.T) { s.bigModel(t, format) }) })
		}
	}
}

// bigModel checks that a model's weights are not in Go's heap, and that loading it takes no more memory than
// Engine.Memory allows, in sizes of its files.
func (s *suite) bigModel(t *testing.T, format string) {
	e, o := s.engine(t), s.oneThread()
	load := func(path string, rows int) *common.Model {
		loaded, err := e.Load(ctx, common.File(path), &o)
		require.NoError(t, err)
		ids, want := []int32{0, int32(rows - 1), int32(rows / 2), 1}, []float32{}
		for _, i := range ids {
			want = append(want, slices.Repeat([]float32{float32(i)}, bigColumns)...)
		}
		x, err := common.FromSlice(ids)
		require.NoError(t, err)
		out, err := loaded.Run(ctx, common.Tensors{"ids": x})
		require.NoError(t, err)
		got, err := common.Get[float32](out, "rows")
		require.NoError(t, err)
		require.True(t, slices.Equal(want, got), "the outputs are wrong")
		return loaded
	}
	require.NoError(t, load(writeBig(t, format, 1000), 1000).Close()) // what any model costs
	rows := 62500 * soak(t)                                           // 64 MB
	path := writeBig(t, format, rows)
	before := footprint()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // resets the peak
		t.Skipf("this system does not measure peaks of memory: %v", err)
	}
	loaded := load(path, rows)
	peak, after := statusLine("/proc/self/status", "VmHWM")<<10, footprint()
	size := float64(rows * bigRow)
	require.NotZero(t, peak)
	factor := float64(peak-before.memory) / size
	t.Logf("%s, %.0f MB: Go's heap %+d kB; peak memory %.2f times the size, %.2f while it is loaded",
		format, size/1e6, (after.heap-before.heap)/1000, factor, float64(after.memory-before.memory)/size)
	require.Less(t, after.heap-before.heap, 1<<20, "Go's heap has weights")
	if !Instrumented() {
		const noise = 8e6 // of allocators and threads
		require.Less(t, factor, cmp.Or(s.Memory[format], 1.1)+noise/size, "peak memory, in sizes of the model")
	}
	require.NoError(t, loaded.Close())
}

// statusLine is a number in a file of /proc like status; 0 where there is none.
func statusLine(path, name string) (n int) {
	text, _ := os.ReadFile(path)
	for line := range bytes.Lines(text) {
		if _, err := fmt.Sscanf(string(line), name+": %d", &n); err == nil {
			return n
		}
	}
	return 0
}

// writeBig writes a big model and returns the file to load.
func writeBig(t *testing.T, format string, rows int) string {
	require.LessOrEqual(t, rows, 1<<24, "float32 has no other integers")
	dir := t.TempDir()
	// write writes a file of what comes before the table, and the table, if rows > 0.
	write := func(name string, rows int, before []byte) string {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		require.NoError(t, err)
		defer f.Close()
		w := bufio.NewWriterSize(f, 1<<20)
		w.Write(before) // w keeps the first error for Flush
		for i := range rows {
			w.Write(bytes.Repeat(binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(i))), bigColumns))
		}
		require.NoError(t, w.Flush())
		return path
	}
	switch format {
	case "openvino":
		write("big.bin", rows, make([]byte, 64)) // the axis, and bytes for alignment
		return write("big.xml", 0, fmt.Appendf(nil, bigIR, rows, rows*bigRow))
	case "onnx":
		return write("big.onnx", rows, bigONNX(rows, ""))
	case "onnx-external":
		write("big.data", rows, nil)
		return write("big.onnx", 0, bigONNX(rows, "big.data"))
	case "tflite":
		return write("big.tflite", rows, bigFlat(t, "table.tflite", rows, rows*bigRow))
	}
	return write("big.mnn", rows, bigFlat(t, "table.mnn", rows, rows*bigColumns))
}

const bigIR = `<?xml version="1.0"?><net name="big" version="11"><layers>
<layer id="0" name="ids" type="Parameter" version="opset1"><data shape="4" element_type="i32"/><output><port id="0" precision="I32" names="ids"><dim>4</dim></port></output></layer>
<layer id="1" name="axis" type="Const" version="opset1"><data element_type="i64" shape="" offset="0" size="8"/><output><port id="0" precision="I64"/></output></layer>
<layer id="2" name="table" type="Const" version="opset1"><data element_type="f32" shape="%[1]d,256" offset="64" size="%[2]d"/><output><port id="0" precision="FP32"><dim>%[1]d</dim><dim>256</dim></port></output></layer>
<layer id="3" name="gather" type="Gather" version="opset8"><data batch_dims="0"/><input><port id="0" precision="FP32"><dim>%[1]d</dim><dim>256</dim></port><port id="1" precision="I32"><dim>4</dim></port><port id="2" precision="I64"/></input><output><port id="3" precision="FP32" names="rows"><dim>4</dim><dim>256</dim></port></output></layer>
<layer id="4" name="result" type="Result" version="opset1"><input><port id="0" precision="FP32"><dim>4</dim><dim>256</dim></port></input></layer>
</layers><edges>
<edge from-layer="2" from-port="0" to-layer="3" to-port="0"/><edge from-layer="0" from-port="0" to-layer="3" to-port="1"/>
<edge from-layer="1" from-port="0" to-layer="3" to-port="2"/><edge from-layer="3" from-port="3" to-layer="4" to-port="0"/></edges></net>`

// bigONNX is an ONNX file up to the content of the table, its last field, or with file, where that is, all of
// it.
func bigONNX(rows int, file string) []byte {
	const float32s, int32s = 1, 6
	number := func(field int, v int) []byte { return binary.AppendUvarint([]byte{byte(field << 3)}, uint64(v)) }
	// message is a message, string or bytes, of which more bytes follow parts.
	message := func(field, more int, parts ...[]byte) []byte {
		content := bytes.Join(parts, nil)
		return append(binary.AppendUvarint([]byte{byte(field<<3 | 2)}, uint64(len(content)+more)), content...)
	}
	text := func(field int, s string) []byte { return message(field, 0, []byte(s)) }
	tensor := func(field int, name string, dtype int, dims ...int) []byte { // a ValueInfoProto
		var shape []byte
		for _, d := range dims {
			shape = append(shape, message(1, 0, number(1, d))...)
		}
		return message(field, 0, text(1, name), message(2, 0, message(1, 0, number(1, dtype), message(2, 0, shape))))
	}
	more := rows * bigRow
	content := message(9, more)
	if file != "" {
		more = 0
		content = append(message(13, 0, text(1, "location"), text(2, file)), number(14, 1)...)
	}
	table := message(5, more, number(1, rows), number(1, bigColumns), number(2, float32s), text(8, "table"), content)
	node := message(1, 0, text(1, "table"), text(1, "ids"), text(2, "rows"), text(4, "Gather"))
	graph := message(7, more, node, text(2, "big"), tensor(11, "ids", int32s, 4), tensor(12, "rows", float32s, 4, bigColumns), table)
	return slices.Concat(number(1, 8), message(8, 0, text(1, ""), number(2, 17)), graph)
}

// bigFlat is a FlatBuffers file of testdata, which ends with a table of two rows, up to the content of one
// with more; its vector has length elements.
func bigFlat(t testing.TB, file string, rows, length int) []byte {
	require.Less(t, int64(rows)*bigRow, int64(1)<<31-1<<16, "FlatBuffers files have less than 2 GiB")
	data, err := os.ReadFile(filepath.Join(root(t), "testdata", file))
	require.NoError(t, err)
	data = data[:len(data)-2*bigRow]
	before, after, found := bytes.Cut(data, []byte{2, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0}) // the shape and its length
	require.True(t, found)
	shape, _ := binary.Append(nil, binary.LittleEndian, []uint32{2, uint32(rows), bigColumns})
	data = slices.Concat(before, shape, after)
	binary.LittleEndian.PutUint32(data[len(data)-4:], uint32(length))
	return data
}
