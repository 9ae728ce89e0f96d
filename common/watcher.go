// SPDX-License-Identifier: Apache-2.0

package common

import "time"

// watcher calls Cancel when a context ends during a Run. Its goroutine is
// kept from Run to Run: context.AfterFunc would allocate for each.
type watcher struct {
	arm    chan watched
	disarm chan bool // its answer: whether Cancel was called
}

type watched struct {
	done <-chan struct{}
	Canceler
}

// watch begins to watch done on behalf of c; unwatch must follow.
func (w *watcher) watch(done <-chan struct{}, c Canceler) {
	if w.arm == nil {
		w.arm, w.disarm = make(chan watched), make(chan bool)
		go watching(w.arm, w.disarm)
	}
	w.arm <- watched{done, c}
}

// unwatch ends what watch began and reports whether it called Cancel. After
// unwatch no Cancel comes.
func (w *watcher) unwatch() bool { return <-w.disarm }

func (w *watcher) close() {
	if w.arm != nil {
		close(w.arm)
	}
}

// watching has the channels only, so that it keeps no session alive.
func watching(arm <-chan watched, disarm chan<- bool) {
	for r := range arm {
		select {
		case disarm <- false:
		case <-r.done:
			// Cancel before native work has begun can be lost: repeat it.
			for over := false; !over; {
				r.Cancel()
				select {
				case disarm <- true:
					over = true
				case <-time.After(time.Millisecond):
				}
			}
		}
	}
}
