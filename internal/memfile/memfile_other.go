// SPDX-License-Identifier: Apache-2.0

//go:build !unix && !windows

package memfile

import (
	"context"
	"errors"
	"io"
	"os"
)

// read copies r to the heap, because this system has no other memory.
func read(ctx context.Context, r io.Reader, size int) (*File, error) {
	data := make([]byte, size)
	return &File{data: data}, fill(ctx, r, data)
}

// Map returns an error on this system.
func Map(*os.File, int64) (*File, error) {
	return nil, errors.New("files of models are mapped on Unix only")
}

func (f *File) link(string) bool { return false }

func (f *File) open() (*os.File, error) {
	return nil, errors.New("files are passed to other processes on Unix only")
}
