// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// execution is the Run that a session's driver executes, or none. It is the
// one place that calls Cancel: only while Run executes, and under mu, which Run
// waits for at its end. So a driver need not guard what Cancel uses against Bind,
// Reset or Close.
//
// A goroutine watches the contexts of Runs. Waking it costs more than a short
// Run takes, and context.AfterFunc allocates, so it polls; a Run that it finds
// at two polls it follows to its end. It holds the execution and so the driver's
// session, but not the Session, which the garbage collector can find unused.
//
// Its fields fill one cache line: after a Run none of them is in the cache.
type execution struct {
	state    atomic.Uint32
	runs     uint32 // with a context that can end; tells one from the next
	mu       sync.Mutex
	done     <-chan struct{} // of the context of the last of these
	canceled bool            // Cancel was called because done was closed
	watched  bool            // the goroutine exists
	waiting  bool            // it waits for wake: parked, or until the Run ends that it follows
	driver   DriverSession
	wake     chan struct{} // nil where a Run cannot be cancelled
	canceler Canceler      // the driver, if its Run can be cancelled; or nil
}

// Bits of execution.state; 0: no Run executes.
const (
	executing  = 1 << iota
	hasContext // it is the Run with the context of done; set under mu
	attended   // it was cancelled or is followed, so its end has to take mu; set under mu
)

// watchPeriod is how late Cancel may come after the context of a shorter Run
// ends, and how often it is repeated: an SDK ignores one that comes before its
// work has begun.
const watchPeriod = 5 * time.Millisecond

func newExecution(d DriverSession) *execution {
	e := &execution{driver: d}
	if e.canceler, _ = d.(Canceler); e.canceler != nil {
		e.wake = make(chan struct{}, 1)
	}
	return e
}

// run executes the driver's Run with ctx, whose Done is done. canceled reports
// that Cancel was called because done was closed.
func (e *execution) run(ctx context.Context, done <-chan struct{}) (canceled bool, err error) {
	switch {
	case e.wake == nil:
		return false, e.driver.Run(ctx)
	case done == nil:
		e.state.Store(executing)
	default:
		e.begin(done)
	}
	returned := false
	defer func() {
		if !returned { // it panics
			e.end()
		}
	}()
	err = e.driver.Run(ctx)
	returned = true
	if !e.state.CompareAndSwap(executing, 0) && !e.state.CompareAndSwap(executing|hasContext, 0) {
		canceled = e.end()
	}
	return canceled, err
}

// begin begins a Run whose context can end.
func (e *execution) begin(done <-chan struct{}) {
	e.mu.Lock()
	e.done = done
	e.runs++
	e.state.Store(executing | hasContext)
	if !e.watched {
		e.watched = true
		go e.watch()
	}
	wake := e.waiting
	e.waiting = false
	e.mu.Unlock()
	if wake {
		e.wake <- struct{}{}
	}
}

// end ends a Run that is attended.
func (e *execution) end() (canceled bool) {
	e.mu.Lock()
	wake := e.waiting && e.state.Load()&hasContext != 0
	if wake {
		e.waiting = false
	}
	e.state.Store(0)
	canceled, e.canceled = e.canceled, false
	e.mu.Unlock()
	if wake {
		e.wake <- struct{}{}
	}
	return canceled
}

// attend marks the Run that executes, under mu: it does not end before mu is
// free. It returns false if there is none that has all of these bits.
func (e *execution) attend(bits uint32) bool {
	for {
		s := e.state.Load()
		if s&bits != bits {
			return false
		}
		if s&attended != 0 || e.state.CompareAndSwap(s, s|attended) {
			return true
		}
	}
}

// cancel calls Cancel if Run executes.
func (e *execution) cancel() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.attend(executing) {
		e.canceler.Cancel()
	}
}

// cancelFor calls Cancel if the Run with that context executes.
func (e *execution) cancelFor(done <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done == done && e.attend(executing|hasContext) {
		e.canceler.Cancel()
		e.canceled = true
	}
}

// close ends the goroutine, when no Run executes.
func (e *execution) close() {
	if e.watched {
		close(e.wake)
	}
}

// watch is the goroutine. It parks when two polls in a row found no Run, and
// after a Run that it has followed: the next one wakes it at once.
func (e *execution) watch() {
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	var seen uint32 // the Run at the last poll
	for idle := 0; ; {
		e.mu.Lock()
		done, run := e.done, e.runs
		if idle++; e.state.Load()&hasContext == 0 {
			done = nil
		} else {
			idle = 0
		}
		e.waiting = idle > 2 || done != nil && run == seen && e.attend(executing|hasContext)
		waiting := e.waiting
		e.mu.Unlock()
		seen = run
		switch {
		case waiting:
			tick.Stop()
			if !e.follow(done, tick) {
				return
			}
			tick.Reset(watchPeriod)
			if idle = 0; done != nil {
				idle = 2 // parks at once where no other Run has begun
			}
		default:
			select {
			case <-e.wake: // closed: nothing is sent to who does not wait
				return
			case <-done:
				e.cancelFor(done)
				<-tick.C
			case <-tick.C:
			}
		}
	}
}

// follow waits for wake, and cancels the Run of that context when it ends. It
// returns false where wake was closed.
func (e *execution) follow(done <-chan struct{}, tick *time.Ticker) bool {
	ended := done
	for {
		select {
		case _, ok := <-e.wake:
			return ok
		case <-ended:
			ended = nil
			e.cancelFor(done)
			tick.Reset(watchPeriod)
		case <-tick.C:
			e.cancelFor(done)
		}
	}
}
