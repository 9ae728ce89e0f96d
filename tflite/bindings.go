// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"context"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// bindings are an interpreter with the tensors that it runs on.
//
// Where all shapes are fixed and the signature is one of the first subgraph,
// the interpreter works in memory of the tensors. Else Run copies: an
// interpreter that was lent memory cannot be resized beyond it, there is no way
// to take the memory back, and other subgraphs cannot be lent any.
type bindings struct {
	*interpreter
	plain   *interpreter // without delegates, to prove shapes; or nil
	invoke  dylib.Prepared
	fixed   bool           // every shape is
	late    bool           // see interpreter.late
	shapes  []common.Shape // of the inputs, as the interpreter has them; nil where not given
	in, out []binding
	outputs []*common.Tensor  // what Bind was given to fill
	pins    []*runtime.Pinner // of lent memory: by the last good Bind, and by failed ones since
}

// binding says how a tensor's elements reach the interpreter: it works in the
// tensor's memory, or Run copies them to or from its own memory at addr.
type binding struct {
	tensor  *common.Tensor
	inPlace bool
	addr    uintptr
	buffer  []byte       // of strings
	shape   common.Shape // of a late output in the last Run
}

func newBindings(ip *interpreter) *bindings {
	s := &bindings{
		interpreter: ip, invoke: ip.Prepare(interpreterInvoke, dylib.Int(ip.handle)), fixed: !ip.sig.Dynamic(),
		in: make([]binding, len(ip.sig.Inputs)), out: make([]binding, len(ip.sig.Outputs)),
	}
	if ip.runner != 0 {
		s.invoke = ip.Prepare(runnerInvoke, dylib.Int(ip.runner))
	}
	for i, info := range ip.sig.Inputs {
		var shape common.Shape // a dynamic one is yet to be given, whatever the file says
		if !info.Shape.Dynamic() {
			shape = s.shape(s.input(i), nil)
		}
		s.shapes = append(s.shapes, shape)
	}
	return s
}

func (s *bindings) Bind(in, out []*common.Tensor) (err error) {
	s.outputs = out
	if err := s.prove(in); err != nil {
		return err
	}
	for i, t := range in {
		s.in[i] = binding{tensor: t, buffer: s.in[i].buffer}
		if shape := t.Shape(); !t.Is(t.DType(), s.shapes[i]) {
			if err := s.resize(i, shape); err != nil {
				return err
			}
			s.shapes[i] = shape
		}
	}
	if s.late { // outputs have the shapes of the last Run
		err = s.allocate(common.ErrShape)
	} else {
		err = s.refit()
	}
	if err != nil {
		return err
	}
	s.late = s.late || s.interpreter.late()
	for i := range out {
		if s.out[i] = (binding{}); s.late {
			continue
		}
		if out[i], err = common.EnsureTensor(out[i], s.sig.Outputs[i].DType, s.shape(s.output(i), nil)); err != nil {
			return err
		}
		s.out[i].tensor = out[i]
	}
	if s.fixed && s.runner == 0 {
		if err := s.lend(); err != nil {
			return err
		}
	}
	return s.locate()
}

// prove returns an error where the model cannot have inputs of these new
// shapes. XNNPACK takes any and crashes in Run, as where a convolution is left
// without output; TFLite's own operators tell.
func (s *bindings) prove(in []*common.Tensor) (err error) {
	same := true
	for i, t := range in {
		same = same && t.Is(t.DType(), s.shapes[i])
	}
	if same || s.xnnpack == 0 && s.external == 0 {
		return nil
	}
	if s.plain == nil {
		if s.plain, err = s.newInterpreter(s.signature, false); err != nil {
			return err
		}
	}
	for i, t := range in {
		if err := s.plain.resize(i, t.Shape()); err != nil {
			return err
		}
	}
	err = s.plain.refit()
	if s.fixed { // they do not change again
		s.plain.close()
		s.plain = nil
	}
	return err
}

// lend has the interpreter work in Go memory. It keeps its own where it must,
// as for a constant that is an output.
func (s *bindings) lend() (err error) {
	pin := new(runtime.Pinner)
	s.pins = append(s.pins, pin)
	taken := map[uintptr]bool{} // an output may be an input, or another output
	for i := range s.in {
		s.setAllocation(&s.in[i], s.Call(interpreterInputIndex, dylib.Int(s.handle), dylib.Int(s.sig.In[i])), taken, pin)
	}
	for i := range s.out {
		if !s.late && !s.persistent(s.output(i)) { // a lent variable would not be reset
			s.setAllocation(&s.out[i], s.Call(interpreterOutputIndex, dylib.Int(s.handle), dylib.Int(s.sig.Out[i])), taken, pin)
		}
	}
	if err := s.allocate(common.ErrModel); err != nil {
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

// setAllocation lends the memory of b's tensor for the interpreter's tensor of
// that index, unless there is none, another binding has lent it some, or the
// interpreter refuses.
func (s *bindings) setAllocation(b *binding, index uintptr, taken map[uintptr]bool, pin *runtime.Pinner) {
	data := b.tensor.Bytes()
	if len(data) == 0 || taken[index] {
		return
	}
	taken[index] = true
	pin.Pin(&data[0])
	allocation := &customAllocation{unsafe.Pointer(&data[0]), uintptr(cap(data))}
	// The last parameter, int64_t flags, is 0 in whatever registers or stack
	// slots it has: on 32-bit ARM it skips one to be aligned.
	r := s.Call(interpreterSetAllocation, dylib.Int(s.handle), dylib.Int(int32(index)), dylib.Ptr(allocation), dylib.Int(0), dylib.Int(0), dylib.Int(0))
	b.inPlace = int32(r) == 0
}

// locate finds the memory of what is not lent, and checks all sizes.
func (s *bindings) locate() error {
	if err := s.locateInputs(); err != nil || s.late {
		return err
	}
	for i := range s.out {
		if err := s.locateOne(&s.out[i], s.output(i)); err != nil {
			return err
		}
	}
	return nil
}

func (s *bindings) locateInputs() error {
	for i := range s.in {
		if err := s.locateOne(&s.in[i], s.input(i)); err != nil {
			return err
		}
	}
	return nil
}

func (s *bindings) locateOne(b *binding, t uintptr) error {
	if b.tensor.DType() == common.String {
		return nil
	}
	if size := s.size(t); size != uintptr(len(b.tensor.Bytes())) {
		return &common.Error{Kind: common.ErrModel, Message: fmt.Sprintf("TFLite has %d bytes for a tensor of %d", size, len(b.tensor.Bytes()))}
	}
	if b.inPlace {
		return nil
	}
	if b.addr = s.data(t); b.addr == 0 && b.tensor.Len() > 0 {
		return &common.Error{Kind: common.ErrModel, Message: "TFLite has no memory for a tensor"}
	}
	return nil
}

func (s *bindings) Run(context.Context) error {
	if s.late { // the last Run may have moved them
		if err := s.locateInputs(); err != nil {
			return err
		}
	}
	for i := range s.in {
		switch b := &s.in[i]; {
		case b.tensor.DType() == common.String:
			if err := s.writeStrings(b, s.input(i)); err != nil {
				return err
			}
		case !b.inPlace:
			dylib.CopyIn(b.addr, b.tensor.Bytes())
		}
	}
	if r := s.invoke.Do(); int32(r) != 0 {
		return status(r, s.report, common.ErrRun, "invoking the model failed")
	}
	for i := range s.out {
		b := &s.out[i]
		if s.late {
			if err := s.fetch(i); err != nil {
				return err
			}
		} else if !b.inPlace {
			dylib.CopyOut(b.tensor.Bytes(), b.addr)
		}
	}
	return nil
}

// fetch copies output i, whose shape this Run told.
func (s *bindings) fetch(i int) (err error) {
	t, b := s.output(i), &s.out[i]
	if b.shape = s.shape(t, b.shape); b.shape == nil {
		return &common.Error{Kind: common.ErrRun, Message: "TFLite tells no rank of an output"}
	}
	if b.tensor, err = common.EnsureTensor(s.outputs[i], s.sig.Outputs[i].DType, b.shape); err != nil {
		return err
	}
	s.outputs[i] = b.tensor
	if b.tensor.DType() == common.String {
		return s.readStrings(b, t)
	}
	if err := s.locateOne(b, t); err != nil {
		return err
	}
	dylib.CopyOut(b.tensor.Bytes(), b.addr)
	return nil
}

func (s *bindings) Close() error {
	s.interpreter.close()
	if s.plain != nil {
		s.plain.close()
	}
	for _, p := range s.pins {
		p.Unpin()
	}
	return nil
}
