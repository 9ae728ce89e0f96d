// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// statusLine shows the progress in a line of a terminal, until it is cleared. Without a
// terminal it does nothing.
type statusLine struct {
	terminal *os.File // or nil
	mu       sync.Mutex
	text     string      // the text to show
	width    int         // of the shown text
	drawn    time.Time   // the time of the last draw
	timer    *time.Timer // draws text after statusPause; or nil
}

// statusPause is the time between changes, so that people can read the text and the
// terminal has little work.
const statusPause = 100 * time.Millisecond

func newStatusLine(w io.Writer) *statusLine {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" || os.Getenv("CI") != "" {
		return &statusLine{}
	}
	s := &statusLine{terminal: f}
	log.SetOutput(s)
	return s
}

// show changes the text of the line.
func (s *statusLine) show(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal == nil {
		return
	}
	s.text = text
	switch wait := statusPause - time.Since(s.drawn); {
	case s.timer != nil:
	case wait <= 0:
		s.draw()
	default:
		s.timer = time.AfterFunc(wait, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.timer = nil; s.text != "" {
				s.draw()
			}
		})
	}
}

// clear empties the line.
func (s *statusLine) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text = ""; s.width > 0 {
		s.draw()
	}
}

// Write prints whole lines in the place of the status line.
func (s *statusLine) Write(p []byte) (int, error) {
	s.clear()
	return s.terminal.Write(p)
}

// draw overwrites the line with text, in one write, so that nothing flickers. It leaves
// the cursor at the start of the line, for other output, and also overwrites the ^C
// that a terminal shows.
func (s *statusLine) draw() {
	columns, _, err := term.GetSize(int(s.terminal.Fd()))
	if err != nil || columns < 2 {
		columns = 80
	}
	text := []rune(printable(s.text))
	text = text[:min(len(text), columns-1)] // text in the last column would wrap
	old := min(max(s.width, len("^C")), columns-1)
	fmt.Fprintf(s.terminal, "\r%s%s\r", string(text), strings.Repeat(" ", max(old-len(text), 0)))
	s.width, s.drawn = len(text), time.Now()
}
