// SPDX-License-Identifier: Apache-2.0

package common

import (
	"sync"
	"time"
)

// watcher calls Cancel when a context ends during a Run. Its goroutine looks
// now and then at what is going on, instead of being told by each Run: to wake
// it costs more than a short Run takes. context.AfterFunc would allocate.
type watcher struct{ *watching }

// watching is what the goroutine has, so that it keeps no session alive.
type watching struct {
	mu       sync.Mutex
	canceler Canceler
	done     <-chan struct{} // of the Run that is going on; or nil
	canceled bool            // Cancel was called for it
	asleep   bool            // the goroutine waits for wake
	wake     chan struct{}
}

// watchPeriod is between two looks: how late Cancel may come, and be repeated
// where it came before native work had begun and was lost.
const watchPeriod = 5 * time.Millisecond

// watch begins to watch done on behalf of c; unwatch must follow.
func (w *watcher) watch(done <-chan struct{}, c Canceler) {
	if w.watching == nil {
		w.watching = &watching{canceler: c, wake: make(chan struct{}, 1)}
		go w.look()
	}
	w.mu.Lock()
	wake := w.asleep
	w.done, w.canceled, w.asleep = done, false, false
	w.mu.Unlock()
	if wake {
		w.wake <- struct{}{}
	}
}

// unwatch ends what watch began and reports whether it called Cancel. After
// unwatch no Cancel comes.
func (w *watcher) unwatch() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = nil
	return w.canceled
}

func (w *watcher) close() {
	if w.watching != nil {
		close(w.wake)
	}
}

// look is the goroutine. It sleeps when two looks in a row found no Run.
func (w *watching) look() {
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	for idle := 0; ; {
		w.mu.Lock()
		done := w.done
		if idle++; done != nil {
			idle = 0
		}
		w.asleep = idle > 2
		w.mu.Unlock()
		if idle > 2 {
			tick.Stop()
			if _, ok := <-w.wake; !ok {
				return
			}
			tick.Reset(watchPeriod)
			idle = 0
			continue
		}
		select {
		case <-w.wake: // closed
			return
		case <-done:
			w.cancel(done)
			<-tick.C
		case <-tick.C:
		}
	}
}

// cancel calls Cancel if a Run with that context is going on.
func (w *watching) cancel(done <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done == done {
		w.canceler.Cancel()
		w.canceled = true
	}
}
