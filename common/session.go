// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"runtime"
	"slices"
)

// Session runs a model with tensors that stay bound from Run to Run: write
// into Data of Input(i), Run, read Data of Output(i). One goroutine at a time
// may use it; a second one gets ErrInUse.
type Session struct {
	*session
	owner *Model // is not collected before the Session
}

// session is the resource behind a Session, or one of a model's pool. It makes
// the calls of its driver in the order that DriverSession documents.
type session struct {
	lifetime
	model     *model
	driver    DriverSession
	execution *execution
	resetter  Resetter // the driver, if it can reset variables; or nil
	signature Signature
	in, out   []*Tensor
	bound     bool // the driver's last Bind was a success
	changed   bool // in is not what was bound
	ran       bool // variables may not have their initial values
	resetNext bool // the next Run is to begin with Reset
	finish    bool // outputs need finishing after each Run
}

func (m *model) newSession(signature int) (*session, error) {
	d, err := m.driver.NewSession(signature)
	if err != nil {
		return nil, err
	}
	sig := m.signatures[signature]
	s := &session{
		model: m, driver: d, execution: newExecution(d), signature: sig,
		in: make([]*Tensor, len(sig.Inputs)), out: make([]*Tensor, len(sig.Outputs)),
	}
	s.resetter, _ = d.(Resetter)
	if s.execution.canceler != nil {
		s.cancel = s.execution.cancel
	}
	s.release = func() error { s.execution.close(); return d.Close() }
	for _, info := range sig.Outputs {
		s.finish = s.finish || info.DType == Bool || info.Shape.Dynamic()
	}
	if err := s.makeInputs(); err != nil {
		d.Close()
		return nil, err
	}
	m.addChild(&s.lifetime)
	s.track("sessions")
	return s, nil
}

// makeInputs gives each input whose shape is known a tensor; where that is
// all of them, the first Run need not bind.
func (s *session) makeInputs() (err error) {
	for i, info := range s.signature.Inputs {
		shape := info.Shape
		if r, ok := s.model.options.Shapes[info.Name]; ok {
			shape = r.Opt
		}
		if shape.Dynamic() {
			continue
		}
		if s.in[i], err = NewTensor(info.DType, shape...); err != nil {
			return err
		}
	}
	if slices.Contains(s.in, nil) {
		return nil
	}
	return s.bind()
}

// bind hands the inputs to the driver, which answers with outputs.
func (s *session) bind() error {
	for i, t := range s.in {
		if t == nil {
			info := s.signature.Inputs[i]
			return inputError(ErrShape, "input %q has the dynamic shape %v and no tensor yet; bind one", info.Name, info.Shape)
		}
		for j, o := range s.out { // an output that was bound as an input stays what it is
			if t.overlaps(o) {
				s.out[j] = nil
			}
		}
	}
	s.bound = false
	if err := s.driver.Bind(s.in, s.out); err != nil {
		return err
	}
	s.bound, s.changed = true, false
	return nil
}

// Signature is the signature that the session runs.
func (s *Session) Signature() Signature {
	if s.isZero() {
		return Signature{}
	}
	return s.signature.clone()
}

func (s *Session) isZero() bool { return s == nil || s.session == nil }

// Input is the tensor bound to input i: write the data there. It is nil where
// the shape is dynamic and no tensor was bound yet, and for an i that is not
// an input.
func (s *Session) Input(i int) *Tensor {
	if s.isZero() {
		return nil
	}
	return at(s.in, i)
}

// Output is the tensor that output i was written to. It is valid until the
// next Run, which may write to it or take another; it never dangles. It may be
// bound as an input: the next Run then reads it and writes to another tensor.
// It is nil before the first Run where the shape is dynamic, and for an i that
// is not an output.
func (s *Session) Output(i int) *Tensor {
	if s.isZero() {
		return nil
	}
	return at(s.out, i)
}

func at(ts []*Tensor, i int) *Tensor {
	if i < 0 || i >= len(ts) {
		return nil
	}
	return ts[i]
}

// BindInput makes t the tensor of input i. It is read in place where the
// engine can, so it must stay unchanged during Run; its shape resizes a
// dynamic input. The error wraps ErrInput, ErrInUse or ErrClosed, and leaves
// all as it was. The engine sees t in the next Run: where it refuses the shape,
// that Run's error wraps ErrInput, and another tensor is to be bound.
func (s *Session) BindInput(i int, t *Tensor) error {
	if s.isZero() {
		return errNotOpen("bind")
	}
	return wrap(s.bindInput(i, t), s.model.engine.name, "bind", "")
}

func (s *Session) bindInput(i int, t *Tensor) error {
	if err := s.beginExclusive(); err != nil {
		return err
	}
	defer runtime.KeepAlive(s)
	defer s.endExclusive()
	if i < 0 || i >= len(s.in) {
		return inputError(ErrCount, "there is no input %d; there are %d", i, len(s.in))
	}
	if err := s.model.checkInput(s.signature.Inputs[i], t); err != nil {
		return err
	}
	if s.in[i] != t {
		s.in[i], s.changed = t, true
	}
	return nil
}

// Run runs the model on the bound inputs. Where nothing was bound anew it is
// one native call and allocates nothing. The error wraps ErrRun where the
// engine failed, ErrInput for what was bound or was not, ErrInUse, ErrClosed,
// or is the context's.
func (s *Session) Run(ctx context.Context) error {
	if s.isZero() {
		return errNotOpen("run")
	}
	if err := s.beginExclusive(); err != nil {
		return wrap(err, s.model.engine.name, "run", "")
	}
	defer runtime.KeepAlive(s)
	defer s.endExclusive()
	if err := s.run(ctx); err != nil {
		return wrap(err, s.model.engine.name, "run", "")
	}
	return nil
}

// run is Run within beginExclusive: bind what has changed, reset if that is
// due, run.
func (s *session) run(ctx context.Context) error {
	var done <-chan struct{}
	if ctx != nil {
		done = ctx.Done()
	}
	if done != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if !s.bound || s.changed {
		if err := s.bind(); err != nil {
			return err
		}
	}
	if s.resetNext {
		if err := s.reset(); err != nil {
			return err
		}
	}
	s.ran = true
	canceled, err := s.execution.run(done)
	switch {
	case err == nil && s.finish:
		return s.finishOutputs()
	case err != nil && canceled:
		return ctx.Err()
	case err != nil && s.closing.Load():
		return &Error{Kind: ErrClosed, Err: err}
	}
	return err
}

// finishOutputs checks what the driver left in out and makes each bool 0 or 1,
// as Go needs them; C says only non-zero.
func (s *session) finishOutputs() error {
	for i, info := range s.signature.Outputs {
		t := s.out[i]
		if t.DType() != info.DType {
			return &Error{Kind: ErrRun, Message: "the engine left output " + info.Name + " without a " + info.DType.String() + " tensor"}
		}
		if t.dtype == Bool {
			for j, b := range t.bytes {
				if b > 1 {
					t.bytes[j] = 1
				}
			}
		}
	}
	return nil
}

// Reset puts the variables that the model keeps from Run to Run, as a stream's
// past, back to their initial values. Without such variables it does nothing;
// ModelInfo.State reports whether there are some. The error wraps ErrOption
// where the engine cannot.
func (s *Session) Reset() error {
	if s.isZero() {
		return errNotOpen("reset")
	}
	if err := s.beginExclusive(); err != nil {
		return wrap(err, s.model.engine.name, "reset", "")
	}
	defer runtime.KeepAlive(s)
	defer s.endExclusive()
	if s.resetter == nil && s.model.info.State != Stateless {
		return &Error{Engine: s.model.engine.name, Op: "reset", Kind: ErrOption, Message: "this engine cannot reset a model's variables", Hint: "make a new session"}
	}
	if !s.bound {
		s.resetNext = true // a driver resets only what is bound
		return nil
	}
	return wrap(s.reset(), s.model.engine.name, "reset", "")
}

// reset is Reset where there may be something to reset.
func (s *session) reset() error {
	if s.ran && s.resetter != nil && s.model.info.State != Stateless {
		if err := s.resetter.Reset(); err != nil {
			return err
		}
		s.ran = false
	}
	s.resetNext = false
	return nil
}

// reusable reports whether the next Model.Run can begin from the initial state.
func (s *session) reusable() bool {
	return s.resetter != nil || !s.ran || s.model.info.State == Stateless
}

// Profile returns where the time of the last Run went, layer by layer. The
// model must be loaded with Options.Profile.
func (s *Session) Profile() ([]LayerTime, error) {
	if s.isZero() {
		return nil, errNotOpen("profile")
	}
	if err := s.beginExclusive(); err != nil {
		return nil, wrap(err, s.model.engine.name, "profile", "")
	}
	defer runtime.KeepAlive(s)
	defer s.endExclusive()
	p, ok := s.driver.(Profiler)
	switch {
	case !ok:
		return nil, &Error{Engine: s.model.engine.name, Op: "profile", Kind: ErrOption, Message: "this engine has no profile"}
	case !s.model.options.Profile:
		return nil, &Error{Engine: s.model.engine.name, Op: "profile", Kind: ErrOption, Message: "the model was loaded without Options.Profile"}
	case !s.ran || !s.bound:
		return nil, nil // there was no Run
	}
	times, err := p.Profile()
	return times, wrap(err, s.model.engine.name, "profile", "")
}

// Close cancels a Run that executes, waits for it, and frees the session. Its
// tensors stay valid.
func (s *Session) Close() error {
	if s.isZero() {
		return nil
	}
	defer runtime.KeepAlive(s)
	return wrap(s.close(), s.model.engine.name, "close", "")
}
