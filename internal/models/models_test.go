// SPDX-License-Identifier: Apache-2.0

package models

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
	_ "github.com/anyinfer/anyinfer/openvino"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tflite/litert"

	"github.com/anyinfer/anyinfer/internal/pypi"
)

const wheelName = "tiny_models-1.0-py3-none-any.whl"

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// members are those of a wheel: names and texts.
var members = [][2]string{
	{"tiny/models/tiny.onnx", "model"}, {"tiny/models/other.onnx", "another"}, {"tiny/__init__.py", "dropped"},
	{"tiny_models-1.0.dist-info/LICENSE", "licence"},
	{"tiny_models-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-models\nVersion: 1.0\n"},
	{"tiny_models-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
	{"tiny_models-1.0.dist-info/RECORD", ""},
}

// serve makes a wheel with a model the only known one, and a folder with it the only place that pip searches. It returns
// the root.
func serve(t *testing.T, members ...[2]string) string {
	t.Helper()
	if out, err := exec.Command("python3", "-m", "pip", "--version").CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: %s", err, out)
		}
		t.Skip("python3 -m pip: ", err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.Create(m[0])
		require.NoError(t, err)
		_, err = f.Write([]byte(m[1]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	dir, root := t.TempDir(), filepath.Join(t.TempDir(), "models")
	require.NoError(t, os.WriteFile(filepath.Join(dir, wheelName), b.Bytes(), 0o644))
	t.Setenv("PIP_CONFIG_FILE", os.DevNull)
	t.Setenv("PIP_NO_INDEX", "1")
	t.Setenv("PIP_FIND_LINKS", dir)
	t.Setenv(EnvRoot, root)
	old := known
	t.Cleanup(func() { known = old })
	known = []entry{{"tiny", "detection", "A tiny model.", []string{"onnxruntime"},
		source{pypi.Wheel{Package: "tiny-models", Version: "1.0", File: wheelName, Size: int64(b.Len()), SHA256: digest(b.Bytes())}, "Tiny Ltd"},
		"tiny/models/tiny.onnx", 5, digest([]byte("model"))}}
	return root
}

// files returns the paths of the files below dir.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	}))
	return all
}

func TestInstall(t *testing.T) {
	root := serve(t, members...)
	_, err := Path("tiny")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "type 'anyinfer model install tiny'")
	var progress strings.Builder
	m, already, err := Install(t.Context(), "tiny", func(s string) { progress.WriteString(s + "\n") })
	require.NoError(t, err)
	require.False(t, already)
	require.Regexp(t, `(?s)^tiny: .*tiny: verifying\n.*tiny: unpacking 100 %`, progress.String())
	require.Equal(t, filepath.Join(root, "tiny", "tiny.onnx"), m.Path)
	require.Equal(t, []string{"tiny/licenses/LICENSE", "tiny/model.json", "tiny/tiny.onnx"}, files(t, root))
	require.Equal(t, "onnx", m.Format())
	text, err := os.ReadFile(filepath.Join(root, "tiny", manifest))
	require.NoError(t, err)
	read := Model{Path: m.Path}
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, m, read)
	path, err := Path("tiny")
	require.NoError(t, err)
	require.Equal(t, m.Path, path)
	list, err := List()
	require.NoError(t, err)
	require.Equal(t, []Model{m}, list)
	require.Equal(t, "PyPI package tiny-models 1.0 (0.0 MB)\n  publisher: Tiny Ltd\n  licence: Apache-2.0\n  SHA-256 of tiny.onnx: "+digest([]byte("model"))+"\n", m.Source())

	t.Setenv("PIP_FIND_LINKS", t.TempDir()) // no pip from here
	_, already, err = Install(t.Context(), "tiny", nil)
	require.NoError(t, err)
	require.True(t, already)

	require.NoError(t, os.WriteFile(m.Path, []byte("MODEL"), 0o644))
	_, err = Path("tiny")
	require.ErrorIs(t, err, fs.ErrNotExist, "a file that was changed")
	list, err = List()
	require.NoError(t, err)
	require.Empty(t, list[0].Path)
	_, _, err = Install(t.Context(), "tiny", nil)
	require.ErrorContains(t, err, "pip could not fetch the model tiny")
	require.ErrorContains(t, err, "then run\n  anyinfer model install tiny\nwith PIP_NO_INDEX=1 and PIP_FIND_LINKS=FOLDER")
	require.FileExists(t, m.Path)

	removed, err := Remove("tiny")
	require.NoError(t, err)
	require.True(t, removed)
	require.Empty(t, files(t, root))
	removed, err = Remove("tiny")
	require.NoError(t, err)
	require.False(t, removed)
	_, err = Remove("tinny")
	require.EqualError(t, err, `there is no model "tinny"; did you mean tiny?`)
}

func TestReplaceDamaged(t *testing.T) {
	root := serve(t, members...)
	require.NoError(t, os.MkdirAll(filepath.Join(root, "tiny"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "tiny", "tiny.onnx"), []byte("damaged"), 0o644))
	m, already, err := Install(t.Context(), "tiny", nil)
	require.NoError(t, err)
	require.False(t, already)
	text, err := os.ReadFile(m.Path)
	require.NoError(t, err)
	require.Equal(t, "model", string(text))
}

// TestWrong checks that nothing is left of a package that is not as it should be.
func TestWrong(t *testing.T) {
	other := slices.Clone(members)
	other[0][1] = "another model"
	root := serve(t, other...)
	_, _, err := Install(t.Context(), "tiny", nil)
	require.ErrorContains(t, err, "tiny/models/tiny.onnx in "+wheelName+" is refused: its SHA-256 is\n  "+digest([]byte("another model")))
	require.Empty(t, files(t, root))

	root = serve(t, members[1:]...)
	_, _, err = Install(t.Context(), "tiny", nil)
	require.ErrorContains(t, err, wheelName+" has no tiny/models/tiny.onnx")
	require.Empty(t, files(t, root))

	root = serve(t, members...)
	known[0].source.wheel.SHA256 = digest(nil)
	_, _, err = Install(t.Context(), "tiny", nil)
	require.ErrorContains(t, err, "DO NOT MATCH THE HASHES")
	require.Empty(t, files(t, root))

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = Install(canceled, "tiny", nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, files(t, root))

	if runtime.GOOS != "windows" {
		require.NoError(t, os.Chmod(root, 0o777))
		_, _, err = Install(t.Context(), "tiny", nil)
		require.ErrorContains(t, err, "has mode 0777")
		require.ErrorContains(t, err, "choose another folder with "+EnvRoot)
	}
}

// TestNoLicense checks that a package without a licence file does not leave a model without one.
func TestNoLicense(t *testing.T) {
	root := serve(t, slices.Delete(slices.Clone(members), 3, 4)...)
	_, _, err := Install(t.Context(), "tiny", nil)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "tiny", "licenses", "LICENSE"))
	require.NoError(t, err)
	require.Contains(t, string(text), "tiny.onnx is from the package tiny-models 1.0, whose publisher is\nTiny Ltd.\n\nLicensed under the Apache License")
}

func TestConcurrentInstalls(t *testing.T) {
	root := serve(t, members...)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			m, _, err := Install(t.Context(), "tiny", nil)
			if err != nil || m.Path != filepath.Join(root, "tiny", "tiny.onnx") {
				t.Error(m.Path, err)
			}
		})
	}
	wg.Wait()
	require.Len(t, files(t, root), 3)
}

func TestKnown(t *testing.T) {
	t.Setenv(EnvRoot, t.TempDir())
	list, err := List()
	require.NoError(t, err)
	names := map[string]bool{}
	for i, m := range list {
		require.False(t, names[m.Name], m.Name)
		names[m.Name] = true
		require.Regexp(t, regexp.MustCompile(`^[a-z-]+$`), m.Name)
		require.Regexp(t, regexp.MustCompile(`^[0-9a-f]{64}$`), m.SHA256)
		require.Contains(t, []string{"tflite", "onnx"}, m.Format())
		for _, engine := range m.Engines {
			require.Contains(t, common.Engines(), engine)
		}
		w := known[i].source.wheel
		require.Regexp(t, regexp.MustCompile(`^[0-9a-f]{64}$`), w.SHA256)
		require.True(t, strings.HasPrefix(w.File, strings.ReplaceAll(w.Package, "-", "_")+"-"+w.Version+"-"), w.File)
		require.Empty(t, m.Path)
	}
}
