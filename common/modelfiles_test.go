// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

// loadFiles loads src with an engine whose Load calls f.
func loadFiles(t *testing.T, src common.Source, o *common.Options, f func(*common.ModelFiles) error) (*common.Model, error) {
	t.Helper()
	e := register(t, &fake.Engine{
		Signatures: echo(t).Signatures,
		Load:       func(files *common.ModelFiles, _ common.Options) error { return f(files) },
	})
	return open(t, e).Load(ctx, src, o)
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func contents(files *common.ModelFiles) (all []string) {
	for _, b := range files.All() {
		all = append(all, string(b))
	}
	return all
}

// TestModelFiles checks which files a driver gets from each kind of Source.
func TestModelFiles(t *testing.T) {
	dir := t.TempDir()
	xml := write(t, filepath.Join(dir, "a b.xml"), "<net>")
	bin := write(t, filepath.Join(dir, "a b.bin"), "weights")
	proto := write(t, filepath.Join(dir, "ä.tnnproto"), "proto")
	onnx := write(t, filepath.Join(dir, "c.onnx"), "c")
	write(t, filepath.Join(dir, "c.bin"), "not c's")
	fsys := fstest.MapFS{
		"m/a.xml": {Data: []byte("<net>")}, "m/a.bin": {Data: []byte("weights")}, "m/b.xml": {Data: []byte("<net b>")},
	}
	unaligned := append(make([]byte, 0, 100), "xunaligned"...)[1:]
	for name, c := range map[string]struct {
		src    common.Source
		format string
		want   []string
	}{
		"file":            {common.File(xml), "openvino", []string{"<net>", "weights"}},
		"no weights":      {common.File(proto), "tnn", []string{"proto"}},
		"other's weights": {common.File(onnx), "onnx", []string{"c"}},
		"files":           {common.Files(proto, bin), "tnn", []string{"proto", "weights"}},
		"bytes":           {common.Bytes([]byte("<net"), nil), "openvino", []string{"<net", ""}},
		"unaligned bytes": {common.Bytes(unaligned), "", []string{"unaligned"}},
		"FS":              {common.FS(fsys, "m/a.xml"), "openvino", []string{"<net>", "weights"}},
		"FS, no weights":  {common.FS(fsys, "m/b.xml"), "openvino", []string{"<net b>"}},
		"FS, named":       {common.FS(fsys, "m/b.xml", "m/a.bin"), "openvino", []string{"<net b>", "weights"}},
		"As":              {common.File(onnx).As("custom"), "custom", []string{"c"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadFiles(t, c.src, nil, func(files *common.ModelFiles) error {
				require.Equal(t, c.format, files.Format())
				require.Equal(t, c.src.Name(), files.Name())
				require.Equal(t, c.want, contents(files))
				require.Equal(t, len(c.want), files.Len())
				require.False(t, files.Folder())
				return nil
			})
			require.NoError(t, err)
		})
	}
}

// TestFilesChangeWhileLoaded checks that changes to the files of a loaded model do
// not reach the model, even if an SDK reads them by path.
func TestFilesChangeWhileLoaded(t *testing.T) {
	for what, change := range map[string]func(t *testing.T, path string){
		"overwritten": func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteString("XXXX")
			require.NoError(t, err)
			require.NoError(t, f.Close())
		},
		"truncated": func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 0)) },
		"replaced": func(t *testing.T, path string) {
			require.NoError(t, os.Rename(write(t, path+"2", "other"), path))
		},
		"deleted": func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
	} {
		t.Run(what, func(t *testing.T) {
			path := write(t, filepath.Join(t.TempDir(), "m.tflite"), "model")
			var bytes []byte
			var links []string
			m, err := loadFiles(t, common.File(path), nil, func(files *common.ModelFiles) (err error) {
				bytes = files.Bytes(0)
				links, err = files.Link("folder/model.tflite")
				return err
			})
			require.NoError(t, err)
			change(t, path)
			require.Equal(t, "model", string(bytes))
			linked, err := os.ReadFile(links[0])
			require.NoError(t, err)
			require.Equal(t, "model", string(linked))
			info, err := os.Stat(filepath.Dir(filepath.Dir(links[0])))
			require.NoError(t, err)
			if runtime.GOOS != "windows" {
				require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
			}
			if runtime.GOOS == "linux" {
				_, err = os.OpenFile(links[0], os.O_WRONLY|os.O_TRUNC, 0)
				require.Error(t, err, "the file can be truncated")
				if f, err := os.OpenFile(links[0], os.O_WRONLY, 0); err == nil {
					_, err = f.WriteString("X")
					require.Error(t, err, "the file can be changed")
					f.Close()
				}
			}
			require.NoError(t, m.Close())
			require.NoDirExists(t, filepath.Dir(filepath.Dir(links[0])))
		})
	}
}

// TestMapFiles checks that Options.MapFiles maps the file itself, so that changes
// are visible, and is refused for other sources.
func TestMapFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files are mapped on Unix only")
	}
	path := write(t, filepath.Join(t.TempDir(), "m.tflite"), "model")
	var bytes []byte
	m, err := loadFiles(t, common.File(path), &common.Options{MapFiles: true}, func(files *common.ModelFiles) error {
		bytes = files.Bytes(0)
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("MODEL"), 0o600))
	require.Equal(t, "MODEL", string(bytes))
	require.NoError(t, m.Close())
	for _, src := range []common.Source{common.Bytes([]byte("m")), common.FS(os.DirFS(filepath.Dir(path)), "m.tflite")} {
		_, err := loadFiles(t, src, &common.Options{MapFiles: true}, func(*common.ModelFiles) error { return nil })
		require.ErrorIs(t, err, common.ErrOption)
	}
}

// TestBeside checks that a model can refer to files in its folder and to no others.
func TestBeside(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "m", "m.onnx"), "model")
	write(t, filepath.Join(dir, "m", "data", "w.bin"), "weights")
	write(t, filepath.Join(dir, "secret"), "secret")
	for name, src := range map[string]common.Source{"file": common.File(path), "FS": common.FS(os.DirFS(dir), "m/m.onnx")} {
		t.Run(name, func(t *testing.T) {
			_, err := loadFiles(t, src, nil, func(files *common.ModelFiles) error {
				require.False(t, files.RefersToOthers())
				for range 2 {
					weights, err := files.Beside("data/w.bin")
					require.NoError(t, err)
					require.Equal(t, "weights", string(weights))
				}
				require.True(t, files.RefersToOthers())
				require.Equal(t, []string{"model"}, contents(files))
				_, err := files.Beside("none")
				require.ErrorIs(t, err, fs.ErrNotExist)
				for _, outside := range []string{"../secret", filepath.ToSlash(filepath.Join(dir, "secret")), "", "data/../../secret"} {
					_, err := files.Beside(outside)
					require.ErrorIs(t, err, common.ErrModel, outside)
				}
				links, err := files.Link("renamed.onnx")
				require.NoError(t, err)
				weights, err := os.ReadFile(links[1])
				require.NoError(t, err)
				require.Equal(t, "weights", string(weights))
				require.Equal(t, links[1], filepath.Join(filepath.Dir(links[0]), "data", "w.bin"))
				return &common.Error{Kind: common.ErrModel, Message: "cannot read " + links[0]}
			})
			require.ErrorContains(t, err, "cannot read "+src.Name(), "errors must contain the user's path")
		})
	}
	_, err := loadFiles(t, common.Bytes([]byte("m")), nil, func(files *common.ModelFiles) error {
		_, err := files.Beside("w.bin")
		return err
	})
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "common.File")
}

func TestLinkFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "saved_model.pb"), "graph")
	write(t, filepath.Join(dir, "variables", "v.data"), "data")
	var root string
	m, err := loadFiles(t, common.File(dir), nil, func(files *common.ModelFiles) (err error) {
		require.True(t, files.Folder())
		require.Zero(t, files.Len())
		root, err = files.LinkFolder()
		return err
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "variables", "v.data"), nil, 0o600))
	data, err := os.ReadFile(filepath.Join(root, "variables", "v.data"))
	require.NoError(t, err)
	require.Equal(t, "data", string(data))
	require.NoError(t, m.Close())
	require.NoDirExists(t, root)
}

// TestFilesAreReleased checks that files are released when Load fails, by Release, and
// when the model closes.
func TestFilesAreReleased(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "m.tflite"), "model")
	open := func() int {
		left, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc/self/fd on this system")
		}
		return len(left)
	}
	before := open()
	_, err := loadFiles(t, common.File(path), nil, func(*common.ModelFiles) error { return &common.Error{Kind: common.ErrModel} })
	require.ErrorIs(t, err, common.ErrModel)
	require.Equal(t, before, open())
	m, err := loadFiles(t, common.File(path), nil, func(files *common.ModelFiles) error { files.Release(); return nil })
	require.NoError(t, err)
	require.Equal(t, before, open())
	require.NoError(t, m.Close())
	m, err = loadFiles(t, common.File(path), nil, func(*common.ModelFiles) error { return nil })
	require.NoError(t, err)
	require.Greater(t, open(), before)
	require.NoError(t, m.Close())
	require.Equal(t, before, open())
}

// TestCancelWhileReading checks that the end of a context ends the reading of a
// file.
func TestCancelWhileReading(t *testing.T) {
	limited, cancel := context.WithCancel(ctx)
	_, err := open(t, echo(t)).Load(limited, common.FS(cancelingFS{cancel}, "m"), nil)
	require.Equal(t, context.Canceled, err)
}

// cancelingFS is an fs.FS with a large file whose Read calls cancel.
type cancelingFS struct{ cancel func() }

func (e cancelingFS) Open(name string) (fs.File, error) {
	f, err := fstest.MapFS{name: {Data: bytes.Repeat([]byte("m"), 64<<20)}}.Open(name)
	return cancelingFile{f, e.cancel}, err
}

type cancelingFile struct {
	fs.File
	cancel func()
}

func (c cancelingFile) Read(b []byte) (int, error) {
	c.cancel()
	return c.File.Read(b)
}
