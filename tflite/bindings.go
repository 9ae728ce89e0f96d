// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// binding is how a tensor's elements reach the interpreter: it works in the
// tensor's memory, or Run copies them to or from its own memory at addr.
type binding struct {
	tensor  *common.Tensor
	inPlace bool
	addr    uintptr
	buffer  []byte       // of strings
	shape   common.Shape // of a late output, after the last Run
}

// bindMemory has the interpreter work in the tensors' memory. It keeps its own
// where it must, as for a constant that is an output.
func (s *session) bindMemory() error {
	pin := new(runtime.Pinner)
	s.pins = append(s.pins, pin)
	ip := s.interpreter
	bound := map[uintptr]bool{} // an output may be an input, or another output
	for i := range s.in {
		s.setAllocation(&s.in[i], s.lib.Call(interpreterInputIndex, dylib.Int(ip.handle), dylib.Int(ip.sig.In[i])), bound, pin)
	}
	for i := range s.out {
		if !s.dynamicOutputs && !ip.calls.persistent(ip.output(i)) { // a reset would not empty a variable in our memory
			s.setAllocation(&s.out[i], s.lib.Call(interpreterOutputIndex, dylib.Int(ip.handle), dylib.Int(ip.sig.Out[i])), bound, pin)
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

// setAllocation gives the interpreter's tensor of that index the memory of b's
// tensor, unless that has none, another binding was first, or the interpreter
// refuses.
func (s *session) setAllocation(b *binding, index uintptr, bound map[uintptr]bool, pin *runtime.Pinner) {
	data := b.tensor.Bytes()
	if len(data) == 0 || bound[index] {
		return
	}
	bound[index] = true
	pin.Pin(&data[0])
	allocation := &customAllocation{unsafe.Pointer(&data[0]), uintptr(cap(data))}
	// The last parameter, int64_t flags, is 0 in whatever registers or stack
	// slots it has: on 32-bit ARM it skips one to be aligned.
	r := s.lib.Call(interpreterSetAllocation, dylib.Int(s.interpreter.handle), dylib.Int(int32(index)), dylib.Ptr(allocation), dylib.Int(0), dylib.Int(0), dylib.Int(0))
	b.inPlace = int32(r) == 0
}

// locate finds the memory of what Run copies, and checks all sizes.
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
		return &common.Error{Kind: common.ErrModel, Message: fmt.Sprintf("TFLite has %d bytes for a tensor of %d", size, len(b.tensor.Bytes()))}
	}
	if b.inPlace {
		return nil
	}
	if b.addr = calls.data(t); b.addr == 0 && b.tensor.Len() > 0 {
		return &common.Error{Kind: common.ErrModel, Message: "TFLite has no memory for a tensor"}
	}
	return nil
}

// allInPlace errorReporters whether Run has nothing to copy.
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
	if s.dynamicOutputs { // the last Run may have moved the inputs
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

// copyDynamicOutput copies output i, whose shape is known since this Run.
func (s *session) copyDynamicOutput(i int) (err error) {
	ip, b := s.interpreter, &s.out[i]
	t := ip.output(i)
	if b.shape = ip.calls.shape(t, b.shape); b.shape == nil {
		return &common.Error{Kind: common.ErrRun, Message: "TFLite has no rank for an output"}
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
