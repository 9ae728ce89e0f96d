// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// sources loads from everywhere a model can be, and what is no model.
func (s *suite) sources(t *testing.T) {
	e := s.engine(t)
	s.each(t, func(t *testing.T, m *model) {
		m.everySource(t, e)
		if m.Name == "digits" {
			m.noSource(t, e)
		}
	}, "digits", "multi", "edges")
}

func (m *model) everySource(t *testing.T, e *common.Engine) {
	paths, data, options := m.paths(), m.bytes(t), m.options(common.Options{})
	strange := filepath.Join(t.TempDir(), "a folder, ä 模型 #%20")
	require.NoError(t, os.Mkdir(strange, 0o700))
	var renamed []string
	for i, p := range paths {
		renamed = append(renamed, filepath.Join(strange, "my model ü"+filepath.Ext(p)))
		require.NoError(t, os.WriteFile(renamed[i], data[i], 0o600))
	}
	bare := filepath.Join(t.TempDir(), "model") // without an extension
	require.NoError(t, os.WriteFile(bare, data[0], 0o600))
	dir := os.DirFS(filepath.Join(m.suite.root, "testdata"))
	sources := map[string]common.Source{
		"file":                       common.File(paths[0]),
		"files":                      common.Files(paths...),
		"bytes":                      common.Bytes(data...).As(m.format),
		"fs":                         common.FS(dir, m.Files[m.format][0]),
		"fs with all names":          common.FS(dir, m.Files[m.format]...),
		"spaces and unicode":         common.File(renamed[0]),
		"spaces and unicode, all":    common.Files(renamed...),
		"spaces and unicode in fs":   common.FS(os.DirFS(strange), filepath.Base(renamed[0])),
		"bytes that tell the format": common.Bytes(data...),
	}
	if len(paths) == 1 {
		sources["file without extension"] = common.File(bare)
		sources["file without extension, As"] = common.File(bare).As(m.format)
	}
	for name, src := range sources {
		t.Run(name, func(t *testing.T) {
			loaded := Load(t, e, src, options)
			require.Equal(t, m.format, loaded.Info().Format)
			m.run(t, loaded, 0)
		})
	}
	t.Run("common.Load", func(t *testing.T) {
		loaded, err := common.Load(ctx, m.file(), options)
		require.NoError(t, err)
		m.run(t, loaded, 0)
		require.NoError(t, loaded.Close())
	})
	t.Run("bytes that nobody holds", func(t *testing.T) {
		loaded := Load(t, e, m.memory(t), options)
		for range 5 { // give their memory to others, were it free
			runtime.GC()
			for range 50 {
				bytes.Repeat([]byte{0xa5}, len(data[0]))
			}
		}
		m.runAll(t, loaded)
	})
}

// runAll runs all cases, each with the model and with a new session, for which
// an engine may read the model anew.
func (m *model) runAll(t *testing.T, loaded *common.Model) {
	t.Helper()
	for n := range m.Cases {
		m.run(t, loaded, n)
		m.runSession(t, NewSession(t, loaded), n)
	}
}

// noSource loads what is not there or is something else.
func (m *model) noSource(t *testing.T, e *common.Engine) {
	ext, dir := filepath.Ext(m.paths()[0]), t.TempDir()
	file := func(name string, content []byte, mode os.FileMode) string {
		path := filepath.Join(dir, name+ext)
		require.NoError(t, os.WriteFile(path, content, mode))
		return path
	}
	folder := filepath.Join(dir, "folder"+ext)
	require.NoError(t, os.Mkdir(folder, 0o700))
	png := filepath.Join(m.suite.root, "testdata", "photo.png")
	photo, err := os.ReadFile(png)
	require.NoError(t, err)
	type refusal struct {
		src common.Source
		is  error
	}
	refusals := map[string]refusal{
		"missing file":     {common.File(filepath.Join(dir, "no"+ext)), fs.ErrNotExist},
		"missing folder":   {common.File(filepath.Join(dir, "no", "no"+ext)), fs.ErrNotExist},
		"no name":          {common.File(""), common.ErrModel},
		"a folder":         {common.File(folder), common.ErrModel},
		"a PNG":            {common.File(png).As(m.format), common.ErrModel},
		"a PNG so named":   {common.File(file("photo", photo, 0o600)), common.ErrModel},
		"a PNG in memory":  {common.Bytes(photo).As(m.format), common.ErrModel},
		"an empty file":    {common.File(file("empty", nil, 0o600)), common.ErrModel},
		"no bytes":         {common.Bytes([]byte{}).As(m.format), common.ErrModel},
		"no sources":       {common.Source{}, common.ErrModel},
		"not in fs":        {common.FS(os.DirFS(dir), "no"+ext), fs.ErrNotExist},
		"an unknown model": {common.Bytes([]byte("abc")).As("no such format"), common.ErrModel},
	}
	secret := file("secret", photo, 0)
	if f, err := os.Open(secret); err == nil {
		f.Close() // this user may read everything
	} else {
		refusals["an unreadable file"] = refusal{common.File(secret), fs.ErrPermission}
	}
	if data := m.bytes(t); len(data) > 1 {
		refusals["without its second file"] = refusal{common.File(file("alone", data[0], 0o600)), common.ErrModel}
		refusals["without its second bytes"] = refusal{common.Bytes(data[0]).As(m.format), common.ErrModel}
	}
	for name, c := range refusals {
		t.Run(name, func(t *testing.T) {
			_, err := e.Load(ctx, c.src, nil)
			require.ErrorIs(t, err, common.ErrModel)
			require.ErrorIs(t, err, c.is)
			var typed *common.Error
			require.ErrorAs(t, err, &typed)
			require.Equal(t, m.suite.Name, typed.Engine)
			if c.src.Name() != "" {
				require.Equal(t, c.src.Name(), typed.Path, "%v", err)
			}
		})
	}
}

// changes are what may happen to a file while what was read of it is in use.
var changes = map[string]func(path string) error{
	"overwritten": func(path string) error {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		size, err := f.Seek(0, 2)
		_, err2 := f.WriteAt(bytes.Repeat([]byte{0xa5}, int(size)), 0)
		return errors.Join(err, err2, f.Close())
	},
	"truncated": func(path string) error { return os.Truncate(path, 0) },
	"replaced": func(path string) error {
		return errors.Join(os.WriteFile(path+".new", []byte("another model"), 0o600), os.Rename(path+".new", path))
	},
	"deleted": os.Remove,
}

// files changes the files of a loaded model, and of a cache that it came from.
// The model stays what it was. It happens in a process of its own, which a file
// that is mapped and becomes shorter would end.
func (s *suite) files(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files in use cannot be changed")
	}
	alone(t, settings{}, func(t *testing.T) {
		e := s.engine(t)
		s.each(t, func(t *testing.T, m *model) {
			for what, change := range changes {
				s.run(t, what, func(t *testing.T) { m.change(t, e, writeFiles(t, t.TempDir(), m.paths(), m.bytes(t)), "", change) })
				if m.Name == "digits" {
					s.run(t, "cache "+what, func(t *testing.T) { m.change(t, e, m.paths(), filepath.Join(t.TempDir(), "cache"), change) })
				}
			}
		}, "digits", "multi", "digits_apart", "accumulator")
	})
}

// change loads the model and changes its files, or those in the cache.
func (m *model) change(t *testing.T, e *common.Engine, paths []string, cache string, change func(string) error) {
	options := m.options(common.Options{CacheDir: cache})
	if cache != "" {
		first, err := e.Load(ctx, common.File(paths[0]), options)
		if errors.Is(err, common.ErrOption) {
			t.Skip("the engine keeps nothing")
		}
		require.NoError(t, err)
		defer first.Close()
	}
	loaded := Load(t, e, common.File(paths[0]), options)
	if cache != "" {
		var err error
		paths, err = filepath.Glob(filepath.Join(cache, "*"))
		require.NoError(t, err)
		require.NotEmpty(t, paths)
	}
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			require.NoError(t, change(p))
		}
	}
	m.runAll(t, loaded)
}
