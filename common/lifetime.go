// SPDX-License-Identifier: Apache-2.0

package common

import (
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
	// use is held for reading by calls that may run side by side, for writing
	// by those that may not and, for ever after, by close.
	use       sync.RWMutex
	closing   atomic.Bool
	parent    *lifetime
	interrupt func()       // asks native work to end early; or nil
	free      func() error // closes native
	closed    sync.Once

	mu       sync.Mutex
	children map[*lifetime]struct{}
	freed    bool // or about to be: no interrupt any more
}

// errNothing is for the nil or zero Engine, Model or Session, which whoever
// did not look at an error may hold.
func errNothing(op string) error {
	return &Error{Op: op, Err: ErrClosed, Text: "it was never opened", Fix: "look at the error of Open, Load or NewSession"}
}

// enter begins a call that may run beside others; exit ends it.
func (l *lifetime) enter() error {
	l.use.RLock()
	if l.closing.Load() {
		l.use.RUnlock()
		return &Error{Err: ErrClosed}
	}
	return nil
}

func (l *lifetime) exit() { l.use.RUnlock() }

// enterAlone begins a call that must be the only one; exitAlone ends it.
func (l *lifetime) enterAlone() error {
	if !l.use.TryLock() {
		if l.closing.Load() {
			return &Error{Err: ErrClosed}
		}
		return &Error{Err: ErrInUse, Text: "another goroutine is using it", Fix: "make a session for each goroutine, or call Model.Run"}
	}
	if l.closing.Load() {
		l.use.Unlock()
		return &Error{Err: ErrClosed}
	}
	return nil
}

func (l *lifetime) exitAlone() { l.use.Unlock() }

// adopt makes child one of l's, during a call that entered l.
func (l *lifetime) adopt(child *lifetime) {
	child.parent = l
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.children == nil {
		l.children = map[*lifetime]struct{}{}
	}
	l.children[child] = struct{}{}
}

func (l *lifetime) kids() []*lifetime {
	l.mu.Lock()
	defer l.mu.Unlock()
	kids := make([]*lifetime, 0, len(l.children))
	for c := range l.children {
		kids = append(kids, c)
	}
	return kids
}

// stop refuses new calls and interrupts those going on, here and below.
func (l *lifetime) stop() {
	l.closing.Store(true)
	l.mu.Lock()
	if l.interrupt != nil && !l.freed {
		l.interrupt()
	}
	l.mu.Unlock()
	for _, c := range l.kids() {
		c.stop()
	}
}

// close stops, waits, closes the children, frees. A second caller waits too.
func (l *lifetime) close() (err error) {
	l.closed.Do(func() {
		// An interrupt that comes before native work has begun is lost, so
		// it is repeated until the call is over.
		for pause := 50 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
			if l.stop(); l.use.TryLock() {
				break
			}
			time.Sleep(pause)
		}
		defer l.use.Unlock()
		for _, c := range l.kids() {
			err = join(err, c.close())
		}
		l.mu.Lock()
		l.freed = true
		l.mu.Unlock()
		err = join(err, l.free())
		l.gone()
		if l.parent != nil {
			l.parent.mu.Lock()
			delete(l.parent.children, l)
			l.parent.mu.Unlock()
		}
	})
	return err
}
