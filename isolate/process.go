// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/nativelog"
)

// process is a child process, from the program's side.
type process struct {
	conn    *conn
	cmd     *exec.Cmd
	temp    string // its private folder
	words   *lastWords
	log     nativelog.Log
	loading atomic.Bool
	memory  int64         // Options.Memory
	closing time.Duration // how long closing a session, a model or the engine may take

	ended  chan struct{} // closed when the child has ended
	gone   chan struct{} // closed when its folder is removed too
	dead   atomic.Bool   // its sessions must not wait any more
	killed atomic.Value  // string: why it was killed

	asking sync.Mutex                          // held while files opens one
	files  func(name string) (*os.File, error) // answers opFile; nil: no model is being loaded

	mu       sync.Mutex
	sessions map[*session]bool
	nextID   sessionID
}

// start starts a child, which has not opened the engine yet.
func start(o *Options, r *rules, log nativelog.Log, stderr io.Writer) (_ *process, err error) {
	own, other, err := socketPair()
	if err != nil {
		return nil, &common.Error{Kind: common.ErrNotAvailable, Message: "no socket for a child process", Err: err}
	}
	defer other.Close()
	p := &process{log: log, memory: o.Memory, words: &lastWords{}, closing: min(closeTime, o.loadTime()), ended: make(chan struct{}), gone: make(chan struct{}), sessions: map[*session]bool{}}
	defer func() {
		if err != nil {
			own.Close()
			os.RemoveAll(p.temp)
		}
	}()
	if p.temp, err = os.MkdirTemp("", "anyinfer-child-"); err != nil {
		return nil, &common.Error{Kind: common.ErrNotAvailable, Message: "no temporary folder for a child process", Hint: "set TMPDIR to a folder that can be written", Err: err}
	}
	path, args, err := o.command()
	if err != nil {
		return nil, err
	}
	settings, err := json.Marshal(childSettings{Sandbox: o.sandbox(r, p.temp), Temp: p.temp})
	if err != nil {
		return nil, err
	}
	p.cmd = &exec.Cmd{
		Path: path, Args: args, Dir: o.folder, ExtraFiles: []*os.File{other}, Env: o.environment(p.temp, string(settings)),
		// Ctrl-C on a terminal is for the program, which then ends its children.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, &common.Error{Kind: common.ErrNotAvailable, Message: "no pipe for a child process", Err: err}
	}
	p.cmd.Stdout, p.cmd.Stderr = write, write
	err = startProcess(p.cmd)
	write.Close()
	if err != nil {
		read.Close()
		return nil, &common.Error{Kind: common.ErrNotAvailable, Path: path, Message: "the child process does not start", Err: err}
	}
	p.conn = newConn(own, p.handle, false, maxAnswer)
	go p.live(own, read, stderr)
	go p.watch(o)
	return p, nil
}

// live follows the child until its end.
func (p *process) live(socket, output *os.File, stderr io.Writer) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		defer output.Close()
		lines := bufio.NewReaderSize(output, 4<<10)
		for {
			part, _, err := lines.ReadLine() // the parts of a longer line are lines
			if line := printable(strings.TrimRight(string(part), "\r")); line != "" {
				p.words.add(line)
				if stderr != nil {
					fmt.Fprintln(stderr, line)
				} else {
					p.log.Line(line)
				}
			}
			if err != nil {
				return
			}
		}
	}()
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		p.cmd.Wait()
		socket.SetReadDeadline(time.Now().Add(time.Second)) // a process that it has made may hold the socket
	}()
	p.conn.serve()
	p.dead.Store(true)
	p.cmd.Process.Kill() // it may have closed the socket only
	<-waited
	socket.Close()
	select {
	case <-said:
	case <-time.After(time.Second): // a process of its own holds the pipe
		output.Close()
	}
	p.mu.Lock()
	close(p.ended)
	for s := range p.sessions {
		s.wakeUp()
	}
	p.mu.Unlock()
	removeFolder(p.temp)
	close(p.gone)
}

// removeFolder removes a folder. Unlike os.RemoveAll, which has as many folders open as lie in each other, it moves those
// up first: a stranger's model can have made any number of them.
func removeFolder(folder string) {
	for progress := true; progress; {
		progress = false
		remove := func(path string) bool {
			removed := os.Remove(path) == nil
			progress = progress || removed
			return removed
		}
		eachEntry(folder, func(entry string) {
			if remove(entry) {
				return
			}
			eachEntry(entry, func(inner string) {
				if !remove(inner) && permit(inner) && os.Rename(inner, fmt.Sprintf("%s/%x", folder, rand.Uint64())) == nil {
					progress = true
				}
			})
		})
	}
	os.Remove(folder)
}

// permit permits a folder to be read and moved. It returns false if it is none.
func permit(folder string) bool {
	info, err := os.Lstat(folder)
	return err == nil && info.IsDir() && os.Chmod(folder, 0o700) == nil
}

// eachEntry calls f with the paths of the first entries of a folder.
func eachEntry(folder string, f func(path string)) {
	if !permit(folder) {
		return
	}
	file, err := os.Open(folder)
	if err != nil {
		return
	}
	names, _ := file.Readdirnames(1000)
	file.Close()
	for _, name := range names {
		f(filepath.Join(folder, name))
	}
}

// setFiles sets what answers the child when it asks for a file. The last one is not used any more when it returns.
func (p *process) setFiles(open func(name string) (*os.File, error)) {
	p.asking.Lock()
	defer p.asking.Unlock()
	p.files = open
}

// kill ends the child for that reason.
func (p *process) kill(reason string) {
	p.killed.CompareAndSwap(nil, reason)
	p.cmd.Process.Kill()
}

// crashed waits for the child's end, and returns the error of a call that it did not answer.
func (p *process) crashed() error {
	<-p.ended
	e := &common.Error{Kind: common.ErrCrashed, Message: p.words.cause()}
	if reason, ok := p.killed.Load().(string); ok {
		e.Message = reason
	} else if e.Message == "" {
		e.Message = p.cmd.ProcessState.String()
	}
	if said := p.words.text(); said != "" {
		e.Message += "; its last words: " + said
	}
	if p.killed.Load() == nil && p.memory > 0 {
		e.Hint = fmt.Sprintf("if the model is good, it may need more memory than isolate.Options.Memory, %d bytes", p.memory)
	}
	return e
}

// call calls the child. If ctx or limit ends first, the child is killed, even while it does not read the call.
func (p *process) call(ctx context.Context, limit time.Duration, op string, args, result any, files ...*os.File) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer context.AfterFunc(limited, func() {
		if ctx.Err() != nil {
			p.kill("it was killed, because the call's context has ended")
		} else {
			p.kill(fmt.Sprintf("it was killed, because %s took longer than %v", op, limit))
		}
	})()
	got, err := p.conn.call(limited, op, args, result, files...)
	closeAll(got)
	var e *common.Error
	switch {
	case err == nil || errors.As(err, &e):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() == nil:
		p.cmd.Process.Kill() // if only the connection ended. How the child ended says more than that.
	}
	return p.crashed()
}

// handle answers the child's calls.
func (p *process) handle(op string, body json.RawMessage, files []*os.File) (any, []*os.File, error) {
	closeAll(files)
	switch op {
	case opLog:
		if r, err := decode[logRecord](body); err == nil && len(body) <= maxRecord {
			p.record(r)
		}
	case opFile:
		name, err := decode[string](body)
		p.asking.Lock()
		defer p.asking.Unlock()
		if err != nil || p.files == nil {
			return nil, nil, &common.Error{Kind: common.ErrModel, Message: "the engine asked for a file when no model was being loaded"}
		}
		file, err := p.files(name)
		if err != nil {
			return nil, nil, err
		}
		return nil, []*os.File{file}, nil
	}
	return nil, nil, nil
}

func (p *process) record(r logRecord) {
	var attrs []any
	for key, value := range r.Attrs {
		if key != "engine" { // the log adds it
			attrs = append(attrs, key, value)
		}
	}
	p.log.Log(context.Background(), r.Level, r.Message, attrs...)
}

// close ends the child, which first closes what it has open, if it does so in time.
func (p *process) close() {
	p.call(context.Background(), p.closing, opClose, nil, nil)
	p.kill("it was closed")
	<-p.ended
	select {
	case <-p.gone:
	case <-time.After(p.closing):
	}
}

// maxRecord is the size in bytes of the largest record of a child's log: many wait for a handler that is slow.
const maxRecord = 8 << 10

// closeTime is how long a child may take to close what it has, unless Options.LoadTime is shorter.
const closeTime = 10 * time.Second

// printable returns a line that a terminal does not obey.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, line)
}

// lastWords keeps the last lines that a child has printed, and the first of what Go's runtime prints when it dies.
type lastWords struct {
	mu     sync.Mutex
	lines  []string
	death  string
	stacks bool // the runtime prints stacks and registers
}

const keptLines = 8

// add adds a line, unless it is of the stacks and registers that the runtime prints.
func (w *lastWords) add(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, begin := range []string{"SIG", "fatal error: ", "panic: ", "runtime: ", "unexpected fault address"} {
		if !w.stacks && strings.HasPrefix(line, begin) {
			w.stacks, w.death = true, strings.TrimPrefix(line, "fatal error: ")
		}
	}
	if w.stacks {
		return
	}
	if w.lines = append(w.lines, line); len(w.lines) > keptLines {
		w.lines = w.lines[1:]
	}
}

func (w *lastWords) cause() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.death
}

func (w *lastWords) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	const most = 1000
	text := strings.Join(w.lines, " | ")
	return string(bytes.ToValidUTF8([]byte(text[max(0, len(text)-most):]), nil))
}
