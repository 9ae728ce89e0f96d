// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"context"
	"runtime"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// session is an interpreter with the tensors that it runs on.
//
// Where all shapes are fixed and the signature is one of the first subgraph,
// the interpreter works in memory of the tensors. Else Run copies: an
// interpreter that works in memory of ours cannot be resized beyond it, there is
// no way to take the memory back, and other subgraphs cannot be given any.
type session struct {
	invoke      dylib.Prepared
	direct      bool // Run copies nothing
	fixed       bool // every shape is
	lateOutputs bool // see interpreter.lateOutputs
	lib         *dylib.Library
	interpreter *interpreter
	reference   *interpreter   // without delegates, to validate shapes; or nil
	shapes      []common.Shape // of the inputs, as the interpreter has them; nil where not given
	in, out     []binding
	outputs     []*common.Tensor  // what Bind was given to fill
	pins        []*runtime.Pinner // of tensors' memory: by the last good Bind, and by failed ones since
}

func newSession(ip *interpreter) *session {
	s := &session{
		lib: ip.lib, interpreter: ip, fixed: !ip.sig.Dynamic(),
		in: make([]binding, len(ip.sig.Inputs)), out: make([]binding, len(ip.sig.Outputs)),
	}
	if ip.runner != 0 {
		s.invoke = s.lib.Prepare(runnerInvoke, dylib.Int(ip.runner))
	} else {
		s.invoke = s.lib.Prepare(interpreterInvoke, dylib.Int(ip.handle))
	}
	for i, info := range ip.sig.Inputs {
		var shape common.Shape // nil for a dynamic one until Bind, whatever the file has
		if !info.Shape.Dynamic() {
			shape = ip.calls.shape(ip.input(i), nil)
		}
		s.shapes = append(s.shapes, shape)
	}
	return s
}

func (s *session) Bind(in, out []*common.Tensor) (err error) {
	ip := s.interpreter
	s.outputs, s.direct = out, false
	if err := s.validateShapes(in); err != nil {
		return err
	}
	for i, t := range in {
		s.in[i] = binding{tensor: t, buffer: s.in[i].buffer}
		if shape := t.Shape(); !t.Is(t.DType(), s.shapes[i]) {
			if err := ip.resize(i, shape); err != nil {
				return err
			}
			s.shapes[i] = shape
		}
	}
	if s.lateOutputs { // outputs have the shapes of the last Run
		err = ip.allocate(common.ErrShape)
	} else {
		err = ip.reallocate()
	}
	if err != nil {
		return err
	}
	s.lateOutputs = s.lateOutputs || ip.lateOutputs()
	for i := range out {
		if s.out[i] = (binding{}); s.lateOutputs {
			continue
		}
		if out[i], err = common.EnsureTensor(out[i], ip.sig.Outputs[i].DType, ip.calls.shape(ip.output(i), nil)); err != nil {
			return err
		}
		s.out[i].tensor = out[i]
	}
	if s.fixed && ip.runner == 0 {
		if err := s.bindMemory(); err != nil {
			return err
		}
	}
	if err := s.locate(); err != nil {
		return err
	}
	s.direct = s.allInPlace()
	return nil
}

// validateShapes returns an error where the model cannot have inputs of these
// new shapes. XNNPACK takes any and crashes in Run, as where a convolution is
// left without output; TFLite's own operators return an error.
func (s *session) validateShapes(in []*common.Tensor) (err error) {
	same := true
	for i, t := range in {
		same = same && t.Is(t.DType(), s.shapes[i])
	}
	if same || s.interpreter.xnnpack == 0 && s.interpreter.external == 0 {
		return nil
	}
	if s.reference == nil {
		if s.reference, err = s.interpreter.model.newInterpreter(s.interpreter.signature, false); err != nil {
			return err
		}
	}
	for i, t := range in {
		if err := s.reference.resize(i, t.Shape()); err != nil {
			return err
		}
	}
	err = s.reference.reallocate()
	if s.fixed { // they do not change again
		s.reference.close()
		s.reference = nil
	}
	return err
}

func (s *session) Run(context.Context) error {
	if !s.direct {
		if err := s.copyIn(); err != nil {
			return err
		}
	}
	if r := s.invoke.Do(); int32(r) != 0 {
		return status(r, s.interpreter.report, common.ErrRun, "invoking the model")
	}
	if !s.direct {
		return s.copyOut()
	}
	return nil
}

// Cancel makes Run stop before the next operator.
func (s *session) Cancel() {
	s.lib.Call(interpreterCancel, dylib.Int(s.interpreter.handle)) // a runner's invocation, too
}

// Reset empties variable tensors of the first subgraph, which is quick. TFLite
// offers nothing for others nor for resources, but a new interpreter.
func (s *session) Reset() error {
	ip := s.interpreter
	if file := ip.model.file; ip.runner == 0 && !file.VariablesOutsideMainSubgraph && !file.Resources {
		return status(s.lib.Call(interpreterReset, dylib.Int(ip.handle)), ip.report, common.ErrRun, "TfLiteInterpreterResetVariableTensors")
	}
	ip, err := ip.model.newInterpreter(ip.signature, true)
	if err != nil {
		return err
	}
	fresh := newSession(ip)
	fresh.lateOutputs = s.lateOutputs // package common knows which outputs are
	in := make([]*common.Tensor, len(s.in))
	for i := range s.in {
		in[i] = s.in[i].tensor
	}
	if err := fresh.Bind(in, s.outputs); err != nil {
		fresh.Close()
		return err
	}
	old := *s
	*s = *fresh
	return old.Close()
}

func (s *session) Close() error {
	s.interpreter.close()
	if s.reference != nil {
		s.reference.close()
	}
	for _, p := range s.pins {
		p.Unpin()
	}
	return nil
}
