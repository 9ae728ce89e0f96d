// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// options: each is honoured and can be seen to be, or is refused.
func (s *suite) options(t *testing.T) {
	e, m := s.engine(t), s.model(t, "digits")
	// load loads with o, runs, and checks the results unless o makes them less
	// precise. It returns nil where o is refused.
	load := func(t *testing.T, o common.Options) *common.Model {
		loaded, err := e.Load(ctx, m.file(), &o)
		if err != nil {
			require.ErrorIs(t, err, common.ErrOption)
			require.True(t, typed(err))
			t.Logf("refused: %v", err)
			return nil
		}
		t.Cleanup(func() { require.NoError(t, loaded.Close()) })
		out, err := loaded.Run(ctx, m.in[0])
		require.NoError(t, err)
		if o.Precision == 0 || o.Precision == common.Float32 {
			m.check(t, 0, out)
		}
		return loaded
	}
	s.run(t, "threads", func(t *testing.T) {
		for _, n := range []int{1, min(2, runtime.NumCPU())} {
			loaded := load(t, common.Options{Threads: n})
			if s.Threadless {
				require.Nil(t, loaded)
				continue
			}
			require.NotNil(t, loaded, "every engine can run on %d threads", n)
			require.Equal(t, n, loaded.Info().Threads)
		}
	})
	s.run(t, "threads by default", func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // as in a container with one processor
		loaded := load(t, common.Options{})
		require.NotNil(t, loaded)
		require.LessOrEqual(t, loaded.Info().Threads, 1)
	})
	s.run(t, "sessions", func(t *testing.T) {
		loaded := load(t, common.Options{Sessions: 2})
		require.NotNil(t, loaded)
		require.Equal(t, 2, loaded.Info().Sessions)
		if n := loaded.Info().Threads; n > 0 {
			require.LessOrEqual(t, n*2, max(2, runtime.NumCPU()), "sessions share the cores")
		}
	})
	for name, o := range map[string]common.Options{
		"negative threads":  {Threads: -1},
		"negative sessions": {Sessions: -1},
		"integer precision": {Precision: common.Int8},
		"Native of others":  {Native: struct{ Other int }{3}},
		"Native of no type": {Native: "text"},
	} {
		s.run(t, name, func(t *testing.T) {
			_, err := e.Load(ctx, m.file(), &o)
			require.ErrorIs(t, err, common.ErrOption)
			require.True(t, typed(err))
		})
	}
	s.run(t, "device", func(t *testing.T) {
		devices, err := e.Devices(ctx)
		require.NoError(t, err)
		name := devices[0].Name
		loaded := load(t, common.Options{Device: name})
		require.NotNil(t, loaded)
		require.Contains(t, loaded.Info().Device, name)
		for _, unknown := range []string{"NPU9", "cuda:7", " ", "C PU", "CPU\x00"} {
			_, err := e.Load(ctx, m.file(), &common.Options{Device: unknown})
			require.ErrorIs(t, err, common.ErrDevice, "%q", unknown)
			require.ErrorContains(t, err, name, "it lists what there is")
		}
	})
	for _, p := range []common.DType{common.Float32, common.Float16, common.BFloat16} {
		s.run(t, "precision "+p.String(), func(t *testing.T) {
			if loaded := load(t, common.Options{Precision: p}); loaded != nil && loaded.Info().Precision != 0 {
				require.Equal(t, p, loaded.Info().Precision)
			}
		})
	}
	s.run(t, "cache", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "cache")
		for range 2 { // written, then read
			if load(t, common.Options{CacheDir: dir}) == nil {
				return
			}
			files, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.NotEmpty(t, files)
		}
	})
	s.run(t, "profile", func(t *testing.T) {
		session := NewSession(t, load(t, common.Options{}))
		require.NoError(t, session.Run(ctx))
		_, err := session.Profile()
		require.ErrorIs(t, err, common.ErrOption, "it was not asked for at Load")
		loaded := load(t, common.Options{Profile: true})
		if loaded == nil {
			return
		}
		session = NewSession(t, loaded)
		require.NoError(t, session.Run(ctx))
		layers, err := session.Profile()
		require.NoError(t, err)
		require.NotEmpty(t, layers)
		for _, l := range layers {
			require.NotEmpty(t, l.Name+l.Type)
			require.GreaterOrEqual(t, l.Duration, time.Duration(0))
		}
	})
	s.run(t, "properties", func(t *testing.T) {
		_, err := load(t, common.Options{}).Property("no such property")
		require.ErrorIs(t, err, common.ErrOption)
		_, err = e.Property("no such property")
		require.ErrorIs(t, err, common.ErrOption)
	})
}

// inputs gives what does not fit, which package common refuses, so that
// signatures are right. The next Run is right.
func (s *suite) inputs(t *testing.T) {
	m := s.model(t, "multi")
	loaded := m.load(t, s.engine(t), common.Options{})
	session := NewSession(t, loaded)
	name := m.Inputs[0].Name
	shape := m.in[0][name].Shape()
	for what, c := range map[string]struct {
		x  *common.Tensor
		is error
	}{
		"nil":          {nil, common.ErrInput},
		"dtype":        {Random(t, 1, common.Int32, shape...), common.ErrDType},
		"wider dtype":  {Random(t, 1, common.Float64, shape...), common.ErrDType},
		"strings":      {Random(t, 1, common.String, shape...), common.ErrDType},
		"larger":       {Random(t, 1, common.Float32, 2, 4), common.ErrShape},
		"reshaped":     {Random(t, 1, common.Float32, 3, 2), common.ErrShape},
		"another rank": {Random(t, 1, common.Float32, 6), common.ErrShape},
		"scalar":       {Random(t, 1, common.Float32), common.ErrShape},
		"empty":        {Random(t, 1, common.Float32, 0, 3), common.ErrShape},
	} {
		s.run(t, what, func(t *testing.T) {
			in := maps.Clone(m.in[0])
			in[name] = c.x
			out, err := loaded.Run(ctx, in)
			require.Nil(t, out)
			require.ErrorIs(t, err, c.is)
			require.ErrorIs(t, err, common.ErrInput)
			require.True(t, typed(err))
			require.ErrorIs(t, session.BindInput(0, c.x), c.is)
			m.run(t, loaded, 0)
			m.runSession(t, session, 0)
		})
	}
	s.run(t, "no such signature", func(t *testing.T) {
		_, err := loaded.NewSession(ctx, "nobody")
		require.ErrorIs(t, err, common.ErrName)
	})
}
