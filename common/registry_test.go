// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"log/slog"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

func TestOpenUnknown(t *testing.T) {
	known := echo(t)
	_, err := common.Open("nobody", nil)
	require.ErrorIs(t, err, common.ErrNotAvailable)
	require.ErrorContains(t, err, known.Name)
	require.ErrorContains(t, err, "anyinfer/nobody")
	require.Contains(t, common.Engines(), known.Name)
	require.IsIncreasing(t, common.Engines())
}

func TestOpenConfig(t *testing.T) {
	var got common.Config
	common.Register(common.Registration{Name: t.Name(), Open: func(c common.Config) (common.Driver, error) {
		got = c
		return nil, &common.Error{Err: common.ErrVersion, Text: "old"}
	}})
	_, err := common.Open(t.Name(), nil)
	require.ErrorIs(t, err, common.ErrVersion)
	require.EqualError(t, err, t.Name()+": open: library version not usable: old")
	require.Same(t, slog.Default(), got.Logger)
	mine := common.Config{Library: "/l", Logger: slog.New(slog.DiscardHandler), Native: 3}
	_, err = common.Open(t.Name(), &mine)
	require.ErrorIs(t, err, common.ErrVersion)
	require.Equal(t, mine, got)
}

// TestLoadOrder: an engine made for a format goes first, then by name; one
// that is missing is passed over; the error of a ready one counts.
func TestLoadOrder(t *testing.T) {
	format := t.Name()
	src := common.Bytes([]byte("m")).As(format)
	_, err := common.Load(ctx, src, nil)
	require.ErrorIs(t, err, common.ErrNotAvailable)
	require.ErrorContains(t, err, format)

	var opened []string
	ready := map[string]bool{}
	add := func(name string, formats ...string) {
		e := &fake.Engine{Name: format + name}
		e.Load = func(common.Source, common.Options) error {
			opened = append(opened, name)
			return nil
		}
		e.Register()
		common.Register(common.Registration{Name: e.Name, Formats: formats, Open: func(common.Config) (common.Driver, error) {
			if !ready[name] {
				opened = append(opened, name+"?")
				return nil, &common.Error{Engine: e.Name, Err: common.ErrNotAvailable, Searched: []string{"/lib/" + name + ": no"}}
			}
			return nil, &common.Error{Engine: e.Name, Err: common.ErrDevice}
		}})
	}
	add("b-own", format)
	add("a-also", "other", format)
	add("c-own", format, "other")
	add("d-not", "other")
	_, err = common.Load(ctx, src, nil)
	require.ErrorIs(t, err, common.ErrNotAvailable)
	require.Equal(t, []string{"b-own?", "c-own?", "a-also?"}, opened)
	for _, name := range []string{"b-own", "c-own", "a-also"} {
		require.ErrorContains(t, err, "/lib/"+name+": no", "every place is told")
	}
	require.Equal(t, err, func() error { _, err := common.Load(ctx, src, &common.Options{}); return err }())
}

func TestLoadFirstReady(t *testing.T) {
	format := t.Name()
	for name, missing := range map[string]bool{"1": true, "2": false, "3": false} {
		e := &fake.Engine{Name: format + name, Formats: []string{format}}
		if e.Register(); missing {
			common.Register(common.Registration{Name: e.Name, Formats: e.Formats, Open: func(common.Config) (common.Driver, error) {
				return nil, &common.Error{Err: common.ErrNotAvailable}
			}})
			continue
		}
		e.Load = func(common.Source, common.Options) error {
			return &common.Error{Err: common.ErrModel, Text: "by " + name}
		}
		t.Cleanup(func() { require.Zero(t, e.Live(), "an engine opened in vain is closed") })
	}
	_, err := common.Load(ctx, common.Bytes([]byte("m")).As(format), nil)
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "by 2", "of what they say, the first's counts")
	last := echo(t)
	last.Name, last.Formats = format+"4", []string{format}
	last.Register()
	m, err := common.Load(ctx, common.Bytes([]byte("m")).As(format), nil)
	require.NoError(t, err, "one takes it")
	require.Equal(t, last.Name, m.Engine().Name)
	require.NoError(t, m.Close())
}

// TestLoadOwnsEngine: Load's engine goes with its model.
func TestLoadOwnsEngine(t *testing.T) {
	e := echo(t)
	e.Formats = []string{e.Name}
	e.Register()
	m, err := common.Load(ctx, common.Bytes([]byte("m")).As(e.Name), nil)
	require.NoError(t, err)
	require.Equal(t, 2, e.Live())
	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	require.Zero(t, e.Live())
	_, err = common.Load(ctx, common.Bytes([]byte("m")), nil)
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "As(")
}

func TestLoadOptions(t *testing.T) {
	var got common.Options
	e := echo(t)
	e.Load = func(_ common.Source, o common.Options) error { got = o; return nil }
	load(t, e, nil)
	require.Equal(t, common.Options{}, got)
	want := common.Options{
		Device: "CPU", Precision: common.BFloat16, CacheDir: "/c", Threads: 3, Sessions: 2, Profile: true, Native: 5,
		Shapes: map[string]common.ShapeRange{"x": common.Fixed(1, 2)},
	}
	m := load(t, e, &want)
	require.Equal(t, want, got)
	require.Equal(t, 2, m.Info().Sessions)
	require.Equal(t, 3, m.Info().Threads)
	s := newSession(t, m)
	_, err := s.Profile()
	require.ErrorIs(t, err, common.ErrOption)
	_, err = m.Property("k")
	require.ErrorIs(t, err, common.ErrOption)
}
