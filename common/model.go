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
	turns      chan struct{} // has an entry for each Model.Run going on
	idle       chan *session // sessions of the pool that wait for work
	done       chan struct{} // closed when the model closes
}

func newModel(e *Engine, d DriverModel, o Options, ownsEngine bool) *Model {
	n := max(o.Sessions, 1)
	r := &model{
		engine: e, ownsEngine: ownsEngine, driver: d, info: d.Info(), options: o, signatures: slices.Clone(d.Signatures()),
		turns: make(chan struct{}, n), idle: make(chan *session, n), done: make(chan struct{}),
	}
	for i := range r.signatures {
		s := &r.signatures[i]
		*s = s.clone()
		makeUnique(s.Inputs)
		makeUnique(s.Outputs)
	}
	r.interrupt = sync.OnceFunc(func() { close(r.done) })
	r.free = d.Close
	e.adopt(&r.lifetime)
	r.opened("models")
	m := &Model{r}
	runtime.AddCleanup(m, func(r *model) { r.closeAll() }, r)
	return m
}

// Info says what was really used.
func (m *Model) Info() ModelInfo {
	if m.nothing() {
		return ModelInfo{}
	}
	return m.info.clone()
}

func (m *Model) nothing() bool { return m == nil || m.model == nil }

// Engine says what the engine that loaded the model really is.
func (m *Model) Engine() EngineInfo {
	if m.nothing() {
		return EngineInfo{}
	}
	return m.engine.Info()
}

// Signatures are the model's functions with their inputs and outputs.
// Model.Run and NewSession("") use the first.
func (m *Model) Signatures() []Signature {
	if m.nothing() {
		return nil
	}
	return cloneAll(m.signatures, Signature.clone)
}

// Property reads a setting of the model by the engine's own name for it.
func (m *Model) Property(key string) (string, error) {
	if m.nothing() {
		return "", errNothing("property")
	}
	if err := m.enter(); err != nil {
		return "", wrap(err, m.engine.name, "property", "")
	}
	defer runtime.KeepAlive(m)
	defer m.exit()
	return property(m.driver, m.engine.name, key)
}

// Close closes the model and its sessions.
func (m *Model) Close() error {
	if m.nothing() {
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

// Run runs the model once, from its initial state where it has one and the
// engine can reset it. in has a tensor for each input; they are copied,
// so the caller may change them afterwards. The result has a tensor for each
// output and is the caller's. At most Options.Sessions calls go on at once;
// further ones wait for their turn or for ctx. The error Is ErrInput where in
// does not fit, ErrRun where the engine failed, ErrClosed, or the context's.
func (m *Model) Run(ctx context.Context, in Tensors) (Tensors, error) {
	if m.nothing() {
		return nil, errNothing("run")
	}
	if ctx == nil {
		ctx = context.Background()
	}
	if err := m.enter(); err != nil {
		return nil, wrap(err, m.engine.name, "run", "")
	}
	defer runtime.KeepAlive(m)
	defer m.exit()
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
	case m.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.done:
		return nil, &Error{Err: ErrClosed}
	}
	defer func() { <-m.turns }()
	s, err := m.session()
	if err != nil {
		return nil, err
	}
	defer func() { m.idle <- s }() // has room: there are no more sessions than turns
	if err := s.enterAlone(); err != nil {
		return nil, err
	}
	defer s.exitAlone()
	for i, info := range m.signatures[0].Inputs {
		t := in[info.Name]
		if !s.in[i].Is(t.dtype, t.shape) {
			s.in[i], s.bound = nil, false
			if s.in[i], err = NewTensor(t.dtype, t.shape...); err != nil {
				return nil, err
			}
		}
		s.in[i].copyFrom(t)
	}
	if err := s.reset(); err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	out := make(Tensors, len(s.out))
	for i, info := range m.signatures[0].Outputs {
		out[info.Name] = s.out[i].Clone()
	}
	return out, nil
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
	if m.nothing() {
		return nil, errNothing("session")
	}
	if err := m.enter(); err != nil {
		return nil, wrap(err, m.engine.name, "session", "")
	}
	defer runtime.KeepAlive(m)
	defer m.exit()
	i := slices.IndexFunc(m.signatures, func(s Signature) bool { return s.Name == name })
	if i < 0 && name != "" {
		return nil, wrap(inputError(ErrName, "no signature %q; there are %s", name, quoted(m.signatures, func(s Signature) string { return s.Name })), m.engine.name, "session", "")
	}
	r, err := m.newSession(max(i, 0))
	if err != nil {
		return nil, wrap(err, m.engine.name, "session", "")
	}
	s := &Session{r, m}
	runtime.AddCleanup(s, func(r *session) { r.close() }, r)
	return s, nil
}

// makeUnique sees that no name is there twice, as a map of tensors needs.
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
