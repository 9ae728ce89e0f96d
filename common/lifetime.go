// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// lifetime is what Engine, Model and Session have in common: calls that must
// end before native memory is freed, children to be closed first, and a Close
// that happens once.
//
// It is a part of the resource behind the user's struct and never refers to
// that struct, so that the garbage collector can find the struct unused and
// runtime.AddCleanup close the resource.
type lifetime struct {
	exclusive sync.Mutex   // is held by a call that must be the only one, as a session's are
	closing   atomic.Bool  // new calls are refused
	calls     sync.RWMutex // is held for reading by calls that may run side by side

	// Finish waits for both locks, and keeps them until native memory is freed.
	interrupted chan struct{} // closed when those that execute are to be cancelled
	interrupt   sync.Once     // closes it
	parent      *lifetime
	cancel      func()       // asks a native call to end early, if one executes; or nil
	release     func() error // frees native memory
	once        sync.Once    // finish

	mu       sync.Mutex
	children map[*lifetime]struct{}
}

// errNotOpen is for the nil or zero Engine, Model or Session, which a caller
// that ignored an error may hold.
func errNotOpen(op string) error {
	return &Error{Op: op, Kind: ErrClosed, Message: "it was never opened", Hint: "check the error of Open, Load or NewSession"}
}

// begin starts a call that may run beside others; end ends it.
func (l *lifetime) begin() error {
	if !l.closing.Load() { // else the lock may be had only after close
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

// addChild makes child one of l's, between begin and end of l.
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

// refuse refuses new calls, here and in the children.
func (l *lifetime) refuse() {
	l.closing.Store(true)
	for _, c := range l.allChildren() {
		c.refuse()
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

// drain is close, but that calls which execute are cancelled only when ctx ends.
func (l *lifetime) drain(ctx context.Context) error {
	l.refuse()
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
			select { // it may be new
			case <-l.interrupted:
				c.cancelAll()
			default:
				c.refuse()
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

// forgotten closes what the garbage collector has found unused, unless it is
// closed: on a goroutine of its own, as native code may take long, and other
// cleanups of the program wait for this one.
func (l *lifetime) forgotten(close func() error) {
	if !l.closing.Load() {
		go close()
	}
}

// keepCanceling repeats cancelAll, from when it was first called until the
// returned function is: an SDK ignores a cancel that comes before its work has
// begun.
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
