// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/anyinfer/anyinfer/common"
)

// order checks that the calls of a session come in the order that
// common.DriverSession documents. A wrong call is a mistake in package common, and
// panics.
type order struct {
	mu         sync.Mutex
	executing  string // the method that has not returned; or ""
	last       string // the method called before it
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

// end records that the method has returned.
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

// cancel checks a Cancel, whose work f does. Package common calls it while it
// executes Run, which may be shortly before Run here begins or after it returned.
func (o *order) cancel(f func()) {
	o.mu.Lock()
	if o.executing != "Run" && (o.executing != "" || o.closed || !o.bound) {
		o.mistake("Cancel", fmt.Sprintf("while no Run executes, but %q", o.executing))
	}
	o.canceling, o.early = true, o.executing == "" && o.last != "Run"
	o.mu.Unlock()
	runtime.Gosched() // gives a wrong call on another goroutine the time to happen
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
