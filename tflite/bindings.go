// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"runtime"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// binding connects a tensor with the interpreter's tensor. Either the interpreter works in the tensor's memory
// (inPlace), or each Run copies between it and the interpreter's own memory at addr.
type binding struct {
	tensor  *common.Tensor
	inPlace bool
	addr    uintptr
	buffer  []byte       // strings in TFLite's layout, reused by each Run
	shape   common.Shape // a dynamic output's shape after the last Run, reused too
}

// bindMemory makes the interpreter work in the tensors' memory. A tensor for which the interpreter refuses that, such
// as a constant output, is copied.
func (s *session) bindMemory() error {
	pin := new(runtime.Pinner)
	s.pins = append(s.pins, pin)
	ip := s.interpreter
	bound := map[uintptr]bool{} // by TFLite's index: an output may be the same tensor as an input or another output
	for i := range s.in {
		index := s.lib.Call(interpreterInputIndex, dylib.Int(ip.handle), dylib.Int(ip.sig.In[i]))
		s.setAllocation(&s.in[i], index, bound, pin)
	}
	for i := range s.out {
		// TFLite does not reset a variable that is in our memory.
		if !s.dynamicOutputs && !ip.calls.persistent(ip.output(i)) {
			index := s.lib.Call(interpreterOutputIndex, dylib.Int(ip.handle), dylib.Int(ip.sig.Out[i]))
			s.setAllocation(&s.out[i], index, bound, pin)
		}
	}
	if err := ip.allocate(common.ErrModel); err != nil {
		return err
	}
	for _, old := range s.pins[:len(s.pins)-1] {
		old.Unpin()
	}
	s.pins = []*runtime.Pinner{pin}
	return nil
}

// customAllocation is a TfLiteCustomAllocation.
type customAllocation struct {
	data  unsafe.Pointer
	bytes uintptr
}

// setAllocation gives the interpreter's tensor at index the memory of b's tensor. It does nothing if b's tensor has no
// elements, or if an earlier binding gave the tensor at index its memory. Run copies if the interpreter refuses.
func (s *session) setAllocation(b *binding, index uintptr, bound map[uintptr]bool, pin *runtime.Pinner) {
	data := b.tensor.Bytes()
	if len(data) == 0 || bound[index] {
		return
	}
	bound[index] = true
	pin.Pin(&data[0])
	allocation := &customAllocation{unsafe.Pointer(&data[0]), uintptr(cap(data))}
	// The last parameter, int64_t flags, is 0. It takes up to three words, as 32-bit ARM skips one to align it.
	r := s.lib.Call(interpreterSetAllocation, dylib.Int(s.interpreter.handle), dylib.Int(int32(index)),
		dylib.Ptr(allocation), dylib.Int(0), dylib.Int(0), dylib.Int(0))
	b.inPlace = int32(r) == 0
}

// locateTensors finds the interpreter's memory of each tensor that Run copies, and checks that all sizes agree.
func (s *session) locateTensors() error {
	if err := s.locateInputs(); err != nil || s.dynamicOutputs {
		return err
	}
	for i := range s.out {
		if err := s.locateTensor(&s.out[i], s.interpreter.output(i)); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) locateInputs() error {
	for i := range s.in {
		if err := s.locateTensor(&s.in[i], s.interpreter.input(i)); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) locateTensor(b *binding, t uintptr) error {
	if b.tensor.DType() == common.String {
		return nil
	}
	calls := &s.interpreter.calls
	if size := calls.size(t); size != uintptr(len(b.tensor.Bytes())) {
		return tfl.Errorf(common.ErrModel, "a tensor of shape %v has %d bytes in TFLite, but needs %d",
			b.tensor.Shape(), size, len(b.tensor.Bytes()))
	}
	if b.inPlace {
		return nil
	}
	if b.addr = calls.data(t); b.addr == 0 && b.tensor.Len() > 0 {
		return tfl.Errorf(common.ErrModel, "TFLite has allocated no memory for a tensor of shape %v", b.tensor.Shape())
	}
	return nil
}

// allInPlace reports whether Run copies nothing.
func (s *session) allInPlace() bool {
	for _, all := range [][]binding{s.in, s.out} {
		for i := range all {
			if !all[i].inPlace {
				return false
			}
		}
	}
	return !s.dynamicOutputs
}

// copyIn copies the inputs that the interpreter does not read in place.
func (s *session) copyIn() error {
	if s.dynamicOutputs { // the inputs may have moved in the last Run
		if err := s.locateInputs(); err != nil {
			return err
		}
	}
	for i := range s.in {
		switch b := &s.in[i]; {
		case b.tensor.DType() == common.String:
			if err := s.writeStrings(b, s.interpreter.input(i)); err != nil {
				return err
			}
		case !b.inPlace:
			dylib.CopyIn(b.addr, b.tensor.Bytes())
		}
	}
	return nil
}

// copyOut copies the outputs that the interpreter does not write in place.
func (s *session) copyOut() error {
	for i := range s.out {
		b := &s.out[i]
		if s.dynamicOutputs {
			if err := s.copyDynamicOutput(i); err != nil {
				return err
			}
		} else if !b.inPlace {
			dylib.CopyOut(b.tensor.Bytes(), b.addr)
		}
	}
	return nil
}

// copyDynamicOutput copies output i, whose shape this Run has set.
func (s *session) copyDynamicOutput(i int) (err error) {
	ip, b := s.interpreter, &s.out[i]
	t := ip.output(i)
	if b.shape = ip.calls.shape(t, b.shape); b.shape == nil {
		return tfl.Errorf(common.ErrRun, "TFLite reports no valid rank for output %q", ip.sig.Outputs[i].Name)
	}
	if b.tensor, err = common.EnsureTensor(s.outputs[i], ip.sig.Outputs[i].DType, b.shape); err != nil {
		return err
	}
	s.outputs[i] = b.tensor
	if b.tensor.DType() == common.String {
		return s.readStrings(b, t)
	}
	if err := s.locateTensor(b, t); err != nil {
		return err
	}
	dylib.CopyOut(b.tensor.Bytes(), b.addr)
	return nil
}
