// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"bytes"
	"cmp"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

func TestOpenUnknownEngine(t *testing.T) {
	known := echo(t)
	_, err := common.Open("nobody", nil)
	require.ErrorIs(t, err, common.ErrNotAvailable)
	require.ErrorContains(t, err, known.Name)
	var detail *common.Error
	require.ErrorAs(t, err, &detail)
	require.Empty(t, detail.Hint, "an unknown package must have no hint")
	_, err = common.Open("litert", nil)
	require.ErrorContains(t, err, `_ "github.com/anyinfer/anyinfer/tflite/litert"`)
	require.Contains(t, common.Engines(), known.Name)
	require.IsIncreasing(t, common.Engines())
}

func TestOpenConfig(t *testing.T) {
	var got common.Config
	name := uniqueName(t)
	common.Register(common.Registration{Name: name, Open: func(c common.Config) (common.Driver, error) {
		got = c
		return nil, &common.Error{Kind: common.ErrVersion, Message: "old"}
	}})
	_, err := common.Open(name, nil)
	require.ErrorIs(t, err, common.ErrVersion)
	require.EqualError(t, err, name+": open: library version not usable: old")
	require.Same(t, slog.Default(), got.Logger)
	config := common.Config{Library: "/l", Logger: slog.New(slog.DiscardHandler), Native: 3}
	_, err = common.Open(name, &config)
	require.ErrorIs(t, err, common.ErrVersion)
	require.Equal(t, config, got)
}

func TestRegisterTwice(t *testing.T) {
	e := echo(t)
	require.PanicsWithValue(t, `common: the engine "`+e.Name+`" is registered twice`, e.Register)
}

// candidate is an engine for formats, with the errors that its Open and Load return.
type candidate struct {
	name       string
	formats    []string
	open, load error
}

// candidates registers engines and returns the names of those that were opened.
func candidates(t *testing.T, all ...candidate) (opened *[]string) {
	opened = new([]string)
	for _, c := range all {
		e := &fake.Engine{Load: func(*common.ModelFiles, common.Options) error { return c.load }}
		var formats []common.Format
		for _, f := range c.formats {
			formats = append(formats, common.Format{Name: f})
		}
		common.Register(common.Registration{Name: c.name, Formats: formats, Open: func(common.Config) (common.Driver, error) {
			if *opened = append(*opened, c.name); c.open != nil {
				return nil, c.open
			}
			return e.Driver(), nil
		}})
		t.Cleanup(func() { require.Zero(t, e.Live(), "an engine that cannot load the model must be closed") })
	}
	return opened
}

// TestLoadOrder checks that Load tries the engines whose first format it is before
// others, each group by name, and that the error contains the reason of each.
func TestLoadOrder(t *testing.T) {
	format := uniqueName(t)
	src := common.Bytes([]byte("m")).As(format)
	_, err := common.Load(ctx, src, nil)
	require.ErrorIs(t, err, common.ErrNotAvailable)
	require.ErrorContains(t, err, format)

	missing := func(name string) error {
		return &common.Error{Engine: name, Kind: common.ErrNotAvailable, Searched: []string{"/lib/" + name + ": no"}}
	}
	opened := candidates(t,
		candidate{name: format + "b-own", formats: []string{format}, open: missing("b-own")},
		candidate{name: format + "a-also", formats: []string{"other", format}, open: missing("a-also")},
		candidate{name: format + "c-own", formats: []string{format, "other"}, open: &common.Error{Kind: common.ErrVersion, Message: "too old"}},
		candidate{name: format + "d-not", formats: []string{"other"}},
	)
	_, err = common.Load(ctx, src, nil)
	require.ErrorIs(t, err, common.ErrNotAvailable)
	require.Equal(t, []string{format + "b-own", format + "c-own", format + "a-also"}, *opened)
	for _, reason := range []string{"/lib/b-own: no", "too old", "/lib/a-also: no"} {
		require.ErrorContains(t, err, reason)
	}
}

// TestLoadTriesNextEngine checks which errors let Load try the next engine. Engines
// that were passed over are in the log and, if none succeeds, in the error.
func TestLoadTriesNextEngine(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer slog.SetDefault(before)
	devices := []common.Device{{Name: "CPU"}}
	for name, c := range map[string]struct {
		open, load error
		ends       bool
	}{
		"not available":   {open: &common.Error{Kind: common.ErrNotAvailable}},
		"too old":         {open: &common.Error{Kind: common.ErrVersion}},
		"model":           {load: &common.Error{Kind: common.ErrModel}},
		"option":          {load: &common.Error{Kind: common.ErrOption}},
		"shapes":          {load: &common.Error{Kind: common.ErrShape}},
		"unknown device":  {load: common.UnknownDevice("GPU", devices)},
		"failing device":  {load: &common.Error{Kind: common.ErrDevice}, ends: true},
		"failure":         {load: &common.Error{Kind: common.ErrRun}, ends: true},
		"untyped error":   {load: errors.New("failed"), ends: true},
		"failing to open": {open: &common.Error{Kind: common.ErrRun}, ends: true},
	} {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			format := uniqueName(t)
			src := common.Bytes([]byte("m")).As(format)
			opened := candidates(t,
				candidate{name: format + "1", formats: []string{format}, open: c.open, load: c.load},
				candidate{name: format + "2", formats: []string{format}, load: &common.Error{Kind: common.ErrModel, Message: "wrong version"}},
			)
			_, err := common.Load(ctx, src, nil)
			kind := cmp.Or(c.open, c.load)
			if e, ok := kind.(*common.Error); ok {
				kind = e.Kind
			}
			require.ErrorIs(t, err, kind)
			if c.ends {
				require.Len(t, *opened, 1)
				require.Empty(t, log.String())
				return
			}
			require.Len(t, *opened, 2)
			require.ErrorIs(t, err, common.ErrModel, "the error of an available engine must come first")
			require.ErrorContains(t, err, format+"1: ")
			require.ErrorContains(t, err, "wrong version")
			require.Contains(t, log.String(), `level=DEBUG msg="engine passed over" engine="`+format+`1"`)

			log.Reset()
			third := register(t, &fake.Engine{Formats: []common.Format{{Name: format}}, Signatures: echo(t).Signatures})
			m, err := common.Load(ctx, src, nil)
			require.NoError(t, err)
			require.Equal(t, third.Name, m.Engine().Name)
			require.Equal(t, 2, strings.Count(log.String(), "passed over"))
			require.NoError(t, m.Close())
		})
	}
	alone := uniqueName(t)
	candidates(t, candidate{name: alone, formats: []string{alone}, load: &common.Error{Kind: common.ErrModel, Message: "alone"}})
	_, err := common.Load(ctx, common.Bytes([]byte("m")).As(alone), nil)
	require.EqualError(t, err, alone+": load: model not usable: alone", "a single error must not be shown as a list")
}

// TestLoadOwnsEngine checks that the engine which Load opened closes with its model.
func TestLoadOwnsEngine(t *testing.T) {
	e := echo(t)
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
	e.Load = func(_ *common.ModelFiles, o common.Options) error { got = o; return nil }
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
