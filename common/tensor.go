// SPDX-License-Identifier: Apache-2.0

package common

import (
	"maps"
	"runtime"
	"slices"
	"unsafe"

	"github.com/anyinfer/anyinfer/internal/memlimit"
)

// TensorAlign is the alignment in bytes of the memory that NewTensor makes, and
// the number of spare bytes behind the elements. Native code reads whole vectors,
// even past the last element, so it can use such memory without a copy.
const TensorAlign = 64

// A Tensor is an n-dimensional array in row-major order, today in Go memory. Its
// type and shape never change. Its elements have no lock: the program must not
// write them while a Run reads them.
//
// A nil or zero Tensor has no type, no shape and no elements.
type Tensor struct {
	dtype DType
	shape Shape
	bytes []byte   // nil for String; len is exact, cap shows the spare bytes
	strs  []string // only for String
}

// NewTensor makes a tensor of zeros (of empty strings for String) with the given
// length of each dimension, outermost first; without any it is a scalar. Its
// memory suits every engine. The error wraps ErrDType or ErrShape.
func NewTensor(dt DType, shape ...int) (*Tensor, error) {
	n, err := checkNew(dt, shape)
	if err != nil {
		return nil, err
	}
	if dt == String {
		return &Tensor{dtype: dt, shape: append(Shape{}, shape...), strs: make([]string, n)}, nil
	}
	return newTensor(dt, shape, n*dt.Size()), nil
}

// A tensor with few bytes and dimensions is one allocation.
const (
	smallRank  = 6
	smallBytes = 256
)

type tensorWithShape struct {
	Tensor
	dims [smallRank]int
}

type smallTensor struct {
	tensorWithShape
	bytes [smallBytes + 2*TensorAlign]byte
}

// newTensor makes a tensor of size bytes of zeros, with its shape and elements in
// the same allocation if they are small.
func newTensor(dt DType, shape Shape, size int) *Tensor {
	var t *tensorWithShape
	var memory []byte
	if size <= smallBytes {
		small := new(smallTensor)
		t, memory = &small.tensorWithShape, small.bytes[:]
	} else {
		t, memory = new(tensorWithShape), make([]byte, size+2*TensorAlign)
	}
	t.dtype, t.bytes = dt, aligned(memory, size)
	t.shape = append(t.dims[:0], shape...) // append allocates if there are more than smallRank dimensions
	return &t.Tensor
}

// FromSlice makes a tensor that shares the memory of data, whose length must be
// the product of the shape. Without a shape it is a vector; Shape{}... makes a
// scalar. Engines that need aligned memory copy such a tensor in each Run of a
// Session; NewTensor avoids that. The error wraps ErrDType or ErrShape.
func FromSlice[T Elem](data []T, shape ...int) (*Tensor, error) {
	if shape == nil {
		shape = []int{len(data)}
	}
	dt := DTypeOf[T]()
	n, err := checkNew(dt, shape)
	if err != nil {
		return nil, err
	}
	if n != len(data) {
		return nil, inputError(ErrShape, "the shape %v has %d elements, but the slice has %d", Shape(shape), n, len(data))
	}
	t := &Tensor{dtype: dt, shape: append(Shape{}, shape...)}
	if s, ok := any(data).([]string); ok {
		t.strs = s
		return t, nil
	}
	size := n * dt.Size()
	t.bytes = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), size)[:size:size]
	return t, nil
}

// Data returns t's elements as a slice that shares its memory. The error wraps
// ErrDType if t is nil or its type is not T, and ErrDevice if the elements are not
// in the program's memory; no engine makes such tensors yet.
func Data[T Elem](t *Tensor) ([]T, error) {
	if t == nil {
		return nil, misuse(ErrDType, "the tensor is nil")
	}
	if dt := DTypeOf[T](); dt != t.dtype {
		return nil, misuse(ErrDType, "the tensor holds %v, not %v", t.dtype, dt)
	}
	if t.dtype == String {
		return any(t.strs).([]T), nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(t.bytes))), len(t.bytes)/t.dtype.Size()), nil
}

// Get returns Data of the tensor of that name. The error wraps ErrName if there is
// no such tensor, else it is that of Data.
func Get[T Elem](ts Tensors, name string) ([]T, error) {
	t, ok := ts[name]
	if !ok {
		names := slices.Sorted(maps.Keys(ts))
		return nil, misuse(ErrName, "there is no tensor %q; the tensors are %s", name, quoted(names, func(n string) string { return n }))
	}
	data, err := Data[T](t)
	if err != nil {
		return nil, wrap(err, "", "get", name)
	}
	return data, nil
}

// DType returns the type of the elements.
func (t *Tensor) DType() DType {
	if t == nil {
		return 0
	}
	return t.dtype
}

// Shape returns a copy of t's shape.
func (t *Tensor) Shape() Shape {
	if t == nil || t.dtype == 0 {
		return nil
	}
	s := make(Shape, len(t.shape)) // on the caller's stack, if it keeps no Shape of up to four dimensions
	copy(s, t.shape)
	return s
}

// Len returns the number of elements.
func (t *Tensor) Len() int {
	if t == nil || t.dtype == 0 {
		return 0
	}
	return t.shape.Elems()
}

// Bytes returns t's memory without copying it, in the machine's byte order. It is
// nil for String, and for elements that are not in the program's memory (see Data).
// If cap exceeds len by TensorAlign, the spare bytes belong to t.
func (t *Tensor) Bytes() []byte {
	if t == nil {
		return nil
	}
	return t.bytes
}

// Is reports whether t has this type and shape.
func (t *Tensor) Is(dt DType, shape Shape) bool {
	return t != nil && t.dtype == dt && slices.Equal(t.shape, shape)
}

// Padded reports whether t's memory is aligned to TensorAlign and followed by as
// many spare bytes, as the memory of NewTensor is.
func (t *Tensor) Padded() bool {
	if t == nil || t.bytes == nil {
		return false
	}
	return uintptr(unsafe.Pointer(unsafe.SliceData(t.bytes)))%TensorAlign == 0 && cap(t.bytes)-len(t.bytes) >= TensorAlign
}

// Clone returns a copy of t in memory of its own, aligned and padded.
func (t *Tensor) Clone() *Tensor {
	if t == nil {
		return nil
	}
	if t.bytes == nil {
		return &Tensor{dtype: t.dtype, shape: t.Shape(), strs: slices.Clone(t.strs)}
	}
	c := newTensor(t.dtype, t.shape, len(t.bytes))
	c.copyFrom(t)
	return c
}

// overlaps reports whether t and u share memory.
func (t *Tensor) overlaps(u *Tensor) bool {
	if t == nil || u == nil {
		return false
	}
	if t == u {
		return true
	}
	return overlap(t.bytes, u.bytes) || overlap(t.strs, u.strs)
}

func overlap[T any](a, b []T) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	size := unsafe.Sizeof(a[0])
	from, other := uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&b[0]))
	return from < other+uintptr(len(b))*size && other < from+uintptr(len(a))*size
}

// copyFrom copies the elements of src, which has t's type and shape.
func (t *Tensor) copyFrom(src *Tensor) {
	copy(t.bytes, src.bytes)
	copy(t.strs, src.strs)
	runtime.KeepAlive(src)
}

// aligned returns size bytes of memory that are aligned and padded; memory has
// 2*TensorAlign bytes more than that. Its elements may be accessed as another type,
// because the memory is never moved and has no pointers.
func aligned(memory []byte, size int) []byte {
	off := -int(uintptr(unsafe.Pointer(unsafe.SliceData(memory)))) & (TensorAlign - 1)
	return memory[off : off+size : off+size+TensorAlign]
}

// checkNew returns the number of elements of a new tensor, or an error if such a
// tensor is impossible.
func checkNew(dt DType, shape Shape) (int, error) {
	if !dt.Valid() {
		return 0, inputError(ErrDType, "a tensor needs one of the DType constants, not %d", uint8(dt))
	}
	if shape == nil {
		return 1, nil
	}
	n, size := shape.Elems(), dt.Size()
	if dt == String {
		size = int(unsafe.Sizeof(""))
	}
	switch {
	case n < 0:
		return 0, inputError(ErrShape, "no tensor can have the shape %v", shape)
	case n > memlimit.Bytes()/size: // make would panic or end the process
		return 0, inputError(ErrShape, "a tensor of %v with the shape %v does not fit in this machine's memory", dt, shape)
	}
	return n, nil
}
