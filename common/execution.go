// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"sync"
	"time"
)

// execution is the Run that a session's driver executes, or none. It is the
// one place that calls Cancel: under mu, and only while Run executes. So a
// driver need not guard what Cancel uses against Bind, Reset or Close.
//
// A goroutine watches the contexts of Runs. Waking it costs more than a short
// Run takes, and context.AfterFunc allocates, so it polls; a Run that it finds
// at two polls it follows to its end. It holds the execution and so the driver's
// session, but not the Session, which the garbage collector can find unused.
//
// Its fields fill one cache line: after a Run none of them is in the cache.
type execution struct {
	mu       sync.Mutex
	running  bool
	canceled bool            // Cancel was called because done was closed
	watched  bool            // the goroutine exists
	waiting  bool            // it waits for wake: parked, or until the Run ends that it follows
	runs     uint32          // with a context that can end; tells one from the next
	done     <-chan struct{} // of the context of the Run; or nil
	driver   DriverSession
	wake     chan struct{} // nil where a Run cannot be cancelled
	canceler Canceler      // the driver, if its Run can be cancelled; or nil
}

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

// run executes the driver's Run with ctx, whose Done is done. canceled reports that Cancel was called
// because done was closed.
func (e *execution) run(ctx context.Context, done <-chan struct{}) (canceled bool, err error) {
	if e.wake == nil {
		return false, e.driver.Run(ctx)
	}
	e.mu.Lock()
	e.running, e.done, e.canceled = true, done, false
	wake := false
	if done != nil {
		e.runs++
		if !e.watched {
			e.watched = true
			go e.watch()
		}
		wake, e.waiting = e.waiting, false
	}
	e.mu.Unlock()
	if wake {
		e.wake <- struct{}{}
	}
	err = e.driver.Run(ctx)
	e.mu.Lock()
	wake = false
	if done != nil {
		wake, e.waiting = e.waiting, false
	}
	e.running, e.done = false, nil
	canceled = e.canceled
	e.mu.Unlock()
	if wake {
		e.wake <- struct{}{}
	}
	return canceled, err
}

// cancel calls Cancel if Run executes.
func (e *execution) cancel() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running {
		e.canceler.Cancel()
	}
}

// cancelFor calls Cancel if the Run with that context executes.
func (e *execution) cancelFor(done <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running && e.done == done {
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
		if idle++; done != nil {
			idle = 0
		}
		e.waiting = idle > 2 || done != nil && run == seen
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
