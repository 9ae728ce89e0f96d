// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// sources loads from everywhere a model can be.
func (s *suite) sources(t *testing.T) {
	e := s.engine(t)
	for _, format := range s.Formats {
		s.run(t, format, func(t *testing.T) {
			for _, name := range []string{"digits", "multi", "edges"} {
				if m := s.model(t, name); m.Files[format] != nil {
					s.run(t, name, func(t *testing.T) { s.everySource(t, e, m, format) })
				}
			}
			s.missing(t, e, format)
		})
	}
}

func (s *suite) everySource(t *testing.T, e *common.Engine, m entry, format string) {
	paths, data, options := m.paths(s.root, format), m.bytes(t, s.root, format), s.suited(t, m, format, nil)
	strange := filepath.Join(t.TempDir(), "a folder, ä 模型 #%20")
	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, os.Mkdir(strange, 0o700))
	require.NoError(t, os.Mkdir(plain, 0o700))
	var renamed []string
	for i, p := range paths {
		renamed = append(renamed, filepath.Join(strange, "my model ü"+filepath.Ext(p)))
		require.NoError(t, os.WriteFile(renamed[i], data[i], 0o600))
	}
	bare := filepath.Join(plain, "model") // a name that tells nothing
	require.NoError(t, os.WriteFile(bare, data[0], 0o600))

	dir := os.DirFS(filepath.Join(s.root, "testdata"))
	sources := map[string]common.Source{
		"file":                       common.File(paths[0]),
		"files":                      common.Files(paths...),
		"bytes":                      common.Bytes(data...).As(format),
		"fs":                         common.FS(dir, m.Files[format][0]),
		"fs with all names":          common.FS(dir, m.Files[format]...),
		"spaces and unicode":         common.File(renamed[0]),
		"spaces and unicode, all":    common.Files(renamed...),
		"spaces and unicode in fs":   common.FS(os.DirFS(strange), filepath.Base(renamed[0])),
		"bytes that tell the format": common.Bytes(data...),
	}
	if len(paths) == 1 {
		sources["file without extension"] = common.File(bare)
		sources["file without extension, As"] = common.File(bare).As(format)
	}
	for name, src := range sources {
		s.run(t, name, func(t *testing.T) {
			loaded, err := e.Load(ctx, src, options)
			require.NoError(t, err)
			defer loaded.Close()
			require.Equal(t, format, loaded.Info().Format)
			out, err := loaded.Run(ctx, s.in(t, m, format, 0))
			require.NoError(t, err)
			m.check(t, s.want(t, m, format, 0), out)
		})
	}
	s.run(t, "bytes that nobody holds", func(t *testing.T) {
		loaded, err := e.Load(ctx, common.Bytes(m.bytes(t, s.root, format)...).As(format), options)
		require.NoError(t, err)
		defer loaded.Close()
		for range 5 { // give their memory to others, were it free
			runtime.GC()
			for range 50 {
				fillJunk(make([]byte, len(data[0])))
			}
		}
		for range 2 { // the second may read the model anew
			session := newSession(t, loaded)
			for n := range m.Cases {
				runSession(t, session, s.in(t, m, format, n))
				m.check(t, s.want(t, m, format, n), outputs(session))
			}
		}
	})
	s.run(t, "a file that is gone afterwards", func(t *testing.T) {
		var copies []string
		dir := t.TempDir()
		for i, p := range paths {
			copies = append(copies, filepath.Join(dir, "model"+filepath.Ext(p)))
			require.NoError(t, os.WriteFile(copies[i], data[i], 0o600))
		}
		loaded, err := e.Load(ctx, common.File(copies[0]), options)
		require.NoError(t, err)
		defer loaded.Close()
		if runtime.GOOS != "windows" { // files in use stay there
			require.NoError(t, os.RemoveAll(dir))
		}
		out, err := loaded.Run(ctx, s.in(t, m, format, 0))
		require.NoError(t, err)
		m.check(t, s.want(t, m, format, 0), out)
	})
	s.run(t, "common.Load", func(t *testing.T) {
		loaded, err := common.Load(ctx, common.File(paths[0]), options)
		require.NoError(t, err)
		out, err := loaded.Run(ctx, s.in(t, m, format, 0))
		require.NoError(t, err)
		m.check(t, s.want(t, m, format, 0), out)
		require.NoError(t, loaded.Close())
	})
}

func fillJunk(b []byte) {
	for i := range b {
		b[i] = 0xa5
	}
}

// missing loads what is not there or is something else.
func (s *suite) missing(t *testing.T, e *common.Engine, format string) {
	m := s.model(t, "digits")
	ext := filepath.Ext(m.Files[format][0])
	dir := t.TempDir()
	file := func(name string, content []byte, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, mode))
		return path
	}
	folder := filepath.Join(dir, "folder"+ext)
	require.NoError(t, os.Mkdir(folder, 0o700))
	photo, err := os.ReadFile(filepath.Join(s.root, "testdata", "photo.png"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		src common.Source
		is  error
	}{
		"missing file":     {common.File(filepath.Join(dir, "no"+ext)), fs.ErrNotExist},
		"missing folder":   {common.File(filepath.Join(dir, "no", "no"+ext)), fs.ErrNotExist},
		"no name":          {common.File(""), nil},
		"a folder":         {common.File(folder), nil},
		"a PNG":            {common.File(filepath.Join(s.root, "testdata", "photo.png")).As(format), nil},
		"a PNG so named":   {common.File(file("photo"+ext, photo, 0o600)), nil},
		"a PNG in memory":  {common.Bytes(photo).As(format), nil},
		"an empty file":    {common.File(file("empty"+ext, nil, 0o600)), nil},
		"no bytes":         {common.Bytes([]byte{}).As(format), nil},
		"no sources":       {common.Source{}, nil},
		"not in fs":        {common.FS(os.DirFS(dir), "no"+ext), fs.ErrNotExist},
		"an unknown model": {common.Bytes([]byte("abc")).As("no such format"), nil},
	} {
		s.run(t, name, func(t *testing.T) {
			_, err := e.Load(ctx, c.src, nil)
			require.ErrorIs(t, err, common.ErrModel)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
			var typed *common.Error
			require.ErrorAs(t, err, &typed)
			require.Equal(t, s.Name, typed.Engine)
			if c.src.Name() != "" {
				require.Equal(t, c.src.Name(), typed.Path, "%v", err)
			}
		})
	}
	s.run(t, "an unreadable file", func(t *testing.T) {
		path := file("secret"+ext, photo, 0)
		if f, err := os.Open(path); err == nil {
			f.Close()
			t.Skip("this user may read everything")
		}
		_, err := e.Load(ctx, common.File(path), nil)
		require.ErrorIs(t, err, common.ErrModel)
	})
	if len(m.Files[format]) > 1 {
		s.run(t, "without its second file", func(t *testing.T) {
			data := m.bytes(t, s.root, format)
			_, err := e.Load(ctx, common.File(file("alone"+ext, data[0], 0o600)), nil)
			require.ErrorIs(t, err, common.ErrModel)
			_, err = e.Load(ctx, common.Bytes(data[0]).As(format), nil)
			require.ErrorIs(t, err, common.ErrModel)
		})
	}
}
