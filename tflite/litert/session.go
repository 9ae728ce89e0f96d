// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// session runs one signature on one compiled model. LiteRT works in the tensors' memory: each Run passes it buffers
// over that memory, and copies nothing unless copyOutputs is set.
type session struct {
	// Run reads these first. They share a cache line because the last Run has displaced them from the cache.
	run      dylib.Prepared
	canceled *atomic.Uint32 // the compiled model's
	direct   bool           // Run only calls run

	copyOutputs  bool // Run copies the outputs from the session's own memory; see signature.copyOutputs
	shapesStable bool // a Run since Bind has read the outputs' shapes: they change only if copyOutputs is set
	needsRebind  bool // Reset has replaced the compiled model, so the next Run calls Bind first
	lib          *dylib.Library
	compiled     *compiled
	sig          *signature
	inputShapes  *tfl.InputShapes
	layouts      dylib.Prepared
	startProfile dylib.Prepared
	profiler     uintptr // or 0
	frame        *frame
	pin          runtime.Pinner // pins frame's slices, whose addresses the prepared calls have
	in           []binding
	out          []binding        // for each entry of LiteRT's list of outputs
	inputs       []*common.Tensor // the slice that Bind was given
	outputs      []*common.Tensor // the slice that Bind was given
	dims         common.Shape     // memory for a shape, reused by each Run
}

// frame is the memory that the calls of a Run read and write.
type frame struct {
	in, out []uintptr // LiteRtTensorBuffers
	layouts []layout  // of the outputs
}

// binding is a tensor in whose memory LiteRT works: a tensor passed to Bind or, for an output that Run copies, a tensor
// that the session has made.
type binding struct {
	boundTensor *common.Tensor
	own         bool           // the session has made boundTensor
	pin         runtime.Pinner // pins boundTensor's memory
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

// attach makes c the compiled model that the session runs, and prepares the calls of a Run.
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
		for index, shape := range s.compiled.shapes { // the result's shapes may differ: see regrow
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

// resize gives the inputs the shapes of the tensors, and returns the shapes of the outputs.
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

// ensureCapacity makes LiteRT write its output at index to the session's own memory, for at least n elements. An output
// that is the same tensor as an input or an earlier output shares its memory.
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

// dtype returns the type of LiteRT's output at index.
func (s *session) dtype(index int) common.DType {
	return s.sig.file.Outputs[slices.Index(s.sig.file.Out, index)].DType
}

// bindMemory makes *handle a LiteRtTensorBuffer over t's memory. It destroys the former buffer, which LiteRT does not
// read again: the next Run passes it the new one.
func (s *session) bindMemory(b *binding, handle *uintptr, t *common.Tensor) error {
	if b.boundTensor == t {
		return nil
	}
	memory, buffer := t.Bytes(), new(uintptr)
	if len(memory) == 0 { // LiteRT refuses a buffer without an address
		memory = make([]byte, common.TensorAlign)[:0]
	}
	var pin runtime.Pinner
	pin.Pin(unsafe.SliceData(memory))
	r := s.lib.Call(bufferCreate, dylib.Ptr(newTensorType(t)), dylib.Slice(memory), dylib.Int(len(memory)), dylib.Int(0),
		dylib.Ptr(buffer))
	if err := status(r, common.ErrModel, "LiteRtCreateTensorBufferFromHostMemory"); err != nil {
		pin.Unpin()
		return err
	}
	s.releaseBuffer(b, handle)
	b.boundTensor, b.pin, *handle = t, pin, *buffer
	return nil
}

// releaseBuffer destroys the buffer that bindMemory made, and unpins its memory.
func (s *session) releaseBuffer(b *binding, handle *uintptr) {
	if *handle != 0 {
		s.lib.Call(bufferDestroy, dylib.Int(*handle))
	}
	b.pin.Unpin()
	*b, *handle = binding{}, 0
}

// dryRun returns an error if LiteRT cannot use our memory for an output. It makes a Run that is cancelled after LiteRT
// has bound the buffers, before the first operator.
func (s *session) dryRun() error {
	s.canceled.Store(1)
	err := s.runError(s.invoke())
	if e, ok := err.(*common.Error); ok && e.Kind == common.ErrModel {
		return err
	}
	return nil
}

// runError returns the error of a Run whose call returned result.
func (s *session) runError(result uintptr) error {
	err := s.compiled.fail(result, common.ErrRun, "LiteRtRunCompiledModel")
	if e, ok := err.(*common.Error); ok && strings.Contains(e.Message, "allocation_type == kTfLiteArenaRw") {
		e.Kind = common.ErrModel
		e.Message = "LiteRT cannot return the output of an operator whose result's size depends on the data"
		e.Hint = hintUseTFLite + ", or change the model so that another operator, such as a cast, makes the output"
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

// runChecked is a Run that may need more than the call.
func (s *session) runChecked() error {
	if s.needsRebind {
		if err := s.Bind(s.inputs, s.outputs); err != nil {
			return err
		}
	}
	s.clearCancel()
	return s.finishRun(s.invoke())
}

// clearCancel drops a Cancel that came too late for the last Run.
func (s *session) clearCancel() {
	if s.canceled.Load() != 0 {
		s.canceled.Store(0)
	}
}

// finishRun does the rest of a Run after the call has returned result.
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

// invoke makes the call of a Run, one at a time on devices other than the CPU.
func (s *session) invoke() uintptr {
	m := s.compiled.model
	m.lockDevice(m.hardware)
	defer m.unlockDevice(m.hardware)
	if s.profiler != 0 {
		s.startProfile.Do()
	}
	return s.run.Do()
}

// regrow repeats a failed Run, with more memory for the outputs, until none is larger than its memory.
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

// growOutputs makes more memory for the outputs that did not fit in the last Run, and reports whether there are any. It
// does nothing if the model has variables: that Run has changed them, so it must not be repeated.
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
	if grown { // aliases must follow the outputs that have moved
		for index := range s.out {
			if err := s.ensureCapacity(index, s.out[index].boundTensor.Len()); err != nil {
				return false, err
			}
		}
	}
	return grown, nil
}

// fetchOutputs reads the shapes that the outputs have after a Run, and copies each one that LiteRT did not write to the
// caller's tensor.
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
			return tfl.Errorf(common.ErrRun, "LiteRT returned output %q with the shape %v, for which its memory has %d elements",
				info.Name, shape, bound.Len())
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

// Reset puts variables back to their initial values with a new compiled model, as LiteRT has no function for that.
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
