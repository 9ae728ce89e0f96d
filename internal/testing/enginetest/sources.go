// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// open opens the engine's library from everywhere it can be.
func (s *suite) open(t *testing.T) {
	variable, dir := "ANYINFER_"+strings.ToUpper(s.Name)+"_LIBRARY", t.TempDir()
	s.run(t, "nowhere", func(t *testing.T) {
		alone(t, settings{Unopened: true}, func(t *testing.T) {
			t.Setenv(variable, "")
			t.Setenv("ANYINFER_SDK_DIR", dir)
			e, err := openEngine(s.Name, nil)
			if err == nil {
				t.Logf("the system loader knows %s", e.Info().Library)
				require.NoError(t, e.Close())
				return
			}
			require.ErrorIs(t, err, common.ErrNotAvailable)
			for _, text := range []string{"$" + variable, dir, "system loader"} {
				require.ErrorContains(t, err, text)
			}
			require.Regexp(t, "anyinfer (sdk install|shim build) "+s.Name, err.Error())
		})
	})
	e := s.engine(t)
	i := e.Info()
	s.run(t, "info", func(t *testing.T) {
		require.Equal(t, s.Name, i.Name)
		require.NotEmpty(t, i.Version)
		require.NotEmpty(t, i.Library)
		devices, err := e.Devices(ctx)
		require.NoError(t, err)
		require.NotEmpty(t, devices)
		for _, d := range devices {
			require.NotEmpty(t, d.Name)
		}
		require.Contains(t, common.Engines(), s.Name)
		_, err = openEngine(s.Name, &common.Config{Native: struct{ other int }{}})
		require.ErrorIs(t, err, common.ErrOption)
	})
	if i.Library == "linked" {
		return
	}
	text := filepath.Join(dir, filepath.Base(i.Library))
	require.NoError(t, os.WriteFile(text, []byte("no library"), 0o600))
	for name, path := range map[string]string{
		"missing file":     filepath.Join(dir, "nothing.so"),
		"missing folder":   filepath.Join(dir, "no", "thing"),
		"empty folder":     t.TempDir(),
		"folder with text": dir,
		"text file":        text,
		"file":             i.Library,
		"folder":           filepath.Dir(i.Library),
	} {
		good := name == "file" || name == "folder"
		if good && !filepath.IsAbs(i.Library) {
			continue // the system loader found it, somewhere
		}
		open := func(t *testing.T, cfg *common.Config, source string) {
			e, err := openEngine(s.Name, cfg)
			if good {
				require.NoError(t, err)
				require.Equal(t, filepath.Dir(i.Library), filepath.Dir(e.Info().Library)) // which may have it by several names
				require.NoError(t, e.Close())
				return
			}
			require.ErrorIs(t, err, common.ErrNotAvailable)
			var typed *common.Error
			require.ErrorAs(t, err, &typed)
			require.NotEmpty(t, typed.Hint)
			require.NotEmpty(t, typed.Searched)
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, source)
		}
		s.run(t, name+" in Config", func(t *testing.T) {
			if good {
				t.Setenv(variable, filepath.Join(dir, "nothing.so")) // comes second
			}
			open(t, &common.Config{Library: path}, "Config.Library")
		})
		s.run(t, name+" in "+variable, func(t *testing.T) {
			t.Setenv(variable, path)
			open(t, nil, variable)
		})
	}
}

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
	paths, data, options := m.paths(), m.bytes(t), m.options(m.suite.oneThread())
	strange := filepath.Join(t.TempDir(), "a folder, ä 模型 #%20")
	require.NoError(t, os.Mkdir(strange, 0o700))
	var names []string
	for _, p := range paths {
		names = append(names, "my model ü"+filepath.Ext(p))
	}
	renamed := writeFiles(t, strange, names, data)
	bare := writeFiles(t, t.TempDir(), []string{"model"}, data[:1])[0] // without an extension
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
		"bytes, the format detected": common.Bytes(data...),
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
	t.Run("bytes that the caller dropped", func(t *testing.T) {
		loaded := Load(t, e, m.memory(t), options)
		for range 5 { // reuse their memory, if it was freed
			runtime.GC()
			for range 50 {
				bytes.Repeat([]byte{0xa5}, len(data[0]))
			}
		}
		m.runAll(t, loaded)
	})
}

// runAll runs all cases, each with the model and with a new session, for which an engine may read the model
// anew.
func (m *model) runAll(t *testing.T, loaded *common.Model) {
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
	refused := map[error]map[string]common.Source{
		fs.ErrNotExist: {
			"missing file":   common.File(filepath.Join(dir, "no"+ext)),
			"missing folder": common.File(filepath.Join(dir, "no", "no"+ext)),
			"not in fs":      common.FS(os.DirFS(dir), "no"+ext),
		},
		common.ErrModel: {
			"no name":          common.File(""),
			"a folder":         common.File(folder),
			"a PNG":            common.File(png).As(m.format),
			"a PNG so named":   common.File(file("photo", photo, 0o600)),
			"a PNG in memory":  common.Bytes(photo).As(m.format),
			"unreadable":       common.File(file("secret", photo, 0)), // but for root a PNG
			"an empty file":    common.File(file("empty", nil, 0o600)),
			"no bytes":         common.Bytes([]byte{}).As(m.format),
			"no sources":       {},
			"an unknown model": common.Bytes([]byte("abc")).As("no such format"),
		},
	}
	if data := m.bytes(t); len(data) > 1 {
		refused[common.ErrModel]["without its second file"] = common.File(file("alone", data[0], 0o600))
		refused[common.ErrModel]["without its second bytes"] = common.Bytes(data[0]).As(m.format)
	}
	for is, sources := range refused {
		for name, src := range sources {
			_, err := e.Load(ctx, src, nil)
			require.ErrorIs(t, err, common.ErrModel, name)
			require.ErrorIs(t, err, is, name)
			var typed *common.Error
			require.ErrorAs(t, err, &typed)
			require.Equal(t, m.suite.Name, typed.Engine, name)
			if src.Name() != "" {
				require.Equal(t, src.Name(), typed.Path, "%v", err)
			}
		}
	}
}

// changes are what may happen to a file while what was read of it is in use.
var changes = map[string]func(path string) error{
	"overwritten": func(path string) error {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		size, err2 := f.Seek(0, 2)
		_, err3 := f.WriteAt(bytes.Repeat([]byte{0xa5}, int(size)), 0)
		return errors.Join(err, err2, err3, f.Close())
	},
	"truncated": func(path string) error { return os.Truncate(path, 0) },
	"replaced": func(path string) error {
		return errors.Join(os.WriteFile(path+".new", []byte("another model"), 0o600), os.Rename(path+".new", path))
	},
	"deleted": os.Remove,
}

// files changes the files of a loaded model, and of a cache that it came from. The model stays what it was.
// It happens in a process of its own, which a file that is mapped and becomes shorter would end.
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
		}, "digits", "multi", "accumulator")
	})
}

// change loads the model and changes its files, or those in the cache.
func (m *model) change(t *testing.T, e *common.Engine, paths []string, cache string, change func(string) error) {
	o := m.suite.oneThread()
	o.CacheDir = cache
	options := m.options(o)
	if cache != "" {
		first, err := e.Load(ctx, common.File(paths[0]), options)
		if errors.Is(err, common.ErrOption) && typed(err) {
			t.Skip("the engine keeps nothing")
		}
		require.NoError(t, err)
		defer first.Close()
		m.run(t, first, 0)
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
