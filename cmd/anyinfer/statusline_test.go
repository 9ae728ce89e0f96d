// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"io"
	"log"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// screen emulates a terminal with a number of columns.
type screen struct {
	mu      sync.Mutex
	columns int
	lines   [][]rune
	column  int
	done    chan struct{}
	seen    []string // each state of the last line that something overwrote
}

// newScreen shows the output of the other side of a terminal until that is closed.
func newScreen(t *testing.T, side *os.File, columns int) *screen {
	require.NoError(t, pty.Setsize(side, &pty.Winsize{Rows: 24, Cols: uint16(columns)}))
	s := &screen{columns: columns, lines: [][]rune{nil}, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		b := make([]byte, 4096)
		for {
			n, err := side.Read(b)
			s.show(string(b[:n]))
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *screen) show(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range text {
		last := &s.lines[len(s.lines)-1]
		switch {
		case r == '\n':
			s.lines = append(s.lines, nil)
		case r == '\r':
			s.seen = append(s.seen, strings.TrimRight(string(*last), " "))
			s.column = 0
		case s.column == s.columns: // it wraps
			s.lines, s.column = append(s.lines, []rune{r}), 1
		default:
			for len(*last) <= s.column {
				*last = append(*last, ' ')
			}
			(*last)[s.column] = r
			s.column++
		}
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, l := range s.lines {
		all = append(all, strings.TrimRight(string(l), " "))
	}
	return strings.Join(all, "\n")
}

func (s *screen) states() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.seen, "\n")
}

func openTerminal(t *testing.T, columns int) (side, tty *os.File, s *screen) {
	t.Helper()
	t.Setenv("CI", "")
	t.Setenv("TERM", "xterm")
	side, tty, err := pty.Open()
	require.NoError(t, err)
	s = newScreen(t, side, columns)
	t.Cleanup(func() {
		log.SetOutput(os.Stderr)
		tty.Close()
		side.Close()
		<-s.done
	})
	return side, tty, s
}

func TestStatusLine(t *testing.T) {
	_, tty, s := openTerminal(t, 20)
	shows := func(want string) {
		t.Helper()
		if !assert.Eventually(t, func() bool { return s.text() == want }, 5*time.Second, time.Millisecond) {
			t.Fatalf("%q is not %q", s.text(), want)
		}
	}
	line := newStatusLine(tty)
	line.show("fetching")
	shows("fetching")
	for range 1000 {
		line.show("fetching a file with a long name")
	}
	line.show("short")
	shows("short")
	require.Less(t, strings.Count(s.states(), "\n"), 20, "too fast to read: %s", s.states())
	line.show("a line that is too long for the terminal")
	shows("a line that is too")
	tty.WriteString("^C") // as a terminal does
	line.show("x")
	shows("x")
	tty.WriteString("^C")
	shows("^C")
	line.clear()
	shows("")
	line.show("working on it still")
	shows("working on it still")
	log.SetFlags(0)
	defer log.SetFlags(log.LstdFlags)
	log.Print("a message")
	shows("a message\n")
	line.show("soon")
	line.clear()
	io.WriteString(tty, "done")
	time.Sleep(2 * statusPause) // nothing comes late
	shows("a message\ndone")
}

func TestNoStatusLine(t *testing.T) {
	_, tty, s := openTerminal(t, 80)
	for _, variable := range [][2]string{{"CI", "true"}, {"TERM", "dumb"}} {
		t.Run(variable[0], func(t *testing.T) {
			t.Setenv(variable[0], variable[1])
			newStatusLine(tty).show("status")
		})
	}
	r, w, err := os.Pipe()
	require.NoError(t, err)
	line := newStatusLine(w)
	line.show("status")
	line.clear()
	require.NoError(t, w.Close())
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Empty(t, text)
	newStatusLine(tty).show("x")
	require.Eventually(t, func() bool { return s.text() == "x" }, 5*time.Second, time.Millisecond, "only one text was drawn: %q", s.text())
}

// TestBenchAtTerminal checks what a terminal shows of a whole command, interrupted or not.
func TestBenchAtTerminal(t *testing.T) {
	requireEngines(t)
	for name, interrupt := range map[string]bool{"to the end": false, "interrupted": true} {
		t.Run(name, func(t *testing.T) {
			side, tty, s := openTerminal(t, 60)
			cmd := exec.Command(os.Args[0], "bench", "--engine", "tflite,openvino", "--duration", "1s", fixtures+"digits.tflite")
			if interrupt {
				cmd.Args = append(cmd.Args, "--duration", "10m")
			}
			cmd.Env = append(os.Environ(), envMain+"=1")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // so that it interrupts all processes
			require.NoError(t, cmd.Start())
			require.Eventually(t, func() bool { return strings.Contains(s.states(), ": round 3 of about ") }, 30*time.Second, time.Millisecond)
			require.Contains(t, s.states(), ": loading the model")
			if interrupt {
				side.WriteString("\x03")
			}
			err := cmd.Wait()
			require.Equal(t, interrupt, err != nil, err)
			require.NoError(t, tty.Close())
			<-s.done // all that was written is shown
			require.True(t, strings.HasPrefix(s.text(), "tflite "), s.text())
			require.NotContains(t, s.text(), "round 3")
			require.NotContains(t, s.text(), "^C")
			require.Regexp(t, `ENGINE +LOAD `, s.text())
			require.NotContains(t, s.text(), "failed")
		})
	}
}
