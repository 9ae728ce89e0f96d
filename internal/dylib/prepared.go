// SPDX-License-Identifier: Apache-2.0

package dylib

// Prepared is a call whose arguments stay the same. Do makes it without
// allocating. It is for one goroutine at a time.
type Prepared struct {
	addr  uintptr
	args  []uintptr // those of frame where there is one
	frame *frame    // nil: the call goes the way of others
}

// frame is what the machine's trampoline reads and writes.
type frame struct {
	addr   uintptr
	args   [8]uintptr // as many as have registers
	result uintptr
}

// Prepare keeps a call of function sym for Do. Go memory among args stays
// pinned, by the caller, for as long as Do is called.
func (l *Library) Prepare(sym int, args ...Arg) Prepared {
	p := Prepared{addr: l.addrs[sym]}
	if len(args) <= registers {
		p.frame = &frame{addr: p.addr}
		p.args = p.frame.args[:len(args)]
	} else {
		p.args = make([]uintptr, len(args))
	}
	for i, a := range args {
		p.args[i] = a.value()
	}
	return p
}

// Set changes argument i, a handle or an integer, for the calls to come.
func (p *Prepared) Set(i int, word uintptr) { p.args[i] = word }

// Has reports whether the library has the function, declared with Since.
func (p *Prepared) Has() bool { return p.addr != 0 }

// Do makes the call.
func (p *Prepared) Do() uintptr {
	if p.frame == nil {
		return call(p.addr, p.args)
	}
	return callFrame(p.frame)
}
