// SPDX-License-Identifier: Apache-2.0

// Package npy reads and writes NumPy's .npy files as tensors. It does not support
// strings, bfloat16, which NumPy lacks, objects, records, big-endian numbers and
// column-major order.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/anyinfer/anyinfer/common"
)

const (
	magic     = "\x93NUMPY"
	maxHeader = 1 << 16 // a sanity limit; a plain array's header has about 120 bytes
)

// descrs has NumPy's names of the types. Every system with an engine is
// little-endian, so "<" is the native order.
var descrs = map[common.DType]string{
	common.Bool: "|b1",
	common.Int8: "|i1", common.Int16: "<i2", common.Int32: "<i4", common.Int64: "<i8",
	common.Uint8: "|u1", common.Uint16: "<u2", common.Uint32: "<u4", common.Uint64: "<u8",
	common.Float16: "<f2", common.Float32: "<f4", common.Float64: "<f8",
}

// The header is the text of a Python dict with these three entries.
var (
	descrEntry   = regexp.MustCompile(`'descr':\s*'([^']*)'`)
	fortranEntry = regexp.MustCompile(`'fortran_order':\s*(True|False)`)
	shapeEntry   = regexp.MustCompile(`'shape':\s*\(([\d,\s]*)\)`)
)

// Read reads one array. It allocates no more than r delivers, even if the header has
// a larger shape.
func Read(r io.Reader) (*common.Tensor, error) {
	t, err := read(r)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	return t, nil
}

func read(r io.Reader) (*common.Tensor, error) {
	header, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	dt, shape, err := parse(header)
	if err != nil {
		return nil, err
	}
	size := shape.Elems()
	if size < 0 || size > int(^uint(0)>>1)/dt.Size() {
		return nil, fmt.Errorf("the shape %v is too large", shape)
	}
	size *= dt.Size()
	data, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err != nil {
		return nil, err
	}
	if len(data) < size {
		return nil, fmt.Errorf("%d of %d bytes of data: %w", len(data), size, io.ErrUnexpectedEOF)
	}
	if dt == common.Bool && slices.ContainsFunc(data, func(b byte) bool { return b > 1 }) {
		return nil, errors.New("a bool is neither 0 nor 1")
	}
	t, err := common.NewTensor(dt, shape...)
	if err != nil {
		return nil, err
	}
	copy(t.Bytes(), data)
	return t, nil
}

func readHeader(r io.Reader) (string, error) {
	var start [8]byte
	if _, err := io.ReadFull(r, start[:]); err != nil || string(start[:6]) != magic {
		return "", errors.New("not a .npy file")
	}
	size := make([]byte, 2)
	switch start[6] {
	case 1:
	case 2, 3:
		size = make([]byte, 4)
	default:
		return "", fmt.Errorf("version %d of the format is not supported", start[6])
	}
	if _, err := io.ReadFull(r, size); err != nil {
		return "", err
	}
	n := binary.LittleEndian.Uint32(append(size, 0, 0)[:4])
	if n > maxHeader {
		return "", fmt.Errorf("the header has %d bytes, want at most %d", n, maxHeader)
	}
	header := make([]byte, n)
	_, err := io.ReadFull(r, header)
	return string(header), err
}

func parse(header string) (common.DType, common.Shape, error) {
	descr, fortran, dims := descrEntry.FindStringSubmatch(header), fortranEntry.FindStringSubmatch(header), shapeEntry.FindStringSubmatch(header)
	if descr == nil || fortran == nil || dims == nil {
		return 0, nil, fmt.Errorf("not the header of a plain array: %.120q", header)
	}
	if fortran[1] == "True" {
		return 0, nil, errors.New("the array is in column-major (Fortran) order; save numpy.ascontiguousarray(a)")
	}
	shape := common.Shape{}
	for d := range strings.SplitSeq(dims[1], ",") {
		if d = strings.TrimSpace(d); d == "" {
			continue // (3,) and ()
		}
		n, err := strconv.Atoi(d)
		if err != nil {
			return 0, nil, fmt.Errorf("dimension %.40q is not a number", d)
		}
		shape = append(shape, n)
	}
	for dt, name := range descrs {
		// NumPy ignores the byte order of types of one byte: "<i1" is "|i1".
		if descr[1] == name || dt.Size() == 1 && descr[1] == "<"+name[1:] {
			return dt, shape, nil
		}
	}
	return 0, nil, fmt.Errorf("the element type %.40q is not supported; use bool or little-endian numbers", descr[1])
}

// Write writes t.
func Write(w io.Writer, t *common.Tensor) error {
	descr, ok := descrs[t.DType()]
	if !ok {
		return fmt.Errorf("npy: NumPy has no type for %v", t.DType())
	}
	dims := ""
	for _, d := range t.Shape() {
		dims += strconv.Itoa(d) + ", " // (3, ) is a tuple, (3) is not
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, dims)
	// In version 1.0 the header ends with a line feed, and the data starts at a multiple
	// of 64.
	const fixed = len(magic) + 4
	header += strings.Repeat(" ", 63-(fixed+len(header))%64) + "\n"
	if len(header) >= maxHeader {
		return errors.New("npy: too many dimensions")
	}
	start := binary.LittleEndian.AppendUint16([]byte(magic+"\x01\x00"), uint16(len(header)))
	if _, err := w.Write(append(start, header...)); err != nil {
		return err
	}
	_, err := w.Write(t.Bytes())
	return err
}

// ReadFile reads the array in a file.
func ReadFile(path string) (*common.Tensor, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// WriteFile writes t to a file. It replaces an existing one.
func WriteFile(path string, t *common.Tensor) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := Write(f, t); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.Close()
}
