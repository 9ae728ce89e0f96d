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
// into Data of Input(i), Run, read Data of Output(i). One goroutine at a time
// may use it; a second one gets ErrInUse.
type Session struct {
	session *session
	model   *Model // is not collected before the Session
	lease   *lease // of an acquired one; else nil
}

// session is the resource behind a Session, or one of a model's pool. It makes
// the calls of its driver in the order that DriverSession documents.
type session struct {
	// What a Run reads comes first, as it is not in the processor's cache then:
	// with the first fields of lifetime this is one line of it.
	execution *execution
	pool      *pool // nil: it is none of the model's pool
	bound     bool  // the driver's last Bind was a success
	changed   bool  // in or given is not what was bound
	resetNext bool  // the next Run is to begin with Reset
	copied    bool  // some of copyIn are needed
	finish    bool  // outputs need finishing after each Run
	ran       bool  // variables may not have their initial values
	lifetime

	hasProfile bool // there was a Run, since the last Reset and by this holder
	broken     bool // its last Reset has failed

	model               *model
	driver              DriverSession
	resetter            Resetter // the driver, if it can reset variables; or nil
	signatureIndex      int
	signature           Signature
	in, out             []*Tensor // what the caller sees; nil: not made yet
	given               []*Tensor // the outputs that the caller has bound; else nil
	driverIn, driverOut []*Tensor // what the driver sees: the same, or these:
	copyIn, copyOut     []*Tensor // padded, copied from and to the caller's; nil where that is not needed
	late                []bool    // outputs that the driver makes only in Run
}

func (m *model) newSession(ctx context.Context, signature int) (*session, error) {
	d, err := m.driver.NewSession(ctx, signature)
	if err != nil {
		return nil, err
	}
	sig := m.signatures[signature]
	ins, outs := len(sig.Inputs), len(sig.Outputs)
	s := &session{
		model: m, driver: d, execution: newExecution(d), signatureIndex: signature, signature: sig,
		in: make([]*Tensor, ins), driverIn: make([]*Tensor, ins), copyIn: make([]*Tensor, ins),
		out: make([]*Tensor, outs), driverOut: make([]*Tensor, outs), copyOut: make([]*Tensor, outs),
		given: make([]*Tensor, outs), late: make([]bool, outs),
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

// bindFixed binds where each input's shape is known, so that the first Run need
// not.
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
		return inputError(ErrShape, "input %q has no elements: its shape is %v; this engine runs only on some", info.Name, shape)
	}
	s.in[i], err = NewTensor(info.DType, shape...)
	s.changed = true
	return err
}

// bind hands the inputs to the driver, and the outputs that there are; it adds
// others.
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
	if err := s.separate(); err != nil {
		return err
	}
	s.copied, s.finish = false, false
	for i, t := range s.in {
		var err error
		if s.driverIn[i], err = s.padded(t, &s.copyIn[i]); err != nil {
			return err
		}
		s.copied = s.copied || s.copyIn[i] != nil
	}
	for i, t := range s.given {
		if t != nil {
			s.out[i] = t
		}
		var err error
		if s.driverOut[i], err = s.padded(s.out[i], &s.copyOut[i]); err != nil {
			return err
		}
		s.finish = s.finish || s.copyOut[i] != nil
	}
	s.bound = false
	if err := s.driver.Bind(s.driverIn, s.driverOut); err != nil {
		return err
	}
	s.bound, s.changed = true, true
	for i, t := range s.driverOut {
		info := s.signature.Outputs[i]
		s.late[i] = t == nil
		s.finish = s.finish || s.late[i] || info.DType == Bool || info.Shape.Dynamic()
		if given := s.given[i]; given == nil {
			s.out[i] = t
		} else if t != given && t != s.copyOut[i] {
			return s.unfit(i)
		}
	}
	s.changed = false
	return nil
}

// separate sees that no output shares memory with an input or another output.
// Those of the session's own that do are replaced: an output that was bound as
// an input stays what it is.
func (s *session) separate() error {
	for i := range s.out {
		o := s.out[i]
		if s.given[i] != nil {
			o = s.given[i]
		}
		for j, t := range s.in {
			if !t.overlaps(o) {
				continue
			}
			if s.given[i] != nil {
				return inputError(ErrInput, "output %q shares memory with input %q", s.signature.Outputs[i].Name, s.signature.Inputs[j].Name)
			}
			s.out[i] = nil
		}
		for j, t := range s.given {
			if j == i || !t.overlaps(o) {
				continue
			}
			if s.given[i] != nil {
				return inputError(ErrInput, "the outputs %q and %q share memory", s.signature.Outputs[i].Name, s.signature.Outputs[j].Name)
			}
			s.out[i] = nil
		}
	}
	return nil
}

// padded is what the driver sees of the caller's t: t itself if the driver can
// use its memory, else *own, a tensor for its elements.
func (s *session) padded(t *Tensor, own **Tensor) (_ *Tensor, err error) {
	if s.model.engine.engine.unpadded || t.Padded() || len(t.Bytes()) == 0 {
		*own = nil
		return t, nil
	}
	*own, err = EnsureTensor(*own, t.dtype, t.shape)
	return *own, err
}

// unfit is the error of an output that has another shape than the tensor that
// the caller has bound for it.
func (s *session) unfit(i int) error {
	return misuse(ErrShape, "output %q has the shape %v; the tensor that was bound has %v", s.signature.Outputs[i].Name, s.driverOut[i].Shape(), s.given[i].shape)
}

// Signature is the signature that the session runs.
func (s *Session) Signature() Signature {
	if s.isZero() {
		return Signature{}
	}
	return s.session.signature.clone()
}

func (s *Session) isZero() bool { return s == nil || s.session == nil }

// over reports whether an acquired session was given back.
func (s *Session) over() bool { return s.lease != nil && s.lease.over.Load() }

// Input is the tensor bound to input i: write the data there. It is nil where
// the shape is dynamic and no tensor was bound yet, for an i that is not an
// input, and after Close of an acquired session.
func (s *Session) Input(i int) (t *Tensor) {
	s.look(func(r *session) {
		if i < 0 || i >= len(r.in) {
			return
		}
		if r.in[i] == nil {
			r.makeInput(i) // where it fails, Run does, too
		}
		t = r.in[i]
	})
	return t
}

// look calls f, unless there is no session or it was given back. An acquired one
// is locked, because after Close it is another caller's. Where its model was
// closed, its tensors are there all the same.
func (s *Session) look(f func(*session)) {
	if s.isZero() {
		return
	}
	if s.lease != nil {
		s.session.exclusive.Lock()
		defer s.session.exclusive.Unlock()
		if s.over() {
			return
		}
	}
	f(s.session)
}

// Output is the tensor that output i was written to. It is valid until the
// next Run, which may write to it or take another; it never dangles. It may be
// bound as an input: the next Run then reads it and writes to another tensor.
// It is nil before the first Run where the shape is dynamic or the session was
// acquired, for an i that is not an output, and after Close of an acquired
// session.
func (s *Session) Output(i int) (t *Tensor) {
	s.look(func(r *session) {
		if i >= 0 && i < len(r.out) {
			t = r.out[i]
		}
	})
	return t
}

// InputByName is Input for the input of that name, nil if there is none.
func (s *Session) InputByName(name string) *Tensor {
	if s.isZero() {
		return nil
	}
	return s.Input(s.session.signature.InputIndex(name))
}

// OutputByName is Output for the output of that name, nil if there is none.
func (s *Session) OutputByName(name string) *Tensor {
	if s.isZero() {
		return nil
	}
	return s.Output(s.session.signature.OutputIndex(name))
}

// BindInput makes t the tensor of input i. Run reads it in place where it was
// made by NewTensor or the engine takes any memory (see its package), else it
// copies it; so it must stay unchanged during Run. Its shape resizes a dynamic
// input. The error wraps ErrInput, ErrInUse or ErrClosed, and leaves all as it
// was. The engine sees t in the next Run: where it refuses the shape, that Run's
// error wraps ErrInput, and another tensor is to be bound.
func (s *Session) BindInput(i int, t *Tensor) error {
	return s.exclusive("bind", func(r *session) error {
		if i < 0 || i >= len(r.in) {
			return inputError(ErrCount, "there is no input %d; there are %s", i, numbered(r.signature.Inputs))
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

// BindOutput makes t the tensor into which Run writes output i: in place where
// it was made by NewTensor or the engine takes any memory, else by a copy. A
// nil t makes it one of the session's own again. The error wraps ErrDType or
// ErrShape where t cannot be that output, ErrInUse or ErrClosed, and leaves all
// as it was.
//
// Where the shape is dynamic and the result has another one than t, Run's error
// wraps ErrShape. If the shape is known only after Run, the model has run, and
// Output(i) has the result. When Run begins, t may not share memory with an
// input or another output.
func (s *Session) BindOutput(i int, t *Tensor) error {
	return s.exclusive("bind", func(r *session) error {
		if i < 0 || i >= len(r.out) {
			return misuse(ErrCount, "there is no output %d; there are %s", i, numbered(r.signature.Outputs))
		}
		info := r.signature.Outputs[i]
		switch {
		case t == nil:
		case t.dtype != info.DType:
			return misuse(ErrDType, "output %q is %v, not %v", info.Name, info.DType, t.dtype)
		case !info.Shape.Accepts(t.shape):
			return misuse(ErrShape, "output %q has the shape %v, not %v", info.Name, info.Shape, t.shape)
		}
		if r.given[i] != t {
			r.given[i], r.out[i], r.changed = t, t, true
		}
		return nil
	})
}

// Run runs the model on the bound inputs. Where nothing was bound anew it is
// one native call and allocates nothing. The error wraps ErrRun where the
// engine failed, ErrInput for what was bound or was not, ErrInUse, ErrClosed,
// or is the context's. After ErrRun or the context's, outputs are undefined,
// and so are variables that the model keeps: Reset.
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
	if s.over() {
		err = &Error{Kind: ErrClosed}
	} else if err = s.session.beginExclusive(); err == nil && s.over() {
		s.session.endExclusive()
		err = &Error{Kind: ErrClosed}
	}
	if err != nil {
		return s.session.model.wrap(err, op)
	}
	return nil
}

// exclusive calls f as the only one that uses the session.
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

// run is Run within beginExclusive: bind what has changed, reset if that is
// due, run.
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
	if s.copied {
		for i, t := range s.copyIn {
			if t != nil {
				t.copyFrom(s.in[i])
			}
		}
	}
	s.ran, s.hasProfile = true, true
	var begin time.Duration
	if s.pool != nil {
		begin = clock()
	}
	canceled, err := s.execution.run(ctx, done)
	if s.pool != nil {
		s.pool.ran(begin, err)
	}
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

// finishOutputs checks what the driver left, makes each bool 0 or 1, as Go needs
// them, where C has any byte, and copies to the caller's tensors.
func (s *session) finishOutputs() (err error) {
	for i, info := range s.signature.Outputs {
		t, given := s.driverOut[i], s.given[i]
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
		switch {
		case given == nil:
			s.out[i] = t
		case slices.Equal(t.shape, given.shape):
			if s.out[i] = given; t != given {
				given.copyFrom(t)
			}
		default:
			s.out[i], s.changed = t, true
			err = s.unfit(i)
		}
	}
	return err
}

// runTensors is Model.Run with this session, within beginExclusive.
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
		out[s.signature.Outputs[i].Name] = s.handOut(i)
	}
	return out, nil
}

// handOut is output i for the caller to keep: what the engine wrote, where it
// makes it anew in each Run or copying it takes longer than binding another,
// else a copy.
func (s *session) handOut(i int) *Tensor {
	const large = 1 << 20
	t := s.out[i]
	switch {
	case s.late[i]:
		s.driverOut[i] = nil
	case len(t.bytes) < large:
		return t.Clone()
	default:
		s.changed = true
	}
	s.out[i] = nil
	return t
}

// Reset puts the variables that the model keeps from Run to Run, as a stream's
// past, back to their initial values. Without such variables it does nothing;
// ModelInfo.State reports whether there are some. The error wraps ErrOption
// where the engine cannot.
func (s *Session) Reset() error {
	return s.exclusive("reset", func(r *session) error {
		if r.resetter == nil && r.model.info.State != Stateless {
			return &Error{Kind: ErrOption, Message: "this engine cannot reset a model's variables", Hint: "make a new session"}
		}
		if !r.bound || r.changed {
			r.resetNext = true // a driver resets only what is bound
			return nil
		}
		return r.reset()
	})
}

// reset is Reset where there may be something to reset.
func (s *session) reset() error {
	if s.ran && s.resetter != nil && s.model.info.State != Stateless {
		if err := s.resetter.Reset(); err != nil {
			s.broken = true
			return err
		}
		s.ran, s.hasProfile = false, false
	}
	s.resetNext = false
	return nil
}

// reusable reports whether the next Model.Run can begin from the initial state.
func (s *session) reusable() bool {
	return !s.broken && (s.resetter != nil || !s.ran || s.model.info.State == Stateless)
}

// giveBack returns a session to its pool, or closes it where the next call
// would see what this one has left in it.
func (s *session) giveBack() {
	if !s.reusable() || s.closing.Load() {
		s.close()
		s.pool.give(nil)
		return
	}
	s.pool.give(s)
}

// Profile returns where the time of the last Run went, layer by layer: nothing
// before the first Run and after Reset. The model must be loaded with
// Options.Profile.
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
// NewSession, and gives back an acquired one. Tensors that the session had stay
// valid: it does not use them any more.
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

// lease is the time for which a caller has acquired a session of the pool.
type lease struct {
	session *session
	over    atomic.Bool
	cleanup runtime.Cleanup
}

// newLease begins one. The session has no tensors: what it had is others'.
func newLease(s *session) *lease {
	s.forgetTensors()
	s.resetNext, s.hasProfile = true, false
	return &lease{session: s}
}

// forgetTensors unbinds all tensors, before the next Run.
func (s *session) forgetTensors() {
	clear(s.in)
	clear(s.out)
	clear(s.given)
	s.changed = true
}

// close ends the lease. A session that still runs is of no use to others.
func (l *lease) close() error {
	if l.over.Swap(true) {
		return nil
	}
	l.cleanup.Stop()
	s := l.session
	if s.beginExclusive() != nil {
		return l.closeSession()
	}
	s.forgetTensors()
	s.endExclusive()
	s.giveBack()
	return nil
}

func (l *lease) closeSession() error {
	err := l.session.close()
	l.session.pool.give(nil)
	return err
}

// discard ends a lease that the garbage collector has found unused.
func (l *lease) discard() {
	if !l.over.Swap(true) {
		l.closeSession()
	}
}
