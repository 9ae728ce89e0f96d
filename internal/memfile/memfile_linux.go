// SPDX-License-Identifier: Apache-2.0

package memfile

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// read writes r to a memory file, seals it, and maps it.
func read(ctx context.Context, r io.Reader, size int) (*File, error) {
	if file, ok := r.(*os.File); ok && sealed(file) {
		return share(file, size)
	}
	memory, err := Create("anyinfer-model")
	if err != nil { // some sandboxes forbid it
		return readAnonymous(ctx, r, size)
	}
	if err := write(ctx, memory, r, size); err != nil {
		memory.Close()
		return nil, err
	}
	f, err := mapped(memory, size)
	if err != nil {
		memory.Close()
		return nil, err
	}
	f.file = memory
	return f, nil
}

// Create returns an empty memory file that can be sealed. The name is for /proc/*/maps.
func Create(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// write fills the memory file and seals it, so that nobody can change it.
func write(ctx context.Context, memory *os.File, r io.Reader, size int) error {
	buffer := make([]byte, min(size, 256<<10))
	for remaining := size; remaining > 0; {
		b := buffer[:min(remaining, len(buffer))]
		if err := fill(ctx, r, b); err != nil {
			return err
		}
		if _, err := memory.Write(b); err != nil {
			return err
		}
		remaining -= len(b)
	}
	_, err := unix.FcntlInt(memory.Fd(), unix.F_ADD_SEALS, seals|unix.F_SEAL_SEAL)
	if err != nil {
		return fmt.Errorf("sealing a memory file: %w", err)
	}
	return nil
}

// seals keep everybody from changing a memory file.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

func sealed(file *os.File) bool {
	has, err := unix.FcntlInt(file.Fd(), unix.F_GET_SEALS, 0)
	return err == nil && has&seals == seals
}

// share maps a memory file that another process has made, from its beginning.
func share(file *os.File, size int) (*File, error) {
	if info, err := file.Stat(); err != nil || info.Size() != int64(size) {
		return nil, cmp.Or(err, errChanged)
	}
	file, err := Duplicate(file)
	if err != nil {
		return nil, err
	}
	f, err := mapped(file, size)
	if err != nil {
		file.Close()
		return nil, err
	}
	f.file = file
	// Read looks for more bytes behind these.
	_, err = file.Seek(0, io.SeekEnd)
	return f, err
}

func (f *File) open() (*os.File, error) {
	if f.file != nil {
		return Duplicate(f.file)
	}
	memory, err := Create("anyinfer-model")
	if err != nil {
		return nil, err
	}
	if err := write(context.Background(), memory, bytes.NewReader(f.data), len(f.data)); err != nil {
		memory.Close()
		return nil, err
	}
	return memory, nil
}

// link makes path a link to the read-only memory file. It returns false if that
// is not possible, because it needs /proc.
func (f *File) link(path string) bool {
	if os.Symlink(fmt.Sprintf("/proc/self/fd/%d", f.file.Fd()), path) != nil {
		return false
	}
	if _, err := os.Stat(path); err != nil {
		os.Remove(path)
		return false
	}
	return true
}
