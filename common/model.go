// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// Tensors are tensors by the names of a model's inputs or outputs.
type Tensors map[string]*Tensor

// Runner is what a program needs of a model that it only runs. Model is one;
// so are wrappers that measure or retry, and fakes in tests.
type Runner interface {
	Run(context.Context, Tensors) (Tensors, error)
}

// Model is a loaded model. Any number of goroutines may use it.
type Model struct{ *model }

// model is the resource behind a Model.
type model struct {
	lifetime
	engine     *Engine // keeps the engine from being collected
	ownsEngine bool
	driver     DriverModel
	info       ModelInfo
	options    Options
	signatures []Signature
	slots      chan struct{} // has an entry for each Model.Run that executes
	idle       chan *session // sessions of the pool that wait for work
	done       chan struct{} // closed when the model closes
}

// newModel makes a Model of a driver's, and of the files that it was read from.
func newModel(e *Engine, d DriverModel, files *ModelFiles, o Options, ownsEngine bool) *Model {
	n := max(o.Sessions, 1)
	r := &model{
		engine: e, ownsEngine: ownsEngine, driver: d, info: d.Info(), options: o, signatures: slices.Clone(d.Signatures()),
		slots: make(chan struct{}, n), idle: make(chan *session, n), done: make(chan struct{}),
	}
	for i := range r.signatures {
		s := &r.signatures[i]
		*s = s.clone()
		makeUnique(s.Inputs)
		makeUnique(s.Outputs)
	}
	r.cancel = sync.OnceFunc(func() { close(r.done) })
	r.release = func() error { return join(d.Close(), files.close()) }
	e.addChild(&r.lifetime)
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
	return m.info.clone()
}

func (m *Model) isZero() bool { return m == nil || m.model == nil }

// Engine is what the engine that loaded the model really is.
func (m *Model) Engine() EngineInfo {
	if m.isZero() {
		return EngineInfo{}
	}
	return m.engine.Info()
}

// Signatures are the model's functions with their inputs and outputs.
// Model.Run and NewSession("") use the first.
func (m *Model) Signatures() []Signature {
	if m.isZero() {
		return nil
	}
	return cloneAll(m.signatures, Signature.clone)
}

// Property reads a setting of the model by the engine's own name for it. Any
// number of goroutines may call it.
func (m *Model) Property(key string) (string, error) {
	if m.isZero() {
		return "", errNotOpen("property")
	}
	if err := m.begin(); err != nil {
		return "", wrap(err, m.engine.name, "property", "")
	}
	defer runtime.KeepAlive(m)
	defer m.end()
	return property(m.driver, m.engine.name, key)
}

// Close closes the model and its sessions.
func (m *Model) Close() error {
	if m.isZero() {
		return nil
	}
	defer runtime.KeepAlive(m)
	return wrap(m.closeAll(), m.engine.name, "close", "")
}

// closeAll also closes an engine that was opened for this model alone.
func (m *model) closeAll() error {
	err := m.close()
	if m.ownsEngine {
		err = join(err, m.engine.close())
	}
	return err
}

// Run runs the model once. At most Options.Sessions calls execute at once, one
// unless that is set; further ones wait until one has ended or ctx has. in has
// a tensor for each input; they are copied, so the caller may change them
// afterwards. The result has a tensor for each output and is the caller's.
//
// A model that keeps variables from Run to Run (ModelInfo.State) starts from
// their initial values: nothing of one call shows in another.
//
// The error wraps ErrInput where in does not fit, ErrRun where the engine
// failed, ErrClosed, or is the context's.
func (m *Model) Run(ctx context.Context, in Tensors) (Tensors, error) {
	if m.isZero() {
		return nil, errNotOpen("run")
	}
	if ctx == nil {
		ctx = context.Background()
	}
	if err := m.begin(); err != nil {
		return nil, wrap(err, m.engine.name, "run", "")
	}
	defer runtime.KeepAlive(m)
	defer m.end()
	out, err := m.run(ctx, in)
	return out, wrap(err, m.engine.name, "run", "")
}

func (m *model) run(ctx context.Context, in Tensors) (Tensors, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := m.checkInputs(in); err != nil {
		return nil, err
	}
	select {
	case m.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.done:
		return nil, &Error{Kind: ErrClosed}
	}
	defer func() { <-m.slots }()
	s, err := m.session()
	if err != nil {
		return nil, err
	}
	defer m.giveBack(s)
	if err := s.beginExclusive(); err != nil {
		return nil, err
	}
	defer s.endExclusive()
	for i, info := range m.signatures[0].Inputs {
		t := in[info.Name]
		if !s.in[i].Is(t.dtype, t.shape) {
			s.in[i], s.changed = nil, true
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
	for i, info := range m.signatures[0].Outputs {
		out[info.Name] = s.out[i].Clone()
	}
	return out, nil
}

// giveBack returns a session to the pool, or closes it where the next call
// would see what this one has left in it.
func (m *model) giveBack(s *session) {
	if !s.reusable() {
		s.close()
		return
	}
	m.idle <- s // has room: there are no more sessions than slots
}

// session is an idle session of the pool, or a new one.
func (m *model) session() (*session, error) {
	select {
	case s := <-m.idle:
		return s, nil
	default:
		return m.newSession(0)
	}
}

// NewSession makes a session for the signature of that name, or for the first
// one where name is "". Sessions are for one goroutine at a time each; the
// model's weights are shared where the engine can.
func (m *Model) NewSession(name string) (*Session, error) {
	if m.isZero() {
		return nil, errNotOpen("session")
	}
	if err := m.begin(); err != nil {
		return nil, wrap(err, m.engine.name, "session", "")
	}
	defer runtime.KeepAlive(m)
	defer m.end()
	i := slices.IndexFunc(m.signatures, func(s Signature) bool { return s.Name == name })
	if i < 0 && name != "" {
		return nil, wrap(inputError(ErrName, "no signature %q; there are %s", name, quoted(m.signatures, func(s Signature) string { return s.Name })), m.engine.name, "session", "")
	}
	r, err := m.newSession(max(i, 0))
	if err != nil {
		return nil, wrap(err, m.engine.name, "session", "")
	}
	s := &Session{r, m}
	runtime.AddCleanup(s, func(r *session) { r.forgotten(r.close) }, r)
	return s, nil
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
