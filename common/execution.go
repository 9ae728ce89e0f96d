// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// execution runs a session's driver and cancels that Run. It is the only code
// that calls Cancel: it does so while Run executes, and holding mu, which Run
// waits for before it returns. So a driver need not guard the memory that Cancel
// uses against Bind, Reset or Close.
//
// A goroutine watches the contexts of Runs. Waking it would take longer than a
// short Run, and context.AfterFunc allocates, so the goroutine polls. If it sees
// the same Run at two polls, it waits for the end of that Run or of its context.
// The goroutine refers to the execution and the driver's session but not to the
// Session, so that the garbage collector can find a forgotten Session.
//
// The fields fill one cache line, because a large model's Run evicts all of them
// from the cache.
type execution struct {
	state    atomic.Uint32
	runs     uint32 // number of Runs whose context can end, to tell one from the next
	mu       sync.Mutex
	done     <-chan struct{} // the context's, of the last of these Runs
	canceled bool            // Cancel was called because done was closed
	watched  bool            // the goroutine exists
	waiting  bool            // the goroutine waits for wake: it is parked, or follows a Run
	driver   DriverSession
	wake     chan struct{} // nil if a Run cannot be cancelled
	canceler Canceler      // the driver, if its Run can be cancelled; else nil
}

// Bits of execution.state, which is 0 while no Run executes.
const (
	executing  = 1 << iota
	hasContext // the Run that executes has the context of done; set under mu
	held       // the Run was cancelled or is followed, so it takes mu when it ends; set under mu
)

// watchPeriod is the time between polls, and so the longest delay of Cancel after
// the context of a short Run ends. Cancel is repeated after each period, because
// an SDK ignores one that comes before its own work has begun.
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

// end ends a Run that is held, or that panics.
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

// hold keeps the executing Run from ending before mu, which the caller holds, is
// unlocked. It returns false if no Run with all of these bits executes.
func (e *execution) hold(bits uint32) bool {
	for {
		s := e.state.Load()
		if s&bits != bits {
			return false
		}
		if s&held != 0 || e.state.CompareAndSwap(s, s|held) {
			return true
		}
	}
}

// cancel calls Cancel if Run executes.
func (e *execution) cancel() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hold(executing) {
		e.canceler.Cancel()
	}
}

// cancelFor calls Cancel if the Run with that context executes.
func (e *execution) cancelFor(done <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done == done && e.hold(executing|hasContext) {
		e.canceler.Cancel()
		e.canceled = true
	}
}

// close ends the goroutine. No Run executes.
func (e *execution) close() {
	if e.watched {
		close(e.wake)
	}
}

// watch is the goroutine's function. It parks after two polls in a row without a
// Run, and after a Run that it has followed. The next Run wakes it.
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
		e.waiting = idle > 2 || done != nil && run == seen && e.hold(executing|hasContext)
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
				idle = 2 // parks at once unless another Run has begun
			}
		default:
			select {
			case <-e.wake: // it was closed: Runs send only to a goroutine that waits
				return
			case <-done:
				e.cancelFor(done)
				<-tick.C
			case <-tick.C:
			}
		}
	}
}

// follow waits for wake, and meanwhile cancels the Run of that context when the
// context ends. It returns false if wake was closed.
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
