// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"bufio"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
)

// Stderr calls f, and say with each line that C code writes to C's stderr
// meanwhile: libraries print there what they have no other way to tell. When
// it returns, all was said. Where C's stderr cannot be exchanged (see
// openRedirection), it only calls f.
//
// The stream is the process's: where several calls go on at once, the last to
// begin hears them all. Go's os.Stderr is another thing, and goes on.
func Stderr(say func(line string), f func()) {
	r := theRedirection()
	if r == nil {
		f()
		return
	}
	l := &listener{say, make(chan struct{})}
	r.begin(l)
	defer r.end(l)
	f()
}

// redirection is a stream that can stand in for C's stderr, and who listens to
// it. There is one, for ever: C code may hold on to a stream.
type redirection struct {
	out      io.Reader      // what was written to the stream
	exchange func(in bool)  // puts the stream in C's stderr's place, or C's own back
	flush    func()         // the stream
	mark     func(s string) // writes behind what was flushed

	mu        sync.Mutex
	active    int         // calls of f
	listeners []*listener // of calls of f, and of those over whose mark was not read
	ending    []*listener // those, in the order in which they may end
}

type listener struct {
	say   func(line string)
	heard chan struct{} // closed when all was said
}

// endMark is a line that C code does not write.
const endMark = "\x00end"

func (r *redirection) begin(l *listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listeners = append(r.listeners, l)
	if r.active++; r.active == 1 {
		r.exchange(true)
	}
}

// end waits until l has heard all. C code that writes to a full pipe waits for
// read, so that neither flush nor mark may hold what read needs.
func (r *redirection) end(l *listener) {
	r.mu.Lock()
	if r.active--; r.active == 0 {
		r.exchange(false)
	}
	r.mu.Unlock()
	r.flush()
	r.mu.Lock()
	r.ending = append(r.ending, l)
	r.mu.Unlock()
	r.mark("\n" + endMark + "\n")
	<-l.heard
}

// read hands out lines, for ever.
func (r *redirection) read() {
	in := bufio.NewReaderSize(r.out, 1<<16)
	for {
		bytes, _, err := in.ReadLine()
		if err != nil {
			return
		}
		switch line := strings.TrimSpace(string(bytes)); line {
		case "":
		case endMark:
			r.ended()
		default:
			r.last()(line)
		}
	}
}

// ended ends the first that waits: any mark comes behind what that one heard.
func (r *redirection) ended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.ending[0]
	r.ending = r.ending[1:]
	r.listeners = slices.DeleteFunc(r.listeners, func(x *listener) bool { return x == l })
	close(l.heard)
}

// last is whom to tell. C code that took the stream while it stood in may
// write when nobody listens.
func (r *redirection) last() func(string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.listeners); n > 0 {
		return r.listeners[n-1].say
	}
	return func(line string) { os.Stderr.WriteString(line + "\n") }
}
