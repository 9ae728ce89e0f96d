// SPDX-License-Identifier: Apache-2.0

// Package tfl is what the drivers of TFLite files have in common, whatever
// library runs them.
package tfl

import (
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/flatcheck"
)

// Read has the model in memory, from a file too: what the library reads are
// the very bytes that were checked.
func Read(src common.Source) ([]byte, error) {
	parts, err := src.Read()
	if err != nil {
		return nil, err
	}
	if len(parts) != 1 {
		return nil, &common.Error{Err: common.ErrModel, Text: "a TFLite model is one file"}
	}
	if err := flatcheck.Check(parts[0]); err != nil {
		return nil, err
	}
	return aligned(parts[0])
}

// aligned is b, or a copy where b does not begin where the library expects its
// flatbuffer to: constants are read in place, with vector instructions.
func aligned(b []byte) ([]byte, error) {
	if uintptr(unsafe.Pointer(unsafe.SliceData(b)))%16 == 0 {
		return b, nil
	}
	t, err := common.NewTensor(common.Uint8, len(b))
	if err != nil {
		return nil, err
	}
	copy(t.Bytes(), b)
	return t.Bytes(), nil
}
