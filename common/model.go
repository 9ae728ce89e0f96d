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

// Runner is the interface of a model that a program only runs. Model and
// LiveModel implement it, as can wrappers that measure or retry, and fakes in
// tests.
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

// newModel makes a Model from a driver's model and the files that it was read
// from.
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
	runtime.AddCleanup(m, func(r *model) { r.closeUnused(r.closeAll) }, r)
	return m
}

// Info describes how the model was loaded: the device, precision, threads and more
// that the engine uses.
func (m *Model) Info() ModelInfo {
	if m.isZero() {
		return ModelInfo{}
	}
	return m.model.info.clone()
}

func (m *Model) isZero() bool { return m == nil || m.model == nil }

// Engine returns a description of the engine that loaded the model.
func (m *Model) Engine() EngineInfo {
	if m.isZero() {
		return EngineInfo{}
	}
	return m.model.engine.Info()
}

// Signatures returns the model's functions with their inputs and outputs, at
// least one. Run uses the first, as do methods that are given the name "".
func (m *Model) Signatures() []Signature {
	if m.isZero() {
		return nil
	}
	return cloneAll(m.model.signatures, Signature.clone)
}

// Property returns a setting of the model by the engine's own name for it
// (OpenVINO: ov_compiled_model_get_property). The error wraps ErrOption if the
// engine has no such setting.
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

// Stats returns counters of Run and of acquired sessions. Sessions of NewSession
// are not counted.
func (m *Model) Stats() Stats {
	if m.isZero() {
		return Stats{}
	}
	return m.model.pool.snapshot()
}

// Close cancels the calls that execute or wait, waits for them to return, and
// closes the model and its sessions. Further calls of Close do nothing.
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
// returned and acquired sessions were closed, then closes the model. It also waits
// for a Run that a session of NewSession executes; the next call of such a session
// returns ErrClosed. When ctx ends, Shutdown cancels the remaining calls as Close
// does, and its error is the context's. A goroutine that has acquired a session of
// the model must not call Shutdown: it would wait for itself.
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
	if err == nil && r.ctx.Err() != nil && ctx != nil { // calls were cancelled
		err = ctx.Err()
	}
	return r.wrap(err, "shutdown")
}

// Run runs the model's first signature. Options.Sessions calls execute at the
// same time, which is one unless that is set; further calls wait until a session
// is free or ctx ends. The map in has a tensor for each input; the tensors are
// copied, so the caller may change them after Run has returned. The result has a
// tensor for each output, and belongs to the caller.
//
// If the model keeps variables from Run to Run (ModelInfo.State), each call
// starts from their initial values: no data of one call is visible in another.
//
// The error wraps ErrInput if in does not fit the signature, ErrBusy if
// Options.MaxWaiting calls wait already, ErrRun if the engine failed, ErrClosed,
// or is the context's.
func (m *Model) Run(ctx context.Context, in Tensors) (Tensors, error) {
	return m.RunSignature(ctx, "", in)
}

// RunSignature is like Run, for the signature of that name, or for the first one
// if name is "". All signatures share the sessions of Options.Sessions.
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
	s, err := m.pool.acquire(ctx, m, signature)
	if err != nil {
		return nil, err
	}
	defer s.putBack()
	if err := s.beginExclusive(); err != nil {
		return nil, err
	}
	defer s.endExclusive()
	return s.runTensors(ctx, inputs)
}

// signature returns the index of the signature of that name, 0 for "".
func (m *model) signature(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	i := slices.IndexFunc(m.signatures, func(s Signature) bool { return s.Name == name })
	if i < 0 {
		return 0, inputError(ErrName, "no signature %q; the signatures are %s", name, quoted(m.signatures, func(s Signature) string { return s.Name }))
	}
	return i, nil
}

// NewSession makes a session in addition to those of Options.Sessions, for the
// signature of that name, or for the first one if name is "". One goroutine at a
// time may use it, and Close frees it. Sessions share the model's weights if the
// engine can share them. The error wraps ErrName, ErrClosed or the kind that the
// engine reports, or is the context's.
func (m *Model) NewSession(ctx context.Context, name string) (*Session, error) {
	return m.session(ctx, name, false)
}

// AcquireSession waits until one of the sessions that Run uses is free or ctx
// ends, and reserves it for the caller until Session.Close. Its variables have
// their initial values, and its tensors hold zeros. A goroutine that has acquired
// a session and acquires another one, or calls Run, may wait for itself. The
// errors are those of Run.
func (m *Model) AcquireSession(ctx context.Context, name string) (*Session, error) {
	return m.session(ctx, name, true)
}

// session makes a Session around a new session or one from the pool.
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
		runtime.AddCleanup(s, func(r *session) { r.closeUnused(r.close) }, s.session)
		return s, nil
	}
	if s.session, err = m.model.pool.acquire(ctx, m.model, signature); err != nil {
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

// makeUnique appends a number to names that occur twice, so that they can be the
// keys of a map.
func makeUnique(infos []TensorInfo) {
	seen := map[string]int{} // the last number that was appended, or 1
	for i := range infos {
		name := infos[i].Name
		for n := seen[name]; seen[infos[i].Name] > 0; seen[name] = n {
			n++
			infos[i].Name = fmt.Sprintf("%s_%d", name, n)
		}
		seen[infos[i].Name] = 1
	}
}
