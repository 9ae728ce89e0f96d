// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"fmt"
	"runtime"
	"slices"
)

// Tensors are tensors by the names of a model's inputs or outputs.
type Tensors map[string]*Tensor

// Runner is what a program needs of a model that it only runs. Model and
// LiveModel are some; so are wrappers that measure or retry, and fakes in tests.
type Runner interface {
	Run(context.Context, Tensors) (Tensors, error)
}

// Model is a loaded model. Any number of goroutines may use it.
type Model struct{ model *model }

// model is the resource behind a Model.
type model struct {
	lifetime
	engine     *Engine // keeps the engine from being collected
	ownsEngine bool
	driver     DriverModel
	info       ModelInfo
	options    Options
	signatures []Signature
	pool       *pool
	ctx        context.Context // ends when calls are cancelled, as by Close
}

// newModel makes a Model of a driver's, and of the files that it was read from.
func newModel(e *Engine, d DriverModel, files *ModelFiles, o Options, ownsEngine bool) *Model {
	r := &model{
		engine: e, ownsEngine: ownsEngine, driver: d, info: d.Info(), options: o, signatures: slices.Clone(d.Signatures()),
		pool: newPool(o),
	}
	for i := range r.signatures {
		s := &r.signatures[i]
		*s = s.clone()
		makeUnique(s.Inputs)
		makeUnique(s.Outputs)
	}
	r.interrupted = make(chan struct{})
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.release = func() error { return join(d.Close(), files.close()) }
	e.engine.addChild(&r.lifetime)
	r.track("models")
	m := &Model{r}
	runtime.AddCleanup(m, func(r *model) { r.forgotten(r.closeAll) }, r)
	return m
}

// Info is what was really used.
func (m *Model) Info() ModelInfo {
	if m.isZero() {
		return ModelInfo{}
	}
	return m.model.info.clone()
}

func (m *Model) isZero() bool { return m == nil || m.model == nil }

// Engine is what the engine that loaded the model really is.
func (m *Model) Engine() EngineInfo {
	if m.isZero() {
		return EngineInfo{}
	}
	return m.model.engine.Info()
}

// Signatures are the model's functions with their inputs and outputs. Run uses
// the first, as do others where they are given no name.
func (m *Model) Signatures() []Signature {
	if m.isZero() {
		return nil
	}
	return cloneAll(m.model.signatures, Signature.clone)
}

// Property reads a setting of the model by the engine's own name for it. Any
// number of goroutines may call it.
func (m *Model) Property(key string) (string, error) {
	if m.isZero() {
		return "", errNotOpen("property")
	}
	if err := m.model.begin(); err != nil {
		return "", m.model.wrap(err, "property")
	}
	defer runtime.KeepAlive(m)
	defer m.model.end()
	return property(m.model.driver, m.model.engine.engine.name, key)
}

// Stats are counters of Run and of acquired sessions. Those of NewSession are
// not counted.
func (m *Model) Stats() Stats {
	if m.isZero() {
		return Stats{}
	}
	return m.model.pool.snapshot()
}

// Close cancels the calls that execute or wait, and closes the model and its
// sessions.
func (m *Model) Close() error {
	if m.isZero() {
		return nil
	}
	defer runtime.KeepAlive(m)
	return m.model.wrap(m.model.closeAll(), "close")
}

// closeAll also closes an engine that was opened for this model alone.
func (m *model) closeAll() error {
	m.cancelAll()
	return m.finishAll(m.finish)
}

func (m *model) finishAll(finish func() error) error {
	err := finish()
	if m.ownsEngine {
		err = join(err, m.engine.engine.close())
	}
	return err
}

// Shutdown refuses new calls, waits until those that execute or wait have
// ended and acquired sessions were given back, then closes the model: sessions
// of NewSession get ErrClosed from their next call on, while a Run of theirs that
// executes is waited for. When ctx ends, what is left is cancelled, as by Close,
// and the error is the context's. A goroutine that has a session of the model
// acquired must not call it.
func (m *Model) Shutdown(ctx context.Context) error {
	if m.isZero() {
		return nil
	}
	defer runtime.KeepAlive(m)
	r := m.model
	r.closing.Store(true)
	either, cancel := context.WithCancel(orBackground(ctx))
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	if err := r.idle(either); err == nil {
		r.pool.drain(either)
	}
	err := r.finishAll(func() error { return r.drain(either) })
	if err == nil && r.ctx.Err() != nil && ctx != nil { // it was cancelled
		err = ctx.Err()
	}
	return r.wrap(err, "shutdown")
}

// Run runs the model's first signature with one of Options.Sessions sessions,
// which is one unless that is set: further calls wait until one has ended or
// ctx has. in has a tensor for each input; they are copied, so the caller may
// change them afterwards. The result has a tensor for each output and is the
// caller's.
//
// A model that keeps variables from Run to Run (ModelInfo.State) starts from
// their initial values: nothing of one call shows in another.
//
// The error wraps ErrInput where in does not fit, ErrBusy where
// Options.MaxWaiting calls wait already, ErrRun where the engine failed,
// ErrClosed, or is the context's.
func (m *Model) Run(ctx context.Context, in Tensors) (Tensors, error) {
	return m.RunSignature(ctx, "", in)
}

// RunSignature is Run for the signature of that name, or for the first one
// where name is "". All signatures share the sessions of Options.Sessions.
func (m *Model) RunSignature(ctx context.Context, name string, in Tensors) (Tensors, error) {
	if m.isZero() {
		return nil, errNotOpen("run")
	}
	r := m.model
	if err := r.begin(); err != nil {
		return nil, r.wrap(err, "run")
	}
	defer runtime.KeepAlive(m)
	defer r.end()
	out, err := r.run(orBackground(ctx), name, in)
	if err != nil {
		return nil, r.wrap(err, "run")
	}
	return out, nil
}

func (m *model) run(ctx context.Context, name string, in Tensors) (Tensors, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	signature, err := m.signature(name)
	if err != nil {
		return nil, err
	}
	var few [8]*Tensor // on the stack
	inputs, err := m.checkInputs(few[:0], signature, in)
	if err != nil {
		return nil, err
	}
	s, err := m.pool.take(ctx, m, signature)
	if err != nil {
		return nil, err
	}
	defer s.giveBack()
	if err := s.beginExclusive(); err != nil {
		return nil, err
	}
	defer s.endExclusive()
	return s.runTensors(ctx, inputs)
}

// signature is the index of the signature of that name, or of the first.
func (m *model) signature(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	i := slices.IndexFunc(m.signatures, func(s Signature) bool { return s.Name == name })
	if i < 0 {
		return 0, inputError(ErrName, "no signature %q; there are %s", name, quoted(m.signatures, func(s Signature) string { return s.Name }))
	}
	return i, nil
}

// NewSession makes a session beside those of Options.Sessions, for the
// signature of that name, or for the first one where name is "". It is for one
// goroutine at a time, and Close frees it; the model's weights are shared where
// the engine can. The error wraps ErrName, ErrClosed, what the engine reports,
// or is the context's.
func (m *Model) NewSession(ctx context.Context, name string) (*Session, error) {
	return m.session(ctx, name, false)
}

// AcquireSession waits for one of the sessions that Run uses, until ctx ends,
// and keeps it for the caller, whose Session.Close gives it back. It starts from
// the initial state, with tensors that hold zeros. A goroutine that has one and
// asks for another, or calls Run, may wait for itself. The error is as Run's.
func (m *Model) AcquireSession(ctx context.Context, name string) (*Session, error) {
	return m.session(ctx, name, true)
}

// session makes a Session of a new session, or of one of the pool.
func (m *Model) session(ctx context.Context, name string, pooled bool) (*Session, error) {
	if m.isZero() {
		return nil, errNotOpen("session")
	}
	if err := m.model.begin(); err != nil {
		return nil, m.model.wrap(err, "session")
	}
	defer runtime.KeepAlive(m)
	defer m.model.end()
	ctx = orBackground(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	signature, err := m.model.signature(name)
	if err != nil {
		return nil, m.model.wrap(err, "session")
	}
	s := &Session{model: m}
	if !pooled {
		if s.session, err = m.model.newSession(ctx, signature); err != nil {
			return nil, m.model.wrap(err, "session")
		}
		runtime.AddCleanup(s, func(r *session) { r.forgotten(r.close) }, s.session)
		return s, nil
	}
	if s.session, err = m.model.pool.take(ctx, m.model, signature); err != nil {
		return nil, m.model.wrap(err, "session")
	}
	s.lease = newLease(s.session)
	s.lease.cleanup = runtime.AddCleanup(s, func(l *lease) { go l.discard() }, s.lease)
	return s, nil
}

func (m *model) wrap(err error, op string) error { return wrap(err, m.engine.engine.name, op, "") }

func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// makeUnique renames what has the name of another, for a map of tensors.
func makeUnique(infos []TensorInfo) {
	seen := map[string]bool{}
	for i := range infos {
		name := infos[i].Name
		for n := 2; seen[infos[i].Name]; n++ {
			infos[i].Name = fmt.Sprintf("%s_%d", name, n)
		}
		seen[infos[i].Name] = true
	}
}
