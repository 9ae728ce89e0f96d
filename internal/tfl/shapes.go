// SPDX-License-Identifier: Apache-2.0

package tfl

import (
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// Interpreter is an interpreter of either library, set to one signature of its model. Indices of inputs and outputs are
// those of the signature.
type Interpreter interface {
	// SetSignature sets the interpreter to another signature.
	SetSignature(index int) error
	// InputShape returns the shape that an input has now.
	InputShape(input int) (common.Shape, error)
	// Resize gives an input another shape, even if the model's is fixed.
	Resize(input int, dims []int32) error
	// Allocate plans memory and prepares operators; an error is of kind. It returns the outputs' shapes, nil for a
	// shape that is known only after a run. dynamic reports whether any output gets its memory only in a run.
	Allocate(kind error) (outputs []common.Shape, dynamic bool, err error)
	Close()
}

// SetShapes completes the outputs' shapes with those of ip, and sets the signatures' shapes to shapes (Options.Shapes).
// It tries the new shapes on an interpreter that newReference makes, without delegates: see InputShapes.Validate. The
// error wraps common.ErrModel if the model cannot run, common.ErrShape or common.ErrName if shapes does not fit it.
func (m *Model) SetShapes(
	shapes map[string]common.ShapeRange, ip Interpreter, newReference func() (Interpreter, error),
) error {
	if err := m.completeOutputs(ip, len(shapes) > 0); err != nil || len(shapes) == 0 {
		return err
	}
	for name := range shapes {
		if !slices.ContainsFunc(m.Signatures, func(s Signature) bool { return s.InputIndex(name) >= 0 }) {
			return Errorf(common.ErrName, "Shapes has %q, which is not an input", name)
		}
	}
	reference, err := newReference()
	if err != nil {
		return err
	}
	defer reference.Close()
	for i := range m.Signatures {
		if err := reference.SetSignature(i); err != nil {
			return err
		}
		if err := m.Signatures[i].setShapes(shapes, reference); err != nil {
			return err
		}
	}
	return nil
}

// completeOutputs sets outputs' shapes to those of ip. It ignores that the model cannot run with the file's shapes if
// inputs get others: by Options.Shapes (replaced) or, if they are dynamic, by the program.
func (m *Model) completeOutputs(ip Interpreter, replaced bool) error {
	for i := range m.Signatures {
		s := &m.Signatures[i]
		if err := ip.SetSignature(i); err != nil {
			return err
		}
		outputs, _, err := ip.Allocate(common.ErrModel)
		if err != nil && !replaced && !dynamic(s.Inputs) {
			return err
		}
		for j := range outputs {
			if out := &s.Outputs[j]; out.DType != common.String && !out.Shape.Dynamic() {
				out.Shape = outputs[j]
			}
		}
	}
	return nil
}

// setShapes is Model.SetShapes for one signature, to which ip is set.
func (s *Signature) setShapes(shapes map[string]common.ShapeRange, ip Interpreter) error {
	resized, madeDynamic := false, false // madeDynamic: Options.Shapes makes an input dynamic
	for i := range s.Inputs {
		info := &s.Inputs[i]
		r, ok := shapes[info.Name]
		if !ok {
			continue
		}
		if !Resizable(info.Shape, r) {
			return Errorf(common.ErrShape, "Shapes has %v for input %q of %v; the rank and a fixed last dimension must stay",
				r, info.Name, info.Shape)
		}
		if err := resize(ip, i, r.Opt); err != nil {
			return err
		}
		info.Shape = r.Shape()
		resized, madeDynamic = true, madeDynamic || info.Shape.Dynamic()
	}
	if !resized {
		return nil
	}
	outputs, _, err := s.reallocate(ip)
	if err != nil {
		return err
	}
	for i, shape := range outputs {
		switch out := &s.Outputs[i].Shape; {
		case shape == nil || !dynamic(s.Inputs):
			*out = shape
		case madeDynamic: // it is unknown which dimensions follow the input's
			*out = slices.Repeat(common.Shape{-1}, len(shape))
		}
	}
	return nil
}

// reallocate allocates after a resize. It refuses shapes that leave operators with nothing to compute, which would
// crash.
func (s *Signature) reallocate(ip Interpreter) (outputs []common.Shape, dynamic bool, err error) {
	outputs, dynamic, err = ip.Allocate(common.ErrShape)
	if err != nil || dynamic {
		return outputs, dynamic, err
	}
	for i, shape := range outputs {
		if shape.Elems() < 1 {
			return nil, false, Errorf(common.ErrShape, "output %q would have the shape %v, without elements",
				s.Outputs[i].Name, shape)
		}
	}
	return outputs, false, nil
}

func resize(ip Interpreter, input int, shape common.Shape) error {
	dims := make([]int32, len(shape))
	for i, d := range shape {
		if dims[i] = int32(d); int(dims[i]) != d {
			return Errorf(common.ErrShape, "%v has dimensions beyond 32 bits", shape)
		}
	}
	return ip.Resize(input, dims)
}

func dynamic(infos []common.TensorInfo) bool { return common.Signature{Inputs: infos}.Dynamic() }

// InputShapes changes the shapes of the inputs of a session's interpreter.
type InputShapes struct {
	signature    *Signature
	interpreter  Interpreter
	newReference func() (Interpreter, error)
	reference    Interpreter    // made by the first Validate that needs it; or nil
	shapes       []common.Shape // the interpreter's; nil if Resize has not set a dynamic one yet
}

// NewInputShapes makes the InputShapes of a session that runs s, without an interpreter yet. newReference makes an
// interpreter without delegates; it is nil if the session's has none.
func NewInputShapes(s *Signature, newReference func() (Interpreter, error)) *InputShapes {
	return &InputShapes{signature: s, newReference: newReference}
}

// SetInterpreter sets the session's interpreter, which is new.
func (n *InputShapes) SetInterpreter(ip Interpreter) (err error) {
	n.interpreter, n.shapes = ip, make([]common.Shape, len(n.signature.Inputs))
	for i, info := range n.signature.Inputs {
		if info.Shape.Dynamic() { // the file's shape may be impossible: Validate must see it
			continue
		}
		if n.shapes[i], err = ip.InputShape(i); err != nil {
			return err
		}
	}
	return nil
}

// Equal reports whether the inputs have the shapes of these tensors.
func (n *InputShapes) Equal(in []*common.Tensor) bool {
	for i, t := range in {
		if !t.Is(t.DType(), n.shapes[i]) {
			return false
		}
	}
	return true
}

// Validate returns an error if these shapes are new and the model cannot take them. XNNPACK accepts any shape and
// crashes in a run, for example if a convolution has no output; TFLite's own kernels return an error.
func (n *InputShapes) Validate(in []*common.Tensor) (err error) {
	if n.newReference == nil || n.Equal(in) {
		return nil
	}
	if n.reference == nil {
		reference, err := n.newReference()
		if err != nil {
			return err
		}
		n.reference = reference
	}
	for i, t := range in {
		if err := resize(n.reference, i, t.Shape()); err != nil {
			return err
		}
	}
	_, _, err = n.signature.reallocate(n.reference)
	if !n.signature.Dynamic() { // the shapes do not change again
		n.Close()
	}
	return err
}

// Resize gives the interpreter's inputs the shapes of these tensors, and returns Allocate's results. With
// dynamicOutputs it accepts any output shapes, as dynamic outputs still have those of the last run.
func (n *InputShapes) Resize(
	in []*common.Tensor, dynamicOutputs bool,
) (outputs []common.Shape, dynamic bool, err error) {
	for i, t := range in {
		if t.Is(t.DType(), n.shapes[i]) {
			continue
		}
		shape := t.Shape()
		if err := resize(n.interpreter, i, shape); err != nil {
			return nil, false, err
		}
		n.shapes[i] = shape
	}
	if dynamicOutputs {
		return n.interpreter.Allocate(common.ErrShape)
	}
	return n.signature.reallocate(n.interpreter)
}

// Close closes the interpreter that Validate has made, not the session's.
func (n *InputShapes) Close() {
	if n.reference != nil {
		n.reference.Close()
	}
	n.reference = nil
}
