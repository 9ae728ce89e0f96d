// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// open opens the engine's library from everywhere it can be.
func (s *suite) open(t *testing.T) {
	variable, dir := "ANYINFER_"+strings.ToUpper(s.Name)+"_LIBRARY", t.TempDir()
	s.run(t, "nowhere", func(t *testing.T) {
		alone(t, settings{Unopened: true}, func(t *testing.T) { s.openNowhere(t, variable, dir) })
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
	})
	s.run(t, "wrong Native", func(t *testing.T) {
		_, err := common.Open(s.Name, &common.Config{Native: struct{ other int }{}})
		require.ErrorIs(t, err, common.ErrOption)
	})
	if i.Library == "linked" {
		t.Log("the library is linked: there is nothing to search")
		return
	}
	junk := filepath.Join(dir, filepath.Base(i.Library))
	require.NoError(t, os.WriteFile(junk, []byte("no library"), 0o600))
	for name, path := range map[string]string{
		"missing file":     filepath.Join(dir, "nothing.so"),
		"missing folder":   filepath.Join(dir, "no", "thing"),
		"empty folder":     t.TempDir(),
		"folder with junk": dir,
		"junk":             junk,
		"file":             i.Library,
		"folder":           filepath.Dir(i.Library),
	} {
		good := strings.HasPrefix(i.Library, path)
		if good && !filepath.IsAbs(i.Library) {
			continue // the system loader found it and does not tell where
		}
		open := func(t *testing.T, cfg *common.Config, source string) {
			e, err := common.Open(s.Name, cfg)
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

// openNowhere opens where there is no library, as the error must say.
func (s *suite) openNowhere(t *testing.T, variable, dir string) {
	t.Setenv(variable, "")
	t.Setenv("ANYINFER_SDK_DIR", dir)
	e, err := common.Open(s.Name, nil)
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
}
