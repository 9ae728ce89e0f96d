// SPDX-License-Identifier: Apache-2.0

package memfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// read copies r to memory outside Go's heap, and makes it read-only.
func read(ctx context.Context, r io.Reader, size int) (*File, error) {
	address, err := windows.VirtualAlloc(0, uintptr(size), windows.MEM_RESERVE|windows.MEM_COMMIT, windows.PAGE_READWRITE)
	if err != nil {
		return nil, fmt.Errorf("no memory for %d bytes: %w", size, err)
	}
	data := unsafe.Slice(*(**byte)(unsafe.Pointer(&address)), size) // this memory is not Go's, so it does not move
	f := &File{data: data, unmap: func() error { return windows.VirtualFree(address, 0, windows.MEM_RELEASE) }}
	if err := fill(ctx, r, data); err != nil {
		f.Close()
		return nil, err
	}
	var before uint32
	if err := windows.VirtualProtect(address, uintptr(size), windows.PAGE_READONLY, &before); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Map returns an error on this system.
func Map(*os.File, int64) (*File, error) {
	return nil, errors.New("files of models are mapped on Unix only")
}

func (f *File) link(string) bool { return false }

func (f *File) open() (*os.File, error) {
	return nil, errors.New("files are passed to other processes on Unix only")
}
