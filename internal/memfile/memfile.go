// SPDX-License-Identifier: Apache-2.0

// Package memfile has the content of files in memory that nobody can change:
// neither this process nor somebody who can write to the original file.
//
// On Linux the memory is a sealed memory file (memfd_create), which native code
// can also open by a path. On other systems it is read-only anonymous memory, and
// native code that needs a path gets a copy on disk.
package memfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// File is the content of a file. Its memory is not part of Go's heap, unless Of
// made it.
type File struct {
	data  []byte
	file  *os.File     // the file that data maps, if Link can refer to it; or nil
	unmap func() error // or nil
}

// errChanged is the error of a file that was written to while it was read.
var errChanged = errors.New("the file changed while it was being read")

// Read copies r, which must end after size bytes. It stops when ctx ends. If r is a
// sealed memory file (*os.File), it is mapped and not copied; r stays open.
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

// end returns an error if r has more to read.
func end(r io.Reader) error {
	if n, _ := io.ReadFull(r, make([]byte, 1)); n > 0 {
		return errChanged
	}
	return nil
}

// fill reads the next bytes of r into b, in pieces, so that it can stop when ctx
// ends.
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

// Bytes returns the content. It must not be written to, and is valid until Close.
func (f *File) Bytes() []byte { return f.data }

// Link makes path a symbolic link to the memory, or, if that is not possible, a
// copy. The link is valid until Close.
func (f *File) Link(path string) error {
	if f.file != nil && f.link(path) {
		return nil
	}
	return f.Copy(path)
}

// Open returns a file with the content for another process, to which it can be
// passed: the memory file, or a copy in a new one. The caller closes it.
func (f *File) Open() (*os.File, error) { return f.open() }

// Copy writes the content to a new file.
func (f *File) Copy(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	_, err = file.Write(f.data)
	return errors.Join(err, file.Close())
}

// Close frees the memory. Other mappings of the memory file stay valid.
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
