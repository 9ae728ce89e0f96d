// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"context"
	"runtime"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// session is an interpreter with the tensors that it runs on.
//
// If all shapes are fixed and the signature belongs to the first subgraph, the interpreter works in the tensors'
// memory (TfLiteInterpreterSetCustomAllocationForTensor). Otherwise Run copies: an interpreter cannot outgrow memory
// that it was given, cannot give it back, and accepts none for other subgraphs.
type session struct {
	invoke         dylib.Prepared
	direct         bool // Run copies nothing and only calls invoke
	fixedShapes    bool // no input or output has a dynamic dimension
	dynamicOutputs bool // see interpreter.Allocate
	lib            *dylib.Library
	interpreter    *interpreter
	inputShapes    *tfl.InputShapes
	in, out        []binding
	outputs        []*common.Tensor  // the slice that Bind was given
	pins           []*runtime.Pinner // of the tensors' memory: the last good Bind's, and those of failed ones since
}

func newSession(ip *interpreter) (*session, error) {
	s := &session{
		lib: ip.lib, interpreter: ip, fixedShapes: !ip.sig.Dynamic(),
		in: make([]binding, len(ip.sig.Inputs)), out: make([]binding, len(ip.sig.Outputs)),
	}
	if ip.runner != 0 {
		s.invoke = s.lib.Prepare(runnerInvoke, dylib.Int(ip.runner))
	} else {
		s.invoke = s.lib.Prepare(interpreterInvoke, dylib.Int(ip.handle))
	}
	var newReference func() (tfl.Interpreter, error)
	if ip.xnnpack != 0 || ip.external != 0 {
		newReference = func() (tfl.Interpreter, error) { return ip.model.newInterpreter(ip.signature, false) }
	}
	s.inputShapes = tfl.NewInputShapes(ip.sig, newReference)
	return s, s.inputShapes.SetInterpreter(ip)
}

func (s *session) Bind(in, out []*common.Tensor) (err error) {
	if s.needsNewInterpreter(in) {
		return s.replaceInterpreter(in, out)
	}
	ip := s.interpreter
	s.outputs, s.direct = out, false
	if err := s.inputShapes.Validate(in); err != nil {
		return err
	}
	for i, t := range in {
		s.in[i] = binding{tensor: t, buffer: s.in[i].buffer}
	}
	shapes, dynamic, err := s.inputShapes.Resize(in, s.dynamicOutputs)
	if err != nil {
		return err
	}
	s.dynamicOutputs = s.dynamicOutputs || dynamic
	for i := range out {
		if s.out[i] = (binding{}); s.dynamicOutputs {
			continue
		}
		if out[i], err = common.EnsureTensor(out[i], ip.sig.Outputs[i].DType, shapes[i]); err != nil {
			return err
		}
		s.out[i].tensor = out[i]
	}
	if s.fixedShapes && ip.runner == 0 {
		if err := s.bindMemory(); err != nil {
			return err
		}
	}
	if err := s.locateTensors(); err != nil {
		return err
	}
	s.direct = s.allInPlace()
	return nil
}

// needsNewInterpreter reports whether the shapes of these tensors need a new interpreter: in TFLite 2.17, operators of
// XNNPACK that quantize their inputs crash in a run if the inputs are resized after the first allocation.
func (s *session) needsNewInterpreter(in []*common.Tensor) bool {
	ip := s.interpreter
	return ip.xnnpack != 0 && ip.allocated && ip.model.file.DynamicQuantization && !s.inputShapes.Equal(in)
}

func (s *session) Run(context.Context) error {
	if !s.direct {
		if err := s.copyIn(); err != nil {
			return err
		}
	}
	if r := s.invoke.Do(); int32(r) != 0 {
		return status(r, s.interpreter.reporter, common.ErrRun, "invoking the model")
	}
	if !s.direct {
		return s.copyOut()
	}
	return nil
}

// Cancel makes Run stop before the next operator, also if a runner executes it.
func (s *session) Cancel() {
	s.lib.Call(interpreterCancel, dylib.Int(s.interpreter.handle))
}

// Reset puts variables back to their initial values. TFLite has a quick function for variable tensors of the first
// subgraph; other variables need a new interpreter.
func (s *session) Reset() error {
	ip := s.interpreter
	if file := ip.model.file; ip.runner == 0 && !file.VariablesOutsideMainSubgraph && !file.Resources {
		r := s.lib.Call(interpreterReset, dylib.Int(ip.handle))
		return status(r, ip.reporter, common.ErrRun, "TfLiteInterpreterResetVariableTensors")
	}
	in := make([]*common.Tensor, len(s.in))
	for i := range s.in {
		in[i] = s.in[i].tensor
	}
	return s.replaceInterpreter(in, s.outputs)
}

// replaceInterpreter binds the tensors to a new interpreter.
func (s *session) replaceInterpreter(in, out []*common.Tensor) error {
	ip, err := s.interpreter.model.newInterpreter(s.interpreter.signature, true)
	if err != nil {
		return err
	}
	fresh, err := newSession(ip)
	if err != nil {
		ip.Close()
		return err
	}
	fresh.dynamicOutputs = s.dynamicOutputs // as package common already knows which outputs are dynamic
	if err := fresh.Bind(in, out); err != nil {
		fresh.Close()
		return err
	}
	old := *s
	*s = *fresh
	return old.Close()
}

func (s *session) Close() error {
	s.interpreter.Close()
	s.inputShapes.Close()
	for _, p := range s.pins {
		p.Unpin()
	}
	return nil
}
