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

// CaptureStderr calls f, and calls onLine with each line that C code writes to C's
// stderr meanwhile. It returns after f has returned and onLine has been called for
// every line. onLine must not block: the one goroutine that reads the pipe calls
// it, and every capture of the process waits for that goroutine. If C's stderr
// cannot be replaced (theStderrPipe is nil), CaptureStderr only calls f.
//
// The stream belongs to the whole process, so the lines of all its C code are
// captured. If several captures overlap, the last one to begin gets the lines. Go's
// os.Stderr is a different stream and is not affected. If the process dies inside
// f, lines that have not been read yet are lost.
func CaptureStderr(onLine func(line string), f func()) {
	p := theStderrPipe()
	if p == nil {
		f()
		return
	}
	c := &capture{onLine, make(chan struct{})}
	p.begin(c)
	defer p.end(c)
	f()
}

// stderrPipe is a C stream that can take the place of C's stderr, with the
// captures that read from it. There is one, and it is never closed: C code may
// keep a copy of the stream's address.
type stderrPipe struct {
	out         io.Reader           // reads the stream's text
	replace     func(captured bool) // sets C's stderr to the stream, or back to the original
	flush       func()              // flushes the stream
	writeMarker func(marker string) // writes to the pipe directly, after the flushed text

	mu       sync.Mutex
	running  int        // captures whose f has not returned
	captures []*capture // captures whose end marker was not read, in the order of begin
	ending   []*capture // captures whose end marker was not read, in the order of end
}

type capture struct {
	onLine func(line string)
	done   chan struct{} // closed when the end marker was read
}

// endMarker is a line that C code does not write.
const endMarker = "\x00end"

func (p *stderrPipe) begin(c *capture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.captures = append(p.captures, c)
	if p.running++; p.running == 1 {
		p.replace(true)
	}
}

// end waits until every line of c was read. C code that writes to a full pipe
// waits for read, and flush and writeMarker wait for that C code: they must
// not be called with the lock that read needs.
func (p *stderrPipe) end(c *capture) {
	p.mu.Lock()
	if p.running--; p.running == 0 {
		p.replace(false)
	}
	p.mu.Unlock()
	p.flush()
	p.mu.Lock()
	p.ending = append(p.ending, c)
	p.mu.Unlock()
	p.writeMarker("\n" + endMarker + "\n")
	<-c.done
}

// read passes lines to the captures until the process ends.
func (p *stderrPipe) read() {
	in := bufio.NewReaderSize(p.out, 1<<16)
	for {
		bytes, _, err := in.ReadLine()
		if err != nil {
			return
		}
		switch line := strings.TrimSpace(string(bytes)); line {
		case "":
		case endMarker:
			p.finishFirst()
		default:
			p.receiver()(line)
		}
	}
}

// finishFirst ends the capture that has waited the longest. Each one flushes its
// lines before it joins ending, so that any later marker is behind them.
func (p *stderrPipe) finishFirst() {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.ending[0]
	p.ending = p.ending[1:]
	p.captures = slices.DeleteFunc(p.captures, func(x *capture) bool { return x == c })
	close(c.done)
}

// receiver returns the function for the next line. C code that kept the stream's
// address may write without a capture; such lines go to the original.
func (p *stderrPipe) receiver() func(string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.captures); n > 0 {
		return p.captures[n-1].onLine
	}
	return func(line string) { os.Stderr.WriteString(line + "\n") }
}
