// SPDX-License-Identifier: Apache-2.0

package dylib

// Prepared is a call whose arguments stay the same. Do makes it without
// allocating. One goroutine at a time may use it.
type Prepared struct {
	addr  uintptr
	args  []uintptr // the arguments in frame, if there is one
	frame *frame    // nil without a trampoline, or with too many arguments
}

// frame is the memory that the trampoline reads and writes.
type frame struct {
	addr   uintptr
	args   [8]uintptr // the arguments that are passed in registers
	result uintptr
}

// Prepare makes a Prepared call of function sym. The caller keeps Go memory among
// args pinned as long as it calls Do.
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

// Set changes argument i, which is a handle or an integer, for later calls of Do.
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
