// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// session runs a signature.
type session struct{ *bindings }

// Cancel makes Run stop before the next operator.
func (s *session) Cancel() {
	s.Call(interpreterCancel, dylib.Int(s.handle)) // a runner's invocation, too
}

// Reset empties variable tensors of the first subgraph, which is quick. TFLite
// offers nothing for others nor for resources, but a new interpreter.
func (s *session) Reset() error {
	if s.runner == 0 && !s.file.FarVariables && !s.file.Resources {
		return status(s.Call(interpreterReset, dylib.Int(s.handle)), s.report, common.ErrRun, "TfLiteInterpreterResetVariableTensors")
	}
	ip, err := s.newInterpreter(s.signature, true)
	if err != nil {
		return err
	}
	fresh := newBindings(ip)
	fresh.late = s.late // as the outputs that are bound were made for
	in := make([]*common.Tensor, len(s.in))
	for i, b := range s.in {
		in[i] = b.tensor
	}
	if err := fresh.Bind(in, s.outputs); err != nil {
		fresh.Close()
		return err
	}
	old := s.bindings
	s.bindings = fresh
	return old.Close()
}
