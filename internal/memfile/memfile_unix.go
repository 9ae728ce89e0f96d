// SPDX-License-Identifier: Apache-2.0

//go:build unix

package memfile

import (
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// readAnonymous copies r to anonymous memory, and makes it read-only.
func readAnonymous(ctx context.Context, r io.Reader, size int) (*File, error) {
	data, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("no memory for %d bytes: %w", size, err)
	}
	f := &File{data: data, unmap: func() error { return unix.Munmap(data) }}
	if err := fill(ctx, r, data); err != nil {
		f.Close()
		return nil, err
	}
	if err := unix.Mprotect(data, unix.PROT_READ); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Map maps the user's file instead of copying it. Writing to the file changes the
// content, and shortening it ends the process when the lost part is read. The File
// owns file and closes it.
func Map(file *os.File, size int64) (*File, error) {
	if size == 0 {
		return &File{file: file}, nil
	}
	if int64(int(size)) != size {
		return nil, fmt.Errorf("%d bytes are too many for this machine", size)
	}
	f, err := mapped(file, int(size))
	if err != nil {
		return nil, err
	}
	f.file = file
	return f, nil
}

// mapped maps a file for reading only.
func mapped(file *os.File, size int) (*File, error) {
	data, err := unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("mapping %d bytes: %w", size, err)
	}
	return &File{data: data, unmap: func() error { return unix.Munmap(data) }}, nil
}

// Duplicate returns the same open file by another descriptor.
func Duplicate(file *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), file.Name()), nil
}
