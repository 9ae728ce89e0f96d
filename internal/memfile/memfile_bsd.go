// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package memfile

import (
	"context"
	"io"
	"os"
	"path/filepath"
)

func read(ctx context.Context, r io.Reader, size int) (*File, error) {
	return readAnonymous(ctx, r, size)
}

// link makes path a link to a file that Map has mapped. For other Files it returns
// false.
func (f *File) link(path string) bool {
	target, err := filepath.Abs(f.file.Name())
	return err == nil && os.Symlink(target, path) == nil
}

// open returns an unnamed copy on disk.
func (f *File) open() (*os.File, error) {
	file, err := os.CreateTemp("", "anyinfer-")
	if err != nil {
		return nil, err
	}
	os.Remove(file.Name())
	if _, err = file.Write(f.data); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
