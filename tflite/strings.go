// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"encoding/binary"
	"math"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// TFLite's layout of a tensor of strings is documented in string_util.h. It begins with int32 numbers in the machine's
// byte order: the number of strings, the offset of each string, and the offset at which the last one ends. The strings'
// bytes follow.

// writeStrings copies b's tensor to the interpreter's tensor t.
func (s *session) writeStrings(b *binding, t uintptr) error {
	all, err := common.Data[string](b.tensor)
	if err != nil {
		return err
	}
	if b.buffer, err = packStrings(b.buffer[:0], all); err != nil {
		return err
	}
	s.lib.Call(tensorRealloc, dylib.Int(len(b.buffer)), dylib.Int(t)) // older releases return no status
	addr := s.interpreter.calls.data(t)
	if addr == 0 || s.interpreter.calls.size(t) != uintptr(len(b.buffer)) {
		return tfl.Errorf(common.ErrRun, "TFLite cannot allocate %d bytes for strings", len(b.buffer))
	}
	dylib.CopyIn(addr, b.buffer)
	return nil
}

// readStrings copies the interpreter's tensor t to b's.
func (s *session) readStrings(b *binding, t uintptr) error {
	all, err := common.Data[string](b.tensor)
	if err != nil {
		return err
	}
	addr, size := s.interpreter.calls.data(t), s.interpreter.calls.size(t)
	if addr == 0 || size > math.MaxInt32 {
		size = 0
	}
	if uintptr(cap(b.buffer)) < size {
		b.buffer = make([]byte, size)
	}
	b.buffer = b.buffer[:size]
	dylib.CopyOut(b.buffer, addr)
	return unpackStrings(all, b.buffer)
}

// packStrings appends all strings in TFLite's layout to buffer, which must be empty.
func packStrings(buffer []byte, all []string) ([]byte, error) {
	at := 4 * (len(all) + 2)
	buffer = binary.NativeEndian.AppendUint32(buffer, uint32(len(all)))
	buffer = binary.NativeEndian.AppendUint32(buffer, uint32(at))
	for _, s := range all {
		if at += len(s); at > math.MaxInt32 {
			return buffer, tfl.Errorf(common.ErrInput,
				"a tensor of strings has more than 2 GiB, which TFLite's layout cannot hold")
		}
		buffer = binary.NativeEndian.AppendUint32(buffer, uint32(at))
	}
	for _, s := range all {
		buffer = append(buffer, s...)
	}
	return buffer, nil
}

// unpackStrings fills all, which has one string per element of the tensor, from TFLite's layout.
func unpackStrings(all []string, buffer []byte) error {
	if len(all) == 0 {
		return nil
	}
	at := func(i int) int { return int(int32(binary.NativeEndian.Uint32(buffer[4*i:]))) }
	if len(buffer) < 4*(len(all)+2) || at(0) != len(all) {
		return tfl.Errorf(common.ErrRun, "TFLite's tensor of %d bytes does not hold %d strings", len(buffer), len(all))
	}
	for i := range all {
		from, to := at(i+1), at(i+2)
		if from < 4*(len(all)+2) || to < from || to > len(buffer) {
			return tfl.Errorf(common.ErrRun, "string %d of TFLite's tensor lies from byte %d to %d of %d",
				i, from, to, len(buffer))
		}
		all[i] = string(buffer[from:to])
	}
	return nil
}
