// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// changes are what may happen to a file while what was read of it is in use.
var changes = map[string]func(path string) error{
	"overwritten": func(path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		junk := make([]byte, info.Size())
		fillJunk(junk)
		_, err = f.Write(junk)
		return errors.Join(err, f.Close())
	},
	"truncated": func(path string) error { return os.Truncate(path, 0) },
	"replaced": func(path string) error {
		if err := os.WriteFile(path+".new", []byte("another model"), 0o600); err != nil {
			return err
		}
		return os.Rename(path+".new", path)
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
	s.child(t, "files:")
}

func (s *suite) filesJob(t *testing.T) {
	e := s.engine(t)
	for _, format := range s.Formats {
		for _, m := range s.models {
			if m.Files[format] == nil || m.Name != "digits" && m.Name != "multi" && m.Name != "accumulator" && m.Name != "digits_apart" ||
				s.Skip["states/"+format+"/"+m.Name] != "" {
				continue
			}
			for what, change := range changes {
				t.Run(format+" "+m.Name+" "+what, func(t *testing.T) { s.changeFiles(t, e, m, format, change) })
			}
		}
	}
	for what, change := range changes {
		t.Run("cache "+what, func(t *testing.T) { s.changeCache(t, e, change) })
	}
}

// stays checks a model whose files are others by now.
func (s *suite) stays(t *testing.T, loaded *common.Model, m entry, format string) {
	t.Helper()
	for n := range m.Cases {
		out, err := loaded.Run(ctx, s.in(t, m, format, n))
		require.NoError(t, err)
		m.check(t, s.want(t, m, format, n), out)
		session := newSession(t, loaded) // which may read the model anew
		runSession(t, session, s.in(t, m, format, n))
		m.check(t, s.want(t, m, format, n), outputs(session))
		require.NoError(t, session.Close())
	}
}

func (s *suite) changeFiles(t *testing.T, e *common.Engine, m entry, format string, change func(string) error) {
	dir := t.TempDir()
	var paths []string
	for i, data := range m.bytes(t, s.root, format) {
		paths = append(paths, filepath.Join(dir, filepath.Base(m.Files[format][i])))
		require.NoError(t, os.WriteFile(paths[i], data, 0o600))
	}
	loaded, err := e.Load(ctx, common.File(paths[0]), s.suited(t, m, format, nil))
	require.NoError(t, err)
	defer loaded.Close()
	for _, p := range paths {
		require.NoError(t, change(p))
	}
	s.stays(t, loaded, m, format)
}

func (s *suite) changeCache(t *testing.T, e *common.Engine, change func(string) error) {
	m := s.model(t, "digits")
	format := s.format(t, m)
	dir := filepath.Join(t.TempDir(), "cache")
	for i := range 2 { // written, then read
		loaded, err := e.Load(ctx, m.file(s.root, format), s.suited(t, m, format, &common.Options{CacheDir: dir}))
		if errors.Is(err, common.ErrOption) {
			t.Skip("the engine keeps nothing")
		}
		require.NoError(t, err)
		defer loaded.Close()
		if i == 0 {
			continue
		}
		cached, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.NotEmpty(t, cached)
		for _, f := range cached {
			if f.Type().IsRegular() {
				require.NoError(t, change(filepath.Join(dir, f.Name())))
			}
		}
		s.stays(t, loaded, m, format)
	}
}
