// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// session runs one signature on one compiled model, which works in memory of
// the tensors: each Run hands it the buffers anew, and nothing is copied.
type session struct {
	// These are what a Run needs, together: after the last one they are not in
	// the cache.
	run      dylib.Prepared
	canceled *atomic.Uint32 // the compiled model's
	direct   bool           // a Run is that call and nothing else

	copyOutputs  bool // the shape of an output is known only after a Run
	shapesStable bool // a Run since Bind has shown that none is
	needsRebind  bool // Reset has made another compiled model
	lib          *dylib.Library
	compiled     *compiled
	sig          *signature
	inputShapes  *tfl.InputShapes
	layouts      dylib.Prepared
	startProfile dylib.Prepared
	profiler     uintptr // or 0
	frame        *frame
	pin          runtime.Pinner // of what frame has: the calls are prepared with it
	in           []binding
	out          []binding        // at each index of LiteRT's list
	inputs       []*common.Tensor // what Bind was given
	outputs      []*common.Tensor // what Bind was given to fill
	dims         common.Shape     // kept so that Run need not allocate
}

// frame is what the calls of a Run read and write.
type frame struct {
	in, out []uintptr // LiteRtTensorBuffers
	layouts []layout  // of the outputs
}

// binding is the memory in which LiteRT works: of a tensor that Bind was given,
// or of one that the session has made, for an output whose shape is known only
// after a Run.
type binding struct {
	boundTensor *common.Tensor
	own         bool           // the session has made it
	pin         runtime.Pinner // of its memory
}

func newSession(c *compiled) (_ *session, err error) {
	sig := c.sig
	ins, outs := len(sig.file.Inputs), len(sig.aliasOf)
	s := &session{
		lib: c.lib, compiled: c, sig: sig, copyOutputs: sig.copyOutputs, in: make([]binding, ins), out: make([]binding, outs),
		frame: &frame{make([]uintptr, ins+1), make([]uintptr, outs+1), newLayouts(outs + 1)},
		dims:  make(common.Shape, 0, maxRank),
	}
	s.pin.Pin(&s.frame.in[0])
	s.pin.Pin(&s.frame.out[0])
	s.pin.Pin(&s.frame.layouts[0])
	var newReference func() (tfl.Interpreter, error)
	if m := c.model; m.hardware != cpu || m.native.Kernels == XNNPACK {
		newReference = func() (tfl.Interpreter, error) { return m.compile(sig, cpu, Builtin) }
	}
	s.inputShapes = tfl.NewInputShapes(sig.file, newReference)
	if err := s.attach(c); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// attach makes c the compiled model that the session runs, and prepares its
// calls.
func (s *session) attach(c *compiled) error {
	s.compiled, s.canceled, s.direct = c, c.canceled, false
	handle, index, ins, outs := dylib.Int(c.handle), dylib.Int(s.sig.index), dylib.Int(len(s.in)), dylib.Int(len(s.out))
	s.run = s.lib.Prepare(compiledRun, handle, index, ins, dylib.Slice(s.frame.in), outs, dylib.Slice(s.frame.out))
	s.layouts = s.lib.Prepare(compiledOutputLayouts, handle, index, outs, dylib.Slice(s.frame.layouts), dylib.Int(0))
	if err := s.inputShapes.SetInterpreter(c); err != nil {
		return err
	}
	return s.prepareProfile()
}

func (s *session) Bind(in, out []*common.Tensor) (err error) {
	s.inputs, s.outputs = in, out
	s.direct, s.needsRebind, s.shapesStable = false, false, false
	if err := s.inputShapes.Validate(in); err != nil {
		return err
	}
	shapes, err := s.resize(in)
	if err != nil {
		return err
	}
	for i, t := range in {
		if err := s.bindMemory(&s.in[i], &s.frame.in[i], t); err != nil {
			return err
		}
	}
	if s.copyOutputs {
		for index, shape := range s.compiled.shapes { // which are a guess
			if err := s.ensureCapacity(index, shape.Elems()); err != nil {
				return err
			}
		}
		return s.dryRun()
	}
	for i, shape := range shapes {
		if out[i], err = common.EnsureTensor(out[i], s.sig.file.Outputs[i].DType, shape); err != nil {
			return err
		}
		if err := s.bindMemory(&s.out[i], &s.frame.out[i], out[i]); err != nil {
			return err
		}
	}
	return nil
}

// resize gives the inputs their shapes and returns those of the outputs.
func (s *session) resize(in []*common.Tensor) (outputs []common.Shape, err error) {
	resize := func() error {
		outputs, _, err = s.inputShapes.Resize(in, s.copyOutputs)
		return err
	}
	m := s.compiled.model
	if s.inputShapes.Equal(in) && m.hardware == cpu {
		err = resize()
		return outputs, err
	}
	m.lockDevice(m.hardware)
	defer m.unlockDevice(m.hardware)
	err = m.driver.log.Capture(resize)
	return outputs, err
}

// ensureCapacity has LiteRT write what is at that index to memory of the
// session's own, for n elements at least, or where the tensor of an earlier one
// lies if it is that.
func (s *session) ensureCapacity(index, n int) error {
	b := &s.out[index]
	switch first := s.sig.aliasOf[index]; {
	case first < 0:
		return s.bindMemory(b, &s.frame.out[index], s.in[^first].boundTensor)
	case first < index:
		return s.bindMemory(b, &s.frame.out[index], s.out[first].boundTensor)
	}
	if b.own && b.boundTensor.Len() >= max(n, 1) {
		return nil
	}
	t, err := common.NewTensor(s.dtype(index), max(n, 1))
	if err != nil {
		return err
	}
	if err := s.bindMemory(b, &s.frame.out[index], t); err != nil {
		return err
	}
	b.own = true
	return nil
}

// dtype is that of what is at an index.
func (s *session) dtype(index int) common.DType {
	return s.sig.file.Outputs[slices.Index(s.sig.file.Out, index)].DType
}

// bindMemory makes *handle a LiteRtTensorBuffer over t's memory. The interpreter
// does not look at the buffer that it had before: the next Run begins with this.
func (s *session) bindMemory(b *binding, handle *uintptr, t *common.Tensor) error {
	if b.boundTensor == t {
		return nil
	}
	memory, buffer := t.Bytes(), new(uintptr)
	if len(memory) == 0 { // which LiteRT wants an address for all the same
		memory = make([]byte, common.TensorAlign)[:0]
	}
	var pin runtime.Pinner
	pin.Pin(unsafe.SliceData(memory))
	r := s.lib.Call(bufferCreate, dylib.Ptr(newTensorType(t)), dylib.Slice(memory), dylib.Int(len(memory)), dylib.Int(0), dylib.Ptr(buffer))
	if err := status(r, common.ErrModel, "LiteRtCreateTensorBufferFromHostMemory"); err != nil {
		pin.Unpin()
		return err
	}
	s.releaseBuffer(b, handle)
	b.boundTensor, b.pin, *handle = t, pin, *buffer
	return nil
}

// releaseBuffer destroys what bindMemory made.
func (s *session) releaseBuffer(b *binding, handle *uintptr) {
	if *handle != 0 {
		s.lib.Call(bufferDestroy, dylib.Int(*handle))
	}
	b.pin.Unpin()
	*b, *handle = binding{}, 0
}

// dryRun returns an error where an output cannot be given memory, in a Run that
// is cancelled before it computes.
func (s *session) dryRun() error {
	s.canceled.Store(1)
	err := s.runError(s.invoke())
	if e, ok := err.(*common.Error); ok && e.Kind == common.ErrModel {
		return err
	}
	return nil
}

// runError is the error of a Run.
func (s *session) runError(result uintptr) error {
	err := s.compiled.fail(result, common.ErrRun, "LiteRtRunCompiledModel")
	if e, ok := err.(*common.Error); ok && strings.Contains(e.Message, "allocation_type == kTfLiteArenaRw") {
		e.Kind, e.Message = common.ErrModel, "LiteRT cannot hand out what an operator computes whose result's size depends on the data"
		e.Hint = hintUseTFLite + ", or have another operator behind it make the output"
	}
	return err
}

func (s *session) Run(context.Context) error {
	if !s.direct {
		return s.runChecked()
	}
	s.clearCancel()
	if r := s.run.Do(); int32(r) != 0 {
		return s.finishRun(r)
	}
	return nil
}

// runChecked is Run where there may be more to do than the call.
func (s *session) runChecked() error {
	if s.needsRebind {
		if err := s.Bind(s.inputs, s.outputs); err != nil {
			return err
		}
	}
	s.clearCancel()
	return s.finishRun(s.invoke())
}

// clearCancel undoes a Cancel that came too late for the last Run.
func (s *session) clearCancel() {
	if s.canceled.Load() != 0 {
		s.canceled.Store(0)
	}
}

// finishRun does what is to be done after the call, which had that result.
func (s *session) finishRun(result uintptr) error {
	if err := s.regrow(result); err != nil {
		return err
	}
	if s.copyOutputs || !s.shapesStable {
		if err := s.fetchOutputs(); err != nil {
			return err
		}
	}
	s.direct = s.shapesStable && !s.copyOutputs && s.profiler == 0 && s.compiled.model.hardware == cpu
	return nil
}

// invoke is the call of a Run, in turn with others where that must be.
func (s *session) invoke() uintptr {
	m := s.compiled.model
	m.lockDevice(m.hardware)
	defer m.unlockDevice(m.hardware)
	if s.profiler != 0 {
		s.startProfile.Do()
	}
	return s.run.Do()
}

// regrow repeats a Run that has failed with that result while an output was
// larger than its memory, and there is more by now.
func (s *session) regrow(result uintptr) error {
	for int32(result) != 0 {
		err := s.runError(result)
		if grown, growErr := s.growOutputs(); !grown || growErr != nil {
			return err
		}
		result = s.invoke()
	}
	return nil
}

// growOutputs makes room where the last Run found an output larger than its
// memory. Where there are variables, that Run has changed them, and is not to be
// repeated.
func (s *session) growOutputs() (grown bool, err error) {
	if s.compiled.model.stateful || s.canceled.Load() != 0 || int32(s.layouts.Do()) != 0 {
		return false, nil
	}
	for index := range s.out {
		n := s.frame.layouts[index].shape(s.dims).Elems()
		if s.sig.aliasOf[index] != index || n <= s.out[index].boundTensor.Len() {
			continue
		}
		grown, s.copyOutputs, s.direct = true, true, false
		if err := s.ensureCapacity(index, 2*n); err != nil {
			return false, err
		}
	}
	if grown { // others may share what has moved
		for index := range s.out {
			if err := s.ensureCapacity(index, s.out[index].boundTensor.Len()); err != nil {
				return false, err
			}
		}
	}
	return grown, nil
}

// fetchOutputs asks what shapes the outputs have come out with, and copies those
// that are not where the session has them.
func (s *session) fetchOutputs() (err error) {
	if r := s.layouts.Do(); int32(r) != 0 {
		return s.compiled.fail(r, common.ErrRun, "LiteRtGetCompiledModelOutputTensorLayouts")
	}
	s.shapesStable = true
	for i, info := range s.sig.file.Outputs {
		index := s.sig.file.Out[i]
		bound := s.out[index].boundTensor
		shape := s.frame.layouts[index].shape(s.dims)
		if n := shape.Elems(); shape == nil || n < 0 || n > bound.Len() {
			return &common.Error{Kind: common.ErrRun, Message: fmt.Sprintf("output %q came back with the shape %v", info.Name, shape)}
		}
		if s.outputs[i] == bound && bound.Is(info.DType, shape) {
			continue
		}
		s.copyOutputs = true
		if s.outputs[i], err = common.EnsureTensor(s.outputs[i], info.DType, shape); err != nil {
			return err
		}
		copy(s.outputs[i].Bytes(), bound.Bytes())
	}
	return nil
}

// Cancel makes Run stop before the next operator.
func (s *session) Cancel() { s.canceled.Store(1) }

// Reset puts variables back by starting with another interpreter; LiteRT has no
// other way, and no model that needs it often.
func (s *session) Reset() error {
	m := s.compiled.model
	if !m.stateful {
		return nil
	}
	c, err := m.newCompiled(s.sig)
	if err != nil {
		return err
	}
	old := s.compiled
	if err := s.attach(c); err != nil {
		c.Close()
		return errors.Join(err, s.attach(old))
	}
	s.needsRebind = true
	old.Close()
	return nil
}

func (s *session) Close() error {
	s.compiled.Close()
	s.inputShapes.Close()
	for i := range s.in {
		s.releaseBuffer(&s.in[i], &s.frame.in[i])
	}
	for index := range s.out {
		s.releaseBuffer(&s.out[index], &s.frame.out[index])
	}
	s.pin.Unpin()
	return nil
}
