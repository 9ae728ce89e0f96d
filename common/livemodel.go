// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// LiveModel is a model that can be replaced by another while calls run: those
// that have begun end on the old one, and none fails. The zero LiveModel has no
// model yet. It must not be copied.
type LiveModel struct {
	current atomic.Pointer[Model]
	mu      sync.Mutex
	over    bool // Shutdown was called
}

// Replace makes m the current model at once, also where it returns an error, and
// is what closes it from then on. It then drains the old model, as by
// Model.Shutdown with ctx, whose error it returns. After the LiveModel's Shutdown
// it closes m instead, and the error wraps ErrClosed.
func (l *LiveModel) Replace(ctx context.Context, m *Model) error {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return join(&Error{Op: "replace", Kind: ErrClosed}, m.Close())
	}
	old := l.current.Swap(m)
	l.mu.Unlock()
	if old == m {
		return nil
	}
	return old.Shutdown(ctx)
}

// Shutdown drains the current model, as by Model.Shutdown, for good.
func (l *LiveModel) Shutdown(ctx context.Context) error {
	l.mu.Lock()
	l.over = true
	m := l.current.Load()
	l.mu.Unlock()
	return m.Shutdown(ctx)
}

// Model is the current model, or nil: for its Info, Signatures and Stats. Other
// calls of it fail with ErrClosed once it was replaced; those of the LiveModel
// do not.
func (l *LiveModel) Model() *Model { return l.current.Load() }

// Run is Run of the current model.
func (l *LiveModel) Run(ctx context.Context, in Tensors) (Tensors, error) {
	return l.RunSignature(ctx, "", in)
}

// RunSignature is RunSignature of the current model.
func (l *LiveModel) RunSignature(ctx context.Context, name string, in Tensors) (Tensors, error) {
	return current(l, func(m *Model) (Tensors, error) { return m.RunSignature(ctx, name, in) })
}

// NewSession is NewSession of the current model. When that was replaced and has
// drained, the session's calls return ErrClosed, but for a Run that executes.
func (l *LiveModel) NewSession(ctx context.Context, name string) (*Session, error) {
	return current(l, func(m *Model) (*Session, error) { return m.NewSession(ctx, name) })
}

// AcquireSession is AcquireSession of the current model. The session goes on
// with that model, which is not closed before the session was given back.
func (l *LiveModel) AcquireSession(ctx context.Context, name string) (*Session, error) {
	return current(l, func(m *Model) (*Session, error) { return m.AcquireSession(ctx, name) })
}

// current calls f with the current model, and again where that was closed for
// another one.
func current[T any](l *LiveModel, f func(*Model) (T, error)) (T, error) {
	for {
		m := l.current.Load()
		result, err := f(m)
		if err == nil || !errors.Is(err, ErrClosed) || l.current.Load() == m {
			return result, err
		}
	}
}
