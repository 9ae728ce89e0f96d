// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// LiveModel is a model that can be replaced while calls run: calls that have
// begun end on the old model, and no call fails. The zero LiveModel has no model
// yet; its calls return ErrClosed. Any number of goroutines may use it. It must
// not be copied.
type LiveModel struct {
	current atomic.Pointer[Model]
	mu      sync.Mutex
	ended   bool // Shutdown was called
}

// Replace makes m the current model at once, even if it returns an error; from
// then on the LiveModel closes m. It then shuts down the old model, as
// Model.Shutdown does with ctx, and returns its error. After the LiveModel's
// Shutdown it closes m instead, and the error wraps ErrClosed.
func (l *LiveModel) Replace(ctx context.Context, m *Model) error {
	l.mu.Lock()
	if l.ended {
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

// Shutdown shuts down the current model, as Model.Shutdown does. Later calls
// return ErrClosed, and Replace closes the model that it is given.
func (l *LiveModel) Shutdown(ctx context.Context) error {
	l.mu.Lock()
	l.ended = true
	m := l.current.Load()
	l.mu.Unlock()
	return m.Shutdown(ctx)
}

// Model returns the current model, or nil, for its Info, Signatures and Stats. Its
// other methods return ErrClosed after it has been replaced; those of the
// LiveModel do not.
func (l *LiveModel) Model() *Model { return l.current.Load() }

// Run calls Run of the current model.
func (l *LiveModel) Run(ctx context.Context, in Tensors) (Tensors, error) {
	return l.RunSignature(ctx, "", in)
}

// RunSignature calls RunSignature of the current model.
func (l *LiveModel) RunSignature(ctx context.Context, name string, in Tensors) (Tensors, error) {
	return current(l, func(m *Model) (Tensors, error) { return m.RunSignature(ctx, name, in) })
}

// NewSession calls NewSession of the current model. After that model has been
// replaced, the session's next call returns ErrClosed.
func (l *LiveModel) NewSession(ctx context.Context, name string) (*Session, error) {
	return current(l, func(m *Model) (*Session, error) { return m.NewSession(ctx, name) })
}

// AcquireSession calls AcquireSession of the current model. The session keeps that
// model open until it is closed.
func (l *LiveModel) AcquireSession(ctx context.Context, name string) (*Session, error) {
	return current(l, func(m *Model) (*Session, error) { return m.AcquireSession(ctx, name) })
}

// current calls f with the current model, and again if that model was closed
// because another one has replaced it.
func current[T any](l *LiveModel, f func(*Model) (T, error)) (T, error) {
	for {
		m := l.current.Load()
		result, err := f(m)
		if err == nil || !errors.Is(err, ErrClosed) || l.current.Load() == m {
			return result, err
		}
	}
}
