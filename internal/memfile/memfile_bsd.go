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
