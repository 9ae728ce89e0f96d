// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/anyinfer/anyinfer/common"
)

// order checks that the calls of a session come as common.DriverSession
// documents. One that does not is a mistake of package common, and panics.
type order struct {
	mu         sync.Mutex
	executing  string // the method that has not returned; or ""
	last       string // the one before
	canceling  bool   // Cancel has not returned
	early      bool   // Cancel came when the next call had to be Run
	bound, ran bool
	closed     bool
}

// begin checks a call of a method before it executes.
func (o *order) begin(method string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		o.mistake(method, "after Close")
	case o.executing != "":
		o.mistake(method, "while "+o.executing+" executes")
	case (o.canceling || o.early) && method != "Run":
		o.mistake("Cancel", "for no Run, but "+method)
	case method != "Bind" && method != "Close" && !o.bound:
		o.mistake(method, "when nothing is bound")
	case method == "Reset" && !o.ran:
		o.mistake(method, "before a Run")
	}
	o.executing, o.early = method, false
}

// end notes that it has returned.
func (o *order) end(method string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.executing, o.last = "", method
	switch method {
	case "Bind":
		o.bound = err == nil
	case "Run":
		o.ran = true
	case "Reset":
		o.ran = o.ran && err != nil
	case "Close":
		o.closed = true
	}
}

// cancel checks a Cancel, which is f. Common calls it while Run executes: here
// that may be a moment before Run begins or after it has returned.
func (o *order) cancel(f func()) {
	o.mu.Lock()
	if o.executing != "Run" && (o.executing != "" || o.closed || !o.bound) {
		o.mistake("Cancel", fmt.Sprintf("while no Run executes, but %q", o.executing))
	}
	o.canceling, o.early = true, o.executing == "" && o.last != "Run"
	o.mu.Unlock()
	runtime.Gosched() // let others make mistakes
	f()
	o.mu.Lock()
	o.canceling = false
	o.mu.Unlock()
}

// disjoint checks that no output shares memory with an input.
func (o *order) disjoint(in, out []*common.Tensor) {
	for _, a := range in {
		for _, b := range out {
			if a == b {
				o.mistake("Bind", "with a tensor that is an input and an output")
			}
		}
	}
}

func (o *order) mistake(method, when string) {
	panic("fake: " + method + " was called " + when)
}
