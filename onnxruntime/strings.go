// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// writeStrings copies the strings of all inputs to ONNX Runtime's tensors.
func (s *session) writeStrings() error {
	d := s.model.driver
	for i := range s.ins {
		b := &s.ins[i]
		if b.value == 0 {
			continue
		}
		all, err := common.Data[string](b.tensor)
		if err != nil {
			return err
		}
		for j, text := range all {
			buffer, err := d.get(common.ErrRun, fnGetResizedStringTensorElementBuffer, dylib.Int(b.value), dylib.Int(j), dylib.Int(len(text)))
			if err != nil {
				return err
			}
			dylib.CopyIn(buffer, []byte(text))
		}
	}
	return nil
}

// readStrings copies the strings of ONNX Runtime's tensor to t.
func (s *session) readStrings(t *common.Tensor, value uintptr) error {
	d := s.model.driver
	all, err := common.Data[string](t)
	if err != nil || len(all) == 0 {
		return err
	}
	length, err := d.get(common.ErrRun, fnGetStringTensorDataLength, dylib.Int(value))
	if err != nil {
		return err
	}
	if int(length) < 0 {
		return fail(common.ErrRun, "a tensor of strings has %d bytes", length)
	}
	bytes, offsets := make([]byte, length), make([]uintptr, len(all)+1)
	err = d.call(common.ErrRun, fnGetStringTensorContent, dylib.Int(value), dylib.Slice(bytes), dylib.Int(len(bytes)), dylib.Slice(offsets), dylib.Int(len(all)))
	if err != nil {
		return err
	}
	offsets[len(all)] = length
	for i := range all {
		from, to := offsets[i], offsets[i+1]
		if from > to || to > length {
			return fail(common.ErrRun, "string %d lies from byte %d to %d of %d", i, from, to, length)
		}
		all[i] = string(bytes[from:to])
	}
	return nil
}
