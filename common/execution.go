// SPDX-License-Identifier: Apache-2.0

package common

import (
	"sync"
	"time"
)

// execution is the Run that a session's driver executes, or none. It is the
// one place that calls Cancel: under mu, and only while Run executes. So a
// driver need not guard what Cancel uses against Bind, Reset or Close.
//
// A goroutine watches the contexts of Runs. It polls them, because waking it
// would cost more than a short Run takes, and context.AfterFunc allocates.
// It holds the execution and so the driver's session, but not the Session, which
// the garbage collector can find unused.
//
// Its fields fill one cache line: after a Run none of them is in the cache.
type execution struct {
	mu       sync.Mutex
	running  bool
	canceled bool            // Cancel was called because done was closed
	watched  bool            // the goroutine exists
	parked   bool            // it waits for wake
	done     <-chan struct{} // of the context of the Run; or nil
	driver   DriverSession
	canceler Canceler // the driver, if its Run can be cancelled; or nil
	wake     chan struct{}
}

// watchPeriod is how late Cancel may come after a context ends, and how often
// it is repeated: an SDK ignores one that comes before its work has begun.
const watchPeriod = 5 * time.Millisecond

func newExecution(d DriverSession) *execution {
	e := &execution{driver: d}
	if e.canceler, _ = d.(Canceler); e.canceler != nil {
		e.wake = make(chan struct{}, 1)
	}
	return e
}

// run executes the driver's Run. canceled reports that Cancel was called
// because done was closed.
func (e *execution) run(done <-chan struct{}) (canceled bool, err error) {
	if e.canceler == nil {
		return false, e.driver.Run()
	}
	e.mu.Lock()
	e.running, e.done, e.canceled = true, done, false
	wake := false
	if done != nil {
		if !e.watched {
			e.watched = true
			go e.watch()
		}
		wake, e.parked = e.parked, false
	}
	e.mu.Unlock()
	if wake {
		e.wake <- struct{}{}
	}
	err = e.driver.Run()
	e.mu.Lock()
	e.running, e.done = false, nil
	canceled = e.canceled
	e.mu.Unlock()
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

// watch is the goroutine. It parks when two polls in a row found no Run.
func (e *execution) watch() {
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	for idle := 0; ; {
		e.mu.Lock()
		done := e.done
		if idle++; done != nil {
			idle = 0
		}
		e.parked = idle > 2
		e.mu.Unlock()
		if idle > 2 {
			tick.Stop()
			if _, ok := <-e.wake; !ok {
				return
			}
			tick.Reset(watchPeriod)
			idle = 0
			continue
		}
		select {
		case <-e.wake: // closed: a wake is sent only to who is parked
			return
		case <-done:
			e.cancelFor(done)
			<-tick.C
		case <-tick.C:
		}
	}
}
