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
	model *Model // keeps the model from being collected
}

// session is the resource behind a Session, or one of a model's pool.
type session struct {
	lifetime
	engine    string
	driver    DriverSession
	canceler  Canceler // driver, where it can be interrupted; or nil
	signature Signature
	shapes    map[string]ShapeRange
	in, out   []*Tensor
	bound     bool // driver knows in
	finish    bool // outputs need finishing after each Run
	watcher   watcher
}

func (m *model) newSession(signature int) (*session, error) {
	d, err := m.driver.NewSession(signature)
	if err != nil {
		return nil, err
	}
	sig := m.signatures[signature]
	s := &session{
		engine: m.engine.name, driver: d, signature: sig, shapes: m.options.Shapes,
		in: make([]*Tensor, len(sig.Inputs)), out: make([]*Tensor, len(sig.Outputs)),
	}
	if s.canceler, _ = d.(Canceler); s.canceler != nil {
		s.interrupt = s.canceler.Cancel
	}
	s.free = func() error { s.watcher.close(); return d.Close() }
	for _, info := range sig.Outputs {
		s.finish = s.finish || info.DType == Bool || info.Shape.Dynamic()
	}
	if err := s.makeInputs(); err != nil {
		d.Close()
		return nil, err
	}
	m.adopt(&s.lifetime)
	s.opened("sessions")
	return s, nil
}

// makeInputs gives each input whose shape is known a tensor; where that is
// all of them, the first Run need not bind.
func (s *session) makeInputs() (err error) {
	for i, info := range s.signature.Inputs {
		shape := info.Shape
		if r, ok := s.shapes[info.Name]; ok {
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
	}
	if err := s.driver.Bind(s.in, s.out); err != nil {
		return err
	}
	s.bound = true
	return nil
}

// Signature is the signature that the session runs.
func (s *Session) Signature() Signature {
	if s.nothing() {
		return Signature{}
	}
	return s.signature.clone()
}

func (s *Session) nothing() bool { return s == nil || s.session == nil }

// Input is the tensor bound to input i: write the data there. It is nil where
// the shape is dynamic and no tensor was bound yet, and for an i that is not
// an input.
func (s *Session) Input(i int) *Tensor {
	if s.nothing() {
		return nil
	}
	return at(s.in, i)
}

// Output is the tensor that output i was written to. It is valid until the
// next Run, which may write to it or take another; it never dangles. It is
// nil before the first Run where the shape is dynamic, and for an i that is
// not an output.
func (s *Session) Output(i int) *Tensor {
	if s.nothing() {
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
// dynamic input. The error Is ErrInput, ErrInUse or ErrClosed, and leaves all
// as it was. The engine sees t in the next Run: where it refuses the shape,
// that Run's error Is ErrInput, and another tensor is to be bound.
func (s *Session) BindInput(i int, t *Tensor) error {
	if s.nothing() {
		return errNothing("bind")
	}
	return wrap(s.bindInput(i, t), s.engine, "bind", "")
}

func (s *Session) bindInput(i int, t *Tensor) error {
	if err := s.enterAlone(); err != nil {
		return err
	}
	defer runtime.KeepAlive(s)
	defer s.exitAlone()
	if i < 0 || i >= len(s.in) {
		return inputError(ErrCount, "there is no input %d; there are %d", i, len(s.in))
	}
	info := s.signature.Inputs[i]
	if err := checkInput(info, s.shapes, t); err != nil {
		return err
	}
	if s.in[i] != t {
		s.in[i], s.bound = t, false
	}
	return nil
}

// Run runs the model on the bound inputs. Where nothing was bound anew it is
// one native call and allocates nothing. The error Is ErrRun where the engine
// failed, ErrInput for what was bound or was not, ErrInUse, ErrClosed, or the
// context's.
func (s *Session) Run(ctx context.Context) error {
	if s.nothing() {
		return errNothing("run")
	}
	if err := s.enterAlone(); err != nil {
		return wrap(err, s.engine, "run", "")
	}
	defer runtime.KeepAlive(s)
	defer s.exitAlone()
	if err := s.run(ctx); err != nil {
		return wrap(err, s.engine, "run", "")
	}
	return nil
}

// run is Run for who has entered alone.
func (s *session) run(ctx context.Context) (err error) {
	var done <-chan struct{}
	if ctx != nil {
		done = ctx.Done()
	}
	if done != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if !s.bound {
		if err := s.bind(); err != nil {
			return err
		}
	}
	if done == nil || s.canceler == nil {
		err = s.driver.Run()
	} else {
		s.watcher.watch(done, s.canceler)
		err = s.driver.Run()
		if s.watcher.unwatch() && err != nil {
			return ctx.Err()
		}
	}
	switch {
	case err == nil && s.finish:
		return s.finishOutputs()
	case err != nil && s.closing.Load():
		return &Error{Err: ErrClosed, Cause: err}
	}
	return err
}

// finishOutputs checks what the driver left in out and makes each bool 0 or 1,
// as Go needs them; C says only non-zero.
func (s *session) finishOutputs() error {
	for i, info := range s.signature.Outputs {
		t := s.out[i]
		if t.DType() != info.DType {
			return &Error{Err: ErrRun, Text: "the engine left output " + info.Name + " without a " + info.DType.String() + " tensor"}
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
// past, back to their initial values. Without such variables it does nothing.
// The error Is ErrOption where the engine cannot.
func (s *Session) Reset() error {
	if s.nothing() {
		return errNothing("reset")
	}
	if err := s.enterAlone(); err != nil {
		return wrap(err, s.engine, "reset", "")
	}
	defer runtime.KeepAlive(s)
	defer s.exitAlone()
	if _, ok := s.driver.(Resetter); !ok {
		return &Error{Engine: s.engine, Op: "reset", Err: ErrOption, Text: "this engine cannot reset a model's variables", Fix: "make a new session"}
	}
	return wrap(s.reset(), s.engine, "reset", "")
}

// reset is Reset where the engine can.
func (s *session) reset() error {
	if r, ok := s.driver.(Resetter); ok {
		return r.Reset()
	}
	return nil
}

// Profile tells where the time of the last Run went, layer by layer. The
// model must be loaded with Options.Profile.
func (s *Session) Profile() ([]LayerTime, error) {
	if s.nothing() {
		return nil, errNothing("profile")
	}
	if err := s.enterAlone(); err != nil {
		return nil, wrap(err, s.engine, "profile", "")
	}
	defer runtime.KeepAlive(s)
	defer s.exitAlone()
	p, ok := s.driver.(Profiler)
	if !ok {
		return nil, &Error{Engine: s.engine, Op: "profile", Err: ErrOption, Text: "this engine has no profile"}
	}
	times, err := p.Profile()
	return times, wrap(err, s.engine, "profile", "")
}

// Close interrupts a Run that is going on, waits for it, and frees the
// session. Its tensors stay valid.
func (s *Session) Close() error {
	if s.nothing() {
		return nil
	}
	defer runtime.KeepAlive(s)
	return wrap(s.close(), s.engine, "close", "")
}
