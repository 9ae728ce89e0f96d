// SPDX-License-Identifier: Apache-2.0

// Package memfile keeps the content of files in memory that nobody can change,
// neither this process nor whoever can write to the file it came from.
//
// On Linux the memory is a sealed memory file (memfd_create), which native
// code can open by a path, too. On other systems it is anonymous memory that is
// read-only, and a path leads to a copy on disk.
package memfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// File is the content of a file. Its memory is not part of Go's heap, unless
// it came from Of.
type File struct {
	data  []byte
	file  *os.File     // what data is mapped from, if Link can lead to it; or nil
	unmap func() error // or nil
}

// errChanged is a file that was written to while it was read.
var errChanged = errors.New("the file changed while it was being read")

// Read copies r, which ends after size bytes, until ctx ends.
func Read(ctx context.Context, r io.Reader, size int64) (*File, error) {
	if size < 0 || int64(int(size)) != size {
		return nil, fmt.Errorf("%d bytes are too many for this machine", size)
	}
	if size == 0 {
		return &File{}, end(r)
	}
	f, err := read(ctx, r, int(size))
	if err != nil {
		return nil, err
	}
	if err := end(r); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// end reports an error where r has more to read.
func end(r io.Reader) error {
	if n, _ := io.ReadFull(r, make([]byte, 1)); n > 0 {
		return errChanged
	}
	return nil
}

// fill reads the next bytes of r into b, piece by piece until ctx ends.
func fill(ctx context.Context, r io.Reader, b []byte) error {
	for len(b) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(r, b[:min(len(b), 4<<20)])
		if b = b[n:]; err == io.EOF || err == io.ErrUnexpectedEOF {
			return errChanged
		} else if err != nil {
			return err
		}
	}
	return nil
}

// Of makes a File of the caller's memory, which it does not copy.
func Of(data []byte) *File { return &File{data: data} }

// Bytes is the content, to be read only, until Close.
func (f *File) Bytes() []byte { return f.data }

// Link makes path lead to the content, until Close: as a symbolic link to the
// memory or, where that cannot be, as a copy.
func (f *File) Link(path string) error {
	if f.file != nil && f.link(path) {
		return nil
	}
	return f.Copy(path)
}

// Copy writes the content to a new file.
func (f *File) Copy(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	_, err = file.Write(f.data)
	return errors.Join(err, file.Close())
}

// Close frees the memory. What was mapped of it by other means stays.
func (f *File) Close() (err error) {
	if f.unmap != nil {
		err = f.unmap()
	}
	if f.file != nil {
		err = errors.Join(err, f.file.Close())
	}
	*f = File{}
	return err
}
