// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// Session runs a model with tensors that stay bound from Run to Run: write
// into Data of Input(i), call Run, read Data of Output(i). One goroutine at a
// time may use it; a second one gets ErrInUse. Only Close may be called beside
// other methods.
type Session struct {
	session *session
	model   *Model // is not collected before the Session
	lease   *lease // of an acquired one; else nil
}

// session is the resource behind a Session, or one of a model's pool. It calls
// its driver in the order that DriverSession documents.
type session struct {
	// The fields that Run reads come first. They are not in the processor's cache
	// when Run begins, and with the first fields of lifetime they fill one line.
	execution   *execution
	pool        *pool // nil if the session is not in the model's pool
	bound       bool  // the driver's last Bind succeeded
	changed     bool  // in or callerOut has changed since the last bind
	resetNext   bool  // the next Run must begin with Reset
	hasCopies   bool  // some of copyIn are needed
	needsFinish bool  // outputs need finishing after each Run
	hasRun      bool  // variables may not have their initial values
	lifetime

	hasProfile bool // this holder has called Run since the last Reset
	broken     bool // its last Reset has failed

	model               *model
	driver              DriverSession
	resetter            Resetter // the driver, if it can reset variables; or nil
	signatureIndex      int
	signature           Signature
	in, out             []*Tensor // the caller's tensors; nil: not made yet
	callerOut           []*Tensor // the outputs that the caller has bound; else nil
	driverIn, driverOut []*Tensor // the driver's tensors: the caller's, or these:
	copyIn, copyOut     []*Tensor // padded, copied from and to the caller's; nil if no copy is needed
	madeInRun           []bool    // outputs that the driver makes only in Run
}

func (m *model) newSession(ctx context.Context, signature int) (*session, error) {
	either, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	d, err := m.driver.NewSession(either, signature)
	switch {
	case err == context.Canceled && ctx.Err() != nil: // both have ended
		return nil, ctx.Err()
	case err != nil && m.ctx.Err() != nil && ctx.Err() == nil:
		return nil, &Error{Kind: ErrClosed, Err: err}
	case err != nil:
		return nil, err
	}
	sig := m.signatures[signature]
	ins, outs := len(sig.Inputs), len(sig.Outputs)
	s := &session{
		model: m, driver: d, execution: newExecution(d), signatureIndex: signature, signature: sig,
		in: make([]*Tensor, ins), driverIn: make([]*Tensor, ins), copyIn: make([]*Tensor, ins),
		out: make([]*Tensor, outs), driverOut: make([]*Tensor, outs), copyOut: make([]*Tensor, outs),
		callerOut: make([]*Tensor, outs), madeInRun: make([]bool, outs),
	}
	s.resetter, _ = d.(Resetter)
	if s.execution.canceler != nil {
		s.cancel = s.execution.cancel
	}
	s.interrupted = make(chan struct{})
	s.release = func() error { s.execution.close(); return d.Close() }
	if err := s.bindFixed(); err != nil {
		s.release()
		return nil, err
	}
	m.addChild(&s.lifetime)
	s.track("sessions")
	return s, nil
}

// bindFixed binds tensors at once if the shape of every input is known, so that
// the first Run need not.
func (s *session) bindFixed() error {
	for i := range s.in {
		if err := s.makeInput(i); err != nil {
			return err
		}
	}
	if slices.Contains(s.in, nil) {
		return nil
	}
	return s.bind()
}

// makeInput gives input i a tensor of the session's own if it has none and its
// shape is known.
func (s *session) makeInput(i int) (err error) {
	info := s.signature.Inputs[i]
	shape := info.Shape
	if r, ok := s.model.options.Shapes[info.Name]; ok {
		shape = r.Opt
	}
	switch {
	case s.in[i] != nil || shape.Dynamic():
		return nil
	case shape.Elems() == 0 && !s.model.engine.engine.emptyTensors:
		return inputError(ErrShape, "input %q has no elements: its shape is %v; this engine needs at least one", info.Name, shape)
	}
	s.in[i], err = NewTensor(info.DType, shape...)
	s.changed = true
	return err
}

// bind passes the inputs and the existing outputs to the driver, which makes
// the outputs that are missing.
func (s *session) bind() error {
	for i := range s.in {
		if err := s.makeInput(i); err != nil {
			return err
		}
		if s.in[i] == nil {
			info := s.signature.Inputs[i]
			return inputError(ErrShape, "input %q has the dynamic shape %v and no tensor yet; bind one", info.Name, info.Shape)
		}
	}
	if err := s.replaceOverlapping(); err != nil {
		return err
	}
	s.hasCopies, s.needsFinish = false, false
	for i, t := range s.in {
		var err error
		if s.driverIn[i], err = s.paddedFor(t, &s.copyIn[i]); err != nil {
			return err
		}
		s.hasCopies = s.hasCopies || s.copyIn[i] != nil
	}
	for i, t := range s.callerOut {
		if t != nil {
			s.out[i] = t
		}
		var err error
		if s.driverOut[i], err = s.paddedFor(s.out[i], &s.copyOut[i]); err != nil {
			return err
		}
		s.needsFinish = s.needsFinish || s.copyOut[i] != nil
	}
	s.bound = false
	if err := s.driver.Bind(s.driverIn, s.driverOut); err != nil {
		return err
	}
	s.bound, s.changed = true, true
	for i, t := range s.driverOut {
		info := s.signature.Outputs[i]
		s.madeInRun[i] = t == nil
		s.needsFinish = s.needsFinish || s.madeInRun[i] || info.DType == Bool || info.Shape.Dynamic()
		if given := s.callerOut[i]; given == nil {
			s.out[i] = t
		} else if t != given && t != s.copyOut[i] {
			return s.shapeError(i)
		}
	}
	s.changed = false
	return nil
}

// replaceOverlapping ensures that no output shares memory with an input or with
// another output. It drops the session's own outputs that do, so that the driver
// makes new ones: an earlier output that the caller has bound as an input keeps
// its content. Overlapping tensors of the caller are an error.
func (s *session) replaceOverlapping() error {
	for i := range s.out {
		o := s.out[i]
		if s.callerOut[i] != nil {
			o = s.callerOut[i]
		}
		for j, t := range s.in {
			if !t.overlaps(o) {
				continue
			}
			if s.callerOut[i] != nil {
				return inputError(ErrInput, "output %q shares memory with input %q", s.signature.Outputs[i].Name, s.signature.Inputs[j].Name)
			}
			s.out[i] = nil
		}
		for j, t := range s.callerOut {
			if j == i || !t.overlaps(o) {
				continue
			}
			if s.callerOut[i] != nil {
				return inputError(ErrInput, "the outputs %q and %q share memory", s.signature.Outputs[i].Name, s.signature.Outputs[j].Name)
			}
			s.out[i] = nil
		}
	}
	return nil
}

// paddedFor returns the tensor that the driver sees for the caller's t: t itself
// if the driver can use its memory, else *own, into which t's elements are copied.
func (s *session) paddedFor(t *Tensor, own **Tensor) (_ *Tensor, err error) {
	if s.model.engine.engine.unpadded || t.Padded() || len(t.Bytes()) == 0 {
		*own = nil
		return t, nil
	}
	*own, err = EnsureTensor(*own, t.dtype, t.shape)
	return *own, err
}

// shapeError returns the error of a result whose shape is not that of the tensor
// which the caller has bound for it.
func (s *session) shapeError(i int) error {
	return misuse(ErrShape, "output %q has the shape %v; the tensor that was bound has %v", s.signature.Outputs[i].Name, s.driverOut[i].Shape(), s.callerOut[i].shape)
}

// Signature returns the signature that the session runs.
func (s *Session) Signature() Signature {
	if s.isZero() {
		return Signature{}
	}
	return s.session.signature.clone()
}

func (s *Session) isZero() bool { return s == nil || s.session == nil }

// ended reports whether the session was acquired and has been returned.
func (s *Session) ended() bool { return s.lease != nil && s.lease.ended.Load() }

// Input returns the tensor bound to input i; the program writes its data there.
// It is nil if the shape is dynamic and no tensor was bound yet, if there is no
// input i, and after an acquired session was closed.
func (s *Session) Input(i int) (t *Tensor) {
	s.withSession(func(r *session) {
		if i < 0 || i >= len(r.in) {
			return
		}
		if r.in[i] == nil {
			r.makeInput(i) // if it fails, so does Run
		}
		t = r.in[i]
	})
	return t
}

// withSession calls f with the session, unless there is none or it was returned.
// An acquired session is locked meanwhile, because another caller has it after
// Close. Its tensors can be read even after the model was closed.
func (s *Session) withSession(f func(*session)) {
	if s.isZero() {
		return
	}
	if s.lease != nil {
		s.session.exclusive.Lock()
		defer s.session.exclusive.Unlock()
		if s.ended() {
			return
		}
	}
	f(s.session)
}

// Output returns the tensor to which the last Run wrote output i. The next Run may
// write to it again or use another one; the memory itself stays valid. It may be
// bound as an input: the next Run then reads it and writes to another tensor. It
// is nil before the first Run if the shape is dynamic or the session was acquired,
// if there is no output i, and after an acquired session was closed.
func (s *Session) Output(i int) (t *Tensor) {
	s.withSession(func(r *session) {
		if i >= 0 && i < len(r.out) {
			t = r.out[i]
		}
	})
	return t
}

// InputByName is like Input, for the input of that name; nil if there is none.
func (s *Session) InputByName(name string) *Tensor {
	if s.isZero() {
		return nil
	}
	return s.Input(s.session.signature.InputIndex(name))
}

// OutputByName is like Output, for the output of that name; nil if there is none.
func (s *Session) OutputByName(name string) *Tensor {
	if s.isZero() {
		return nil
	}
	return s.Output(s.session.signature.OutputIndex(name))
}

// BindInput makes t the tensor of input i until another one is bound. Run reads
// it in place if NewTensor made it or the engine accepts memory of any alignment
// (OpenVINO and ONNX Runtime do), else each Run copies it first; it must not change
// during Run. The shape of t is the shape of a dynamic input in the next Run. The
// error wraps ErrInput, ErrInUse or ErrClosed, and nothing has changed then. The engine sees t
// in the next Run: if it refuses the shape, that Run's error wraps ErrInput, and
// the program binds another tensor.
func (s *Session) BindInput(i int, t *Tensor) error {
	return s.exclusive("bind", func(r *session) error {
		if i < 0 || i >= len(r.in) {
			return inputError(ErrCount, "there is no input %d; the inputs are %s", i, numbered(r.signature.Inputs))
		}
		if err := r.model.checkInput(&r.signature.Inputs[i], t); err != nil {
			return err
		}
		if r.in[i] != t {
			r.in[i], r.changed = t, true
		}
		return nil
	})
}

// BindOutput makes t the tensor to which Run writes output i: in place if
// NewTensor made it or the engine accepts memory of any alignment, else by a copy
// after each Run. A nil t makes the session use its own tensor again. The error
// wraps ErrDType or ErrShape if t cannot be that output, ErrInUse or ErrClosed,
// and nothing has changed then.
//
// If the shape is dynamic and the result's is not that of t, Run's error wraps
// ErrShape. If that is known only after the model has run, Output(i) then has the
// result. When Run begins, t must not share memory with an input or another
// output.
func (s *Session) BindOutput(i int, t *Tensor) error {
	return s.exclusive("bind", func(r *session) error {
		if i < 0 || i >= len(r.out) {
			return misuse(ErrCount, "there is no output %d; the outputs are %s", i, numbered(r.signature.Outputs))
		}
		info := r.signature.Outputs[i]
		switch {
		case t == nil:
		case t.dtype != info.DType:
			return misuse(ErrDType, "output %q is %v, not %v", info.Name, info.DType, t.dtype)
		case !info.Shape.Accepts(t.shape):
			return misuse(ErrShape, "output %q has the shape %v, not %v", info.Name, info.Shape, t.shape)
		}
		if r.callerOut[i] != t {
			r.callerOut[i], r.out[i], r.changed = t, t, true
		}
		return nil
	})
}

// Run runs the model on the bound inputs. If nothing was bound since the last
// Run, it is one native call and allocates nothing. The error wraps ErrRun if the
// engine failed, ErrInput if an input is missing or the engine refused its shape,
// ErrInUse, ErrClosed, or is the context's. After ErrRun and after the context's
// error the outputs are undefined, and so are variables that the model keeps: call
// Reset before the next Run.
func (s *Session) Run(ctx context.Context) error {
	if err := s.begin("run"); err != nil {
		return err
	}
	defer runtime.KeepAlive(s)
	defer s.session.endExclusive()
	if err := s.session.run(orBackground(ctx)); err != nil {
		return s.session.model.wrap(err, "run")
	}
	return nil
}

// begin starts a call that must be the only one; session.endExclusive ends it.
func (s *Session) begin(op string) error {
	if s.isZero() {
		return errNotOpen(op)
	}
	err := error(nil)
	if s.ended() {
		err = &Error{Kind: ErrClosed}
	} else if err = s.session.beginExclusive(); err == nil && s.ended() {
		s.session.endExclusive()
		err = &Error{Kind: ErrClosed}
	}
	if err != nil {
		return s.session.model.wrap(err, op)
	}
	return nil
}

// exclusive calls f while no other call uses the session.
func (s *Session) exclusive(op string, f func(*session) error) error {
	if err := s.begin(op); err != nil {
		return err
	}
	defer runtime.KeepAlive(s)
	defer s.session.endExclusive()
	if err := f(s.session); err != nil {
		return s.session.model.wrap(err, op)
	}
	return nil
}

// run does the work of Run, between beginExclusive and endExclusive: it binds if
// tensors have changed, resets if that is due, and runs.
func (s *session) run(ctx context.Context) error {
	done := ctx.Done()
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
	if s.hasCopies {
		for i, t := range s.copyIn {
			if t != nil {
				t.copyFrom(s.in[i])
			}
		}
	}
	s.hasRun, s.hasProfile = true, true
	var begin time.Duration
	if s.pool != nil {
		begin = clock()
	}
	canceled, err := s.execution.run(ctx, done)
	if s.pool != nil {
		s.pool.record(begin, err)
	}
	switch {
	case err == nil && (s.needsFinish || s.replaced()):
		return s.finishOutputs()
	case err != nil && canceled:
		return ctx.Err()
	case err != nil && s.closing.Load():
		return &Error{Kind: ErrClosed, Err: err}
	}
	return err
}

// replaced reports whether the driver has replaced the tensor of an output whose
// shape was known: a model's file can have a wrong one.
func (s *session) replaced() bool {
	for i, t := range s.driverOut {
		if t != s.out[i] {
			return true
		}
	}
	return false
}

// finishOutputs checks the tensors that the driver has set, makes each bool 0 or
// 1, because C may store any byte and Go must not see one, and copies results to
// the caller's tensors.
func (s *session) finishOutputs() (err error) {
	for i, info := range s.signature.Outputs {
		t, given := s.driverOut[i], s.callerOut[i]
		if t.DType() != info.DType {
			return &Error{Kind: ErrRun, Message: "the engine made no " + info.DType.String() + " tensor for output " + info.Name}
		}
		if t.dtype == Bool {
			for j, b := range t.bytes {
				if b > 1 {
					t.bytes[j] = 1
				}
			}
		}
		switch {
		case given == nil:
			s.out[i] = t
		case slices.Equal(t.shape, given.shape):
			if s.out[i] = given; t != given {
				given.copyFrom(t)
			}
		default:
			s.out[i], s.changed = t, true
			err = s.shapeError(i)
		}
	}
	return err
}

// runTensors does the work of Model.Run with this session, between beginExclusive
// and endExclusive.
func (s *session) runTensors(ctx context.Context, in []*Tensor) (Tensors, error) {
	for i, t := range in {
		if !s.in[i].Is(t.dtype, t.shape) {
			s.in[i], s.changed = nil, true
			var err error
			if s.in[i], err = NewTensor(t.dtype, t.shape...); err != nil {
				return nil, err
			}
		}
		s.in[i].copyFrom(t)
	}
	s.resetNext = true
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	out := make(Tensors, len(s.out))
	for i := range s.signature.Outputs {
		out[s.signature.Outputs[i].Name] = s.result(i)
	}
	return out, nil
}

// result returns output i for the caller to keep. It is a copy, unless the engine
// makes a new tensor in each Run anyway, or the output is so large that binding
// another tensor costs less than copying.
func (s *session) result(i int) *Tensor {
	const large = 1 << 20
	t := s.out[i]
	switch {
	case s.madeInRun[i]:
		s.driverOut[i] = nil
	case len(t.bytes) < large:
		return t.Clone()
	default:
		s.changed = true
	}
	s.out[i] = nil
	return t
}

// Reset sets the variables that the model keeps from Run to Run, such as the past
// of a stream, back to their initial values. It does nothing if the model has
// none, which ModelInfo.State reports. The error wraps ErrOption if the engine
// cannot reset variables, ErrInUse or ErrClosed.
func (s *Session) Reset() error {
	return s.exclusive("reset", func(r *session) error {
		if r.resetter == nil && r.model.info.State != Stateless {
			return &Error{Kind: ErrOption, Message: "this engine cannot reset a model's variables", Hint: "make a new session"}
		}
		if !r.bound || r.changed {
			r.resetNext = true // a driver resets only a bound session
			return nil
		}
		return r.reset()
	})
}

// reset calls the driver's Reset if a Run may have changed variables.
func (s *session) reset() error {
	if s.hasRun && s.resetter != nil && s.model.info.State != Stateless {
		if err := s.resetter.Reset(); err != nil {
			s.broken = true
			return err
		}
		s.hasRun, s.hasProfile = false, false
	}
	s.resetNext = false
	return nil
}

// reusable reports whether the next Model.Run can begin from the initial state.
func (s *session) reusable() bool {
	return !s.broken && (s.resetter != nil || !s.hasRun || s.model.info.State == Stateless)
}

// putBack returns a session to its pool, or closes it if the next caller could
// see state that this one has left in it.
func (s *session) putBack() {
	if !s.reusable() || s.closing.Load() {
		s.close()
		s.pool.release(nil)
		return
	}
	s.pool.release(s)
}

// Profile returns the time that each layer took in the last Run, in the order in
// which they ran; nil before the first Run and after Reset. The model must be
// loaded with Options.Profile. The error wraps ErrOption if it was not, or if the
// engine has no profile.
func (s *Session) Profile() (times []LayerTime, err error) {
	err = s.exclusive("profile", func(r *session) error {
		p, ok := r.driver.(Profiler)
		switch {
		case !ok:
			return &Error{Kind: ErrOption, Message: "this engine has no profile"}
		case !r.model.options.Profile:
			return &Error{Kind: ErrOption, Message: "the model was loaded without Options.Profile"}
		case !r.hasProfile || !r.bound:
			return nil
		}
		times, err = p.Profile()
		return err
	})
	return times, err
}

// Close cancels a Run that executes and waits for it. It frees a session of
// NewSession and returns an acquired one to the model. The session's tensors stay
// valid, and the session does not use them any more. Further calls of Close do
// nothing.
func (s *Session) Close() error {
	if s.isZero() {
		return nil
	}
	defer runtime.KeepAlive(s)
	closeIt := s.session.close
	if s.lease != nil {
		closeIt = s.lease.close
	}
	return s.session.model.wrap(closeIt(), "close")
}

// lease is one caller's use of a session of the pool, from AcquireSession to
// Close.
type lease struct {
	session *session
	ended   atomic.Bool
	cleanup runtime.Cleanup
}

// newLease begins a lease. The session starts without tensors, because earlier
// callers may still use its old ones.
func newLease(s *session) *lease {
	s.forgetTensors()
	s.resetNext, s.hasProfile = true, false
	return &lease{session: s}
}

// forgetTensors drops all tensors, so that the next Run binds new ones.
func (s *session) forgetTensors() {
	clear(s.in)
	clear(s.out)
	clear(s.callerOut)
	s.changed = true
}

// close ends the lease. If the session still runs, it is closed instead of being
// returned to the pool.
func (l *lease) close() error {
	if l.ended.Swap(true) {
		return nil
	}
	l.cleanup.Stop()
	s := l.session
	if s.beginExclusive() != nil {
		return l.closeSession()
	}
	s.forgetTensors()
	s.endExclusive()
	s.putBack()
	return nil
}

func (l *lease) closeSession() error {
	err := l.session.close()
	l.session.pool.release(nil)
	return err
}

// discard ends a lease whose Session was garbage collected.
func (l *lease) discard() {
	if !l.ended.Swap(true) {
		l.closeSession()
	}
}
