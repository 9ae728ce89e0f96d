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

func TestInvalidSource(t *testing.T) {
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
		"zero Source":      {common.Source{}, "", nil},
		"no bytes":         {common.Bytes(nil), "", nil},
		"no file in FS":    {common.FS(os.DirFS(dir), "no.onnx"), "no.onnx", fs.ErrNotExist},
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
