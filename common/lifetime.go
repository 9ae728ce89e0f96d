// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// lifetime implements the closing of Engine, Model and Session: it waits for the
// calls that must end before native memory is freed, closes children first, and
// closes once.
//
// It is part of the resource behind the user's struct and never refers to that
// struct, so that runtime.AddCleanup can close the resource when the struct
// becomes unreachable.
type lifetime struct {
	exclusive sync.Mutex   // held by a call that must be the only one, such as a session's Run
	closing   atomic.Bool  // new calls are refused
	calls     sync.RWMutex // held for reading by calls that may run at the same time

	// finish takes both locks, and keeps them until native memory is freed.
	interrupted chan struct{} // closed when executing calls are to be cancelled
	interrupt   sync.Once     // closes interrupted
	parent      *lifetime
	cancel      func()       // asks a native call to return early, if one executes; or nil
	release     func() error // frees native memory
	once        sync.Once    // of finish

	mu       sync.Mutex
	children map[*lifetime]struct{}
}

// errNotOpen is the error of methods of a nil or zero Engine, Model or Session.
// A program has one if it ignored the error of Open, Load or NewSession.
func errNotOpen(op string) error {
	return &Error{Op: op, Kind: ErrClosed, Message: "it is nil or zero: it was never opened", Hint: "check the error of Open, Load or NewSession"}
}

// begin starts a call that may run beside others; end ends it.
func (l *lifetime) begin() error {
	if !l.closing.Load() { // otherwise finish may hold the lock for long
		l.calls.RLock()
		if !l.closing.Load() {
			return nil
		}
		l.calls.RUnlock()
	}
	return &Error{Kind: ErrClosed}
}

func (l *lifetime) end() { l.calls.RUnlock() }

// beginExclusive starts a call that must be the only one; endExclusive ends it.
func (l *lifetime) beginExclusive() error {
	if !l.exclusive.TryLock() {
		if l.closing.Load() {
			return &Error{Kind: ErrClosed}
		}
		return &Error{Kind: ErrInUse, Message: "another goroutine is using it", Hint: "make a session for each goroutine, or call Model.Run"}
	}
	if l.closing.Load() {
		l.exclusive.Unlock()
		return &Error{Kind: ErrClosed}
	}
	return nil
}

func (l *lifetime) endExclusive() { l.exclusive.Unlock() }

// addChild adds a child that l closes before itself. The caller is between begin
// and end of l.
func (l *lifetime) addChild(child *lifetime) {
	child.parent = l
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.children == nil {
		l.children = map[*lifetime]struct{}{}
	}
	l.children[child] = struct{}{}
}

func (l *lifetime) allChildren() []*lifetime {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*lifetime, 0, len(l.children))
	for c := range l.children {
		all = append(all, c)
	}
	return all
}

// refuseCalls refuses new calls, here and in the children.
func (l *lifetime) refuseCalls() {
	l.closing.Store(true)
	for _, c := range l.allChildren() {
		c.refuseCalls()
	}
}

// cancelAll refuses new calls and cancels those that execute, here and in the
// children.
func (l *lifetime) cancelAll() {
	l.closing.Store(true)
	l.interrupt.Do(func() { close(l.interrupted) })
	if l.cancel != nil {
		l.cancel()
	}
	for _, c := range l.allChildren() {
		c.cancelAll()
	}
}

// close refuses new calls, cancels those that execute and waits for them,
// closes the children, and frees native memory. A second caller waits, too.
func (l *lifetime) close() error {
	l.cancelAll()
	return l.finish()
}

// drain is like close, but cancels executing calls only when ctx ends.
func (l *lifetime) drain(ctx context.Context) error {
	l.refuseCalls()
	defer context.AfterFunc(ctx, l.cancelAll)()
	return l.finish()
}

// finish waits for the calls that execute, closes the children, and frees
// native memory, once. New calls are refused already.
func (l *lifetime) finish() (err error) {
	l.once.Do(func() {
		stop := l.keepCanceling()
		l.calls.Lock()
		l.exclusive.Lock()
		stop()
		defer l.calls.Unlock()
		defer l.exclusive.Unlock()
		for _, c := range l.allChildren() {
			select { // the child may have been added after cancelAll
			case <-l.interrupted:
				c.cancelAll()
			default:
				c.refuseCalls()
			}
			err = join(err, c.finish())
		}
		err = join(err, l.release())
		l.untrack()
		if l.parent != nil {
			l.parent.mu.Lock()
			delete(l.parent.children, l)
			l.parent.mu.Unlock()
		}
	})
	return err
}

// idle waits until no call executes, for a lifetime that refuses new ones, or
// until ctx ends.
func (l *lifetime) idle(ctx context.Context) error {
	if l.calls.TryLock() {
		l.calls.Unlock()
		return nil
	}
	idle := make(chan struct{})
	go func() {
		l.calls.Lock()
		defer l.calls.Unlock()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closeUnused closes a resource whose user struct has become unreachable, unless
// it is closed already. It does so on a new goroutine, because native code may
// take long and the program's other cleanups wait for this one.
func (l *lifetime) closeUnused(close func() error) {
	if !l.closing.Load() {
		go close()
	}
}

// keepCanceling repeats cancelAll, once it has been called, until the returned
// function is called: an SDK ignores a cancellation that comes before its own
// work has begun.
func (l *lifetime) keepCanceling() (stop func()) {
	if l.calls.TryLock() {
		defer l.calls.Unlock()
		if l.exclusive.TryLock() {
			defer l.exclusive.Unlock()
			return func() {} // no call executes, and none begins
		}
	}
	over := make(chan struct{})
	go func() {
		select {
		case <-over:
			return
		case <-l.interrupted:
		}
		for pause := 50 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
			select {
			case <-over:
				return
			case <-time.After(pause):
				l.cancelAll()
			}
		}
	}()
	return func() { close(over) }
}
