// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"runtime"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// options: each is honoured and can be seen to be, or is refused.
func (s *suite) options(t *testing.T) {
	e, m := s.engine(t), s.model(t, "digits")
	refused := func(t *testing.T, kind error, o common.Options) error {
		_, err := e.Load(ctx, m.file(), &o)
		require.ErrorIs(t, err, kind)
		require.True(t, typed(err))
		return err
	}
	for name, c := range map[string]struct {
		options  common.Options
		required bool // every engine has the option
		check    func(*testing.T, *common.Model)
	}{
		"thread":  {common.Options{Threads: 1}, !s.Threadless, nil},
		"threads": {common.Options{Threads: min(2, runtime.NumCPU())}, !s.Threadless, nil},
		"sessions": {common.Options{Sessions: 2}, true, func(t *testing.T, m *common.Model) {
			i := m.Info()
			require.Equal(t, 2, i.Sessions)
			require.LessOrEqual(t, 2*i.Threads, max(2, runtime.NumCPU()), "sessions share the cores")
		}},
		"no profile": {common.Options{}, true, func(t *testing.T, m *common.Model) {
			session := NewSession(t, m)
			require.NoError(t, session.Run(ctx))
			_, err := session.Profile()
			require.ErrorIs(t, err, common.ErrOption, "it was not asked for at Load")
		}},
		"profile": {common.Options{Profile: true}, false, func(t *testing.T, m *common.Model) {
			session := NewSession(t, m)
			require.NoError(t, session.Run(ctx))
			layers, err := session.Profile()
			require.NoError(t, err)
			require.NotEmpty(t, layers)
			for _, l := range layers {
				require.NotEmpty(t, l.Name+l.Type)
				require.GreaterOrEqual(t, l.Duration, time.Duration(0))
			}
		}},
		"float32": {common.Options{Precision: common.Float32}, false, nil}, "float16": {common.Options{Precision: common.Float16}, false, nil},
		"bfloat16": {common.Options{Precision: common.BFloat16}, false, nil},
	} {
		s.run(t, name, func(t *testing.T) {
			loaded, err := e.Load(ctx, m.file(), &c.options)
			if err != nil {
				require.False(t, c.required, "%v", err)
				refused(t, common.ErrOption, c.options)
				t.Logf("refused: %v", err)
				return
			}
			t.Cleanup(func() { require.NoError(t, loaded.Close()) })
			p, i := c.options.Precision, loaded.Info()
			if n := c.options.Threads; n > 0 {
				require.Equal(t, n, i.Threads)
			}
			if i.Precision != 0 && p != 0 {
				require.Equal(t, p, i.Precision)
			}
			if p == 0 || p == common.Float32 {
				m.run(t, loaded, 0)
			}
			if c.check != nil {
				c.check(t, loaded)
			}
		})
	}
	s.run(t, "threads by default", func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // as in a container with one processor
		require.LessOrEqual(t, m.load(t, e, common.Options{}).Info().Threads, 1)
	})
	s.run(t, "another type of Native", func(t *testing.T) {
		for _, native := range []any{struct{ Other int }{3}, "text"} {
			refused(t, common.ErrOption, common.Options{Native: native})
		}
	})
	s.run(t, "device", func(t *testing.T) {
		devices, err := e.Devices(ctx)
		require.NoError(t, err)
		name := devices[0].Name
		loaded := m.load(t, e, common.Options{Device: name})
		require.Contains(t, loaded.Info().Device, name)
		m.run(t, loaded, 0)
		for _, unknown := range []string{"NPU9", "cuda:7", " ", "C PU", "CPU\x00"} {
			require.ErrorContains(t, refused(t, common.ErrDevice, common.Options{Device: unknown}), name, "it lists what there is")
		}
	})
	s.run(t, "properties", func(t *testing.T) {
		_, err := m.load(t, e, common.Options{}).Property("no such property")
		require.ErrorIs(t, err, common.ErrOption)
		_, err = e.Property("no such property")
		require.ErrorIs(t, err, common.ErrOption)
	})
}
