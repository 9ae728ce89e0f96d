// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

func TestFormat(t *testing.T) {
	for name, want := range map[string]string{
		"a.onnx": "onnx", "dir.x/A.ONNX": "onnx", "a.xml": "openvino", "a.tflite": "tflite", "a.pb": "tensorflow",
		"a.pdmodel": "paddle", "a.mnn": "mnn", "a.tnnproto": "tnn", "a.engine": "tensorrt", "a.plan": "tensorrt",
		"a.bin": "", "a": "", "": "",
	} {
		require.Equal(t, want, common.File(name).Format(), name)
	}
	for content, want := range map[string]string{
		"\x1c\x00\x00\x00TFL3....": "tflite", "<?xml version": "openvino", "<net name": "openvino", "ptrt....": "tensorrt",
		"ftrt....": "tensorrt", "\x08\x08\x12\x08anyinfer": "onnx", "\x08\x03:\x05": "onnx", "\x89PNG\r\n\x1a\n": "", "": "", "\x08": "",
		"TFL3": "", "\x1c\x00\x00\x00TFL": "",
	} {
		require.Equal(t, want, common.Bytes([]byte(content)).Format(), "%q", content)
		file := filepath.Join(t.TempDir(), "model")
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		require.Equal(t, want, common.File(file).Format(), "%q in a file", content)
	}
	require.Equal(t, "tnn", common.File("a.onnx").As("tnn").Format(), "As comes first")
	require.Equal(t, "tnn", common.Bytes([]byte("TFL3TFL3")).As("tnn").Format())
	require.Empty(t, common.Source{}.Format())
	require.Empty(t, common.Files().Format())
	require.Empty(t, common.Bytes().Format())
}

func TestSourceMissing(t *testing.T) {
	e := open(t, echo(t))
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.onnx")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for name, c := range map[string]struct {
		src  common.Source
		path string
		is   error
	}{
		"no file":          {common.File(filepath.Join(dir, "no.onnx")), filepath.Join(dir, "no.onnx"), fs.ErrNotExist},
		"no folder":        {common.File(filepath.Join(dir, "no", "m.onnx")), filepath.Join(dir, "no", "m.onnx"), fs.ErrNotExist},
		"no name":          {common.File(""), "", fs.ErrNotExist},
		"no second file":   {common.Files(empty+"x", empty), empty + "x", fs.ErrNotExist},
		"empty file":       {common.File(empty), empty, nil},
		"no files":         {common.Files(), "", nil},
		"nothing":          {common.Source{}, "", nil},
		"no bytes":         {common.Bytes(nil), "", nil},
		"not in FS":        {common.FS(os.DirFS(dir), "no.onnx"), "no.onnx", fs.ErrNotExist},
		"folder in FS":     {common.FS(os.DirFS(filepath.Dir(dir)), filepath.Base(dir)), filepath.Base(dir), nil},
		"bad name in FS":   {common.FS(os.DirFS(dir), "../no.onnx"), "../no.onnx", fs.ErrInvalid},
		"no names in FS":   {common.FS(os.DirFS(dir)), "", nil},
		"empty file in FS": {common.FS(os.DirFS(dir), "empty.onnx"), "empty.onnx", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, load := range []func() (*common.Model, error){
				func() (*common.Model, error) { return e.Load(context.Background(), c.src, nil) },
				func() (*common.Model, error) { return common.Load(context.Background(), c.src, nil) },
			} {
				_, err := load()
				require.ErrorIs(t, err, common.ErrModel)
				if c.is != nil {
					require.ErrorIs(t, err, c.is)
				}
				var typed *common.Error
				require.ErrorAs(t, err, &typed)
				require.Equal(t, c.path, typed.Path)
			}
		})
	}
}
