// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"golang.org/x/sys/unix"
)

// shared is memory that the program and a child share. The program makes it, with a size that nobody can change: if a
// child could shorten it, reading it would end the program.
type shared struct{ data []byte }

// newShared makes zeroed memory, and the file with which a child maps it.
func newShared(size int) (*shared, *os.File, error) {
	file, err := memoryFile(size)
	if err != nil {
		return nil, nil, noMemory(size, err)
	}
	m, err := mapShared(file, size)
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return m, file, nil
}

// mapShared maps the memory of a file.
func mapShared(file *os.File, size int) (*shared, error) {
	data, err := unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, noMemory(size, err)
	}
	return &shared{data}, nil
}

func noMemory(size int, err error) error {
	return &common.Error{Kind: common.ErrRun, Message: fmt.Sprintf("no shared memory of %d bytes", size), Err: err}
}

// close unmaps the memory.
func (m *shared) close() error {
	if m == nil || m.data == nil {
		return nil
	}
	data := m.data
	m.data = nil
	return unix.Munmap(data)
}

// header is the beginning of a session's control memory. The program writes the first cache line, the child the second.
type header struct {
	request atomic.Uint32 // the number of the Run that the program wants
	reset   uint32        // 1: with the variables' initial values
	_       [56]byte
	reply   atomic.Uint32 // the number of the last Run that has ended
	status  uint32        // how it ended
	needed  uint64        // how much memory the results without a place need
	_       [48]byte
}

// How a Run ended.
const (
	succeeded = iota
	failed    // the call "failure" returns the error
	tooSmall  // the results need larger memory, which the call "results" brings
)

// maxRank is the largest rank of results that have no place.
const maxRank = 32

// result describes an output in the control memory, behind the header.
type result struct {
	unplaced     uint32 // 1: the output is not in its place but in the memory of results
	rank         uint32
	offset, size uint64 // there
	dims         [maxRank]int64
}

var errRank = fmt.Errorf("an output has more than %d dimensions", maxRank)

// controlSize is the size of a session's control memory.
func controlSize(outputs int) int {
	return int(unsafe.Sizeof(header{})) + outputs*int(unsafe.Sizeof(result{}))
}

func (m *shared) header() *header { return (*header)(unsafe.Pointer(unsafe.SliceData(m.data))) }

func (m *shared) result(i int) *result {
	at := int(unsafe.Sizeof(header{})) + i*int(unsafe.Sizeof(result{}))
	return (*result)(unsafe.Pointer(&m.data[at]))
}

// place is where a tensor is in shared memory.
type place struct {
	Offset int
	Shape  common.Shape
}

// layout finds places for tensors one after the other, aligned and with spare bytes.
type layout struct{ size int }

func (l *layout) add(dt common.DType, shape common.Shape) (place, error) {
	n, size := shape.Elems(), dt.Size()
	if n < 0 || size > 0 && n > (math.MaxInt-l.size-3*common.TensorAlign)/size {
		return place{}, errors.New("tensors are larger than memory can be")
	}
	p := place{l.size, shape}
	l.size = (l.size + n*size + 2*common.TensorAlign - 1) &^ (common.TensorAlign - 1)
	return p, nil
}

// encodedSize returns the size of a tensor's elements in the memory of results. A string is there as its length, in four
// bytes, and its bytes.
func encodedSize(t *common.Tensor) int {
	size := len(t.Bytes())
	if t.DType() == common.String {
		values, _ := common.Data[string](t)
		for _, v := range values {
			size += 4 + len(v)
		}
	}
	return size
}

func encode(b []byte, t *common.Tensor) {
	if t.DType() != common.String {
		copy(b, t.Bytes())
		return
	}
	values, _ := common.Data[string](t)
	for _, v := range values {
		binary.LittleEndian.PutUint32(b, uint32(len(v)))
		b = b[4+copy(b[4:], v):]
	}
}

// decodeTensor reads a tensor's elements, which a child has encoded in b.
func decodeTensor(t *common.Tensor, b []byte) error {
	if t.DType() != common.String {
		if copy(t.Bytes(), b) != len(b) || len(b) != len(t.Bytes()) {
			return errEncoding
		}
		return nil
	}
	values, _ := common.Data[string](t)
	for i := range values {
		if len(b) < 4 {
			return errEncoding
		}
		n := binary.LittleEndian.Uint32(b)
		if b = b[4:]; uint64(n) > uint64(len(b)) {
			return errEncoding
		}
		values[i], b = string(b[:n]), b[n:]
	}
	return nil
}

var errEncoding = errors.New("a result does not have the size of its shape")
