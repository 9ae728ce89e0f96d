// SPDX-License-Identifier: Apache-2.0

package openvino_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/openvino"
)

// addExternal is an ONNX model of x + w, four numbers each, with w in w.bin.
const addExternal = "" +
	"08083a530a0e0a01780a017712017922034164641201672a1c080410014201776a110a086c6f636174696f6e1205" +
	"772e62696e70015a0f0a0178120a0a08080112040a020804620f0a0179120a0a08080112040a0208044202100d"

// TestCompiledModels: how many there are depends on the size of the files and on
// Options; ModelInfo and properties tell, and results are the same.
func TestCompiledModels(t *testing.T) {
	if runtime.NumCPU() < 2 || runtime.GOMAXPROCS(0) < 2 {
		t.Skip("one core")
	}
	e := open(t)
	read := func(name string) []byte {
		b, err := os.ReadFile("../testdata/" + name)
		require.NoError(t, err)
		return b
	}
	xml, bin := read("digits.xml"), read("digits.bin")
	const most = 1 << 20 // bytes of files
	sized := func(size int) common.Source {
		return common.Bytes(xml, append(bin[:len(bin):len(bin)], make([]byte, size-len(xml)-len(bin))...))
	}
	two := common.Options{Sessions: 2, Threads: 1}
	cached := two
	cached.CacheDir = t.TempDir()
	require.NoError(t, os.Chmod(cached.CacheDir, 0o700))
	var want []float32
	for _, c := range []struct {
		name              string
		src               common.Source
		o                 common.Options
		compiled, streams int
	}{
		{"one session", file("digits.xml"), common.Options{Threads: 1}, 1, 1},
		{"IR", file("digits.xml"), two, 2, 1},
		{"ONNX", file("digits.onnx"), two, 2, 1},
		{"largest", sized(most), two, 2, 1},
		{"too large", sized(most + 1), two, 1, 2},
		{"streams", file("digits.xml"), common.Options{Sessions: 2, Threads: 1, Native: openvino.Options{Streams: 1}}, 1, 1},
		{"not yet in the cache", file("digits.xml"), cached, 2, 1},
		{"from the cache", file("digits.xml"), cached, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := load(t, e, c.src, &c.o)
			require.Equal(t, max(c.o.Sessions, 1), m.Info().Sessions)
			require.Equal(t, 1, m.Info().Threads)
			require.Equal(t, map[string]string{"streams": strconv.Itoa(c.streams), "compiled_models": strconv.Itoa(c.compiled)}, m.Info().Details)
			streams, err := m.Property("NUM_STREAMS")
			require.NoError(t, err)
			require.Equal(t, strconv.Itoa(c.streams), streams)
			for range 3 {
				s := session(t, m)
				for i, x := 0, data[float32](t, s.Input(0)); i < len(x); i++ {
					x[i] = float32(i%17) / 16
				}
				require.NoError(t, s.Run(ctx))
				if want == nil {
					want = append(want, data[float32](t, s.Output(0))...)
				}
				require.InDeltaSlice(t, want, data[float32](t, s.Output(0)), 1e-6)
			}
		})
	}
	onnx := t.TempDir() + "/add.onnx"
	add, err := hex.DecodeString(addExternal)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(onnx, add, 0o600))
	require.NoError(t, os.WriteFile(filepath.Dir(onnx)+"/w.bin", make([]byte, 16), 0o600))
	require.Equal(t, "1", load(t, e, common.File(onnx), &two).Info().Details["compiled_models"], "external data")
	blobs, err := os.ReadDir(cached.CacheDir)
	require.NoError(t, err)
	require.Len(t, blobs, 1, "all compiled models are the same")
}

// TestMoreSessionsThanCompiledModels: sessions that share one wait for each other,
// and keep what is theirs apart: tensors, and the variables of a model.
func TestMoreSessionsThanCompiledModels(t *testing.T) {
	m := load(t, open(t), common.Bytes([]byte(accumulator), make([]byte, 8)).As("openvino"), &common.Options{Sessions: 2})
	var all sync.WaitGroup
	for i := range 7 {
		all.Go(func() {
			s, err := m.NewSession(ctx, "")
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			in, _ := common.Data[float32](s.Input(0))
			in[0] = float32(i + 1)
			for range 20 {
				for n := range 10 {
					if err := s.Run(ctx); err != nil {
						t.Error(err)
					}
					if out, _ := common.Data[float32](s.Output(0)); out[0] != float32((n+1)*(i+1)) {
						t.Errorf("session %d has %v after %d runs", i, out[0], n+1)
					}
				}
				if err := s.Reset(); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() { // those of Model.Run, beside them
			x, _ := common.FromSlice([]float32{float32(i), 1})
			for range 50 {
				out, err := m.Run(ctx, common.Tensors{"x": x})
				if err != nil {
					t.Error(err)
					return
				}
				if y, _ := common.Data[float32](out["y"]); y[0] != float32(i) {
					t.Errorf("Model.Run has %v for %d", y[0], i)
				}
			}
		})
	}
	all.Wait()
}
