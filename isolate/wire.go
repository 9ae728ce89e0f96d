// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/anyinfer/anyinfer/common"
	"golang.org/x/sys/unix"
)

// protocol is the version of the messages. Program and child must have the same.
const protocol = 1

const (
	maxAnswer = 8 << 20 // the size in bytes of the largest message of a child
	maxCall   = 1 << 30 // of the program
	maxFiles  = 250     // that come with a message
)

// frame is a message: a call, or the answer to one. A call without an ID has no answer.
type frame struct {
	ID    uint64          `json:",omitempty"`
	Op    string          `json:",omitempty"` // "": an answer
	Body  json.RawMessage `json:",omitempty"`
	Error *wireError      `json:",omitempty"`
	files []*os.File
}

// handler answers the calls of the other side. It owns the files, and returns what it answers with.
type handler func(op string, body json.RawMessage, files []*os.File) (result any, send []*os.File, err error)

// conn is one end of the socket between program and child. Both sides can call the other.
type conn struct {
	socket *os.File
	handle handler
	async  bool // it is the child: each call is handled on a goroutine of its own, and files come with calls
	most   int  // the size of the largest message that is read

	writing sync.Mutex
	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan frame
	ended   error // set when nothing is read any more
}

// errEnded is the error of calls whose answer will not come.
var errEnded = errors.New("the other process has ended")

func newConn(socket *os.File, handle handler, async bool, most int) *conn {
	return &conn{socket: socket, handle: handle, async: async, most: most, waiting: map[uint64]chan frame{}}
}

// socketPair returns both ends of a socket. The first is for this process and does not block, the second for a child.
func socketPair() (own, other *os.File, err error) {
	syscall.ForkLock.RLock() // no process that is started meanwhile gets the descriptors
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, errors.Join(err, unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket"), nil
}

// serve reads messages until the other side ends or sends what is no message.
func (c *conn) serve() error {
	var err error
	for err == nil {
		var f frame
		if f, err = c.read(); err == nil {
			c.take(f)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = errEnded
	for id, answer := range c.waiting {
		delete(c.waiting, id)
		close(answer)
	}
	return err
}

func (c *conn) take(f frame) {
	switch {
	case f.Op == "":
		c.mu.Lock()
		answer := c.waiting[f.ID]
		delete(c.waiting, f.ID)
		c.mu.Unlock()
		if answer != nil {
			answer <- f
		} else {
			closeAll(f.files)
		}
	case c.async:
		go c.answer(f)
	default:
		c.answer(f)
	}
}

func (c *conn) answer(f frame) {
	result, files, err := c.handle(f.Op, f.Body, f.files)
	defer closeAll(files)
	if f.ID == 0 {
		return
	}
	a := frame{ID: f.ID, files: files}
	if err != nil {
		a.Error = toWire(err)
	} else if a.Body, err = json.Marshal(result); err != nil {
		a.Error = toWire(&common.Error{Kind: common.ErrRun, Err: err})
	}
	c.write(a) // if it fails, so does reading
}

// call sends a call, decodes its answer into result, if that is not nil, and returns its files. The files given stay the caller's. If ctx ends first, the answer is dropped.
func (c *conn) call(ctx context.Context, op string, args, result any, files ...*os.File) ([]*os.File, error) {
	if result == nil {
		result = new(any)
	}
	body, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	answer := make(chan frame, 1)
	c.mu.Lock()
	c.next++
	id := c.next
	if c.ended != nil {
		c.mu.Unlock()
		return nil, c.ended
	}
	c.waiting[id] = answer
	c.mu.Unlock()
	if err := c.write(frame{ID: id, Op: op, Body: body, files: files}); err != nil {
		return nil, err
	}
	select {
	case f, ok := <-answer:
		switch {
		case !ok:
			return nil, errEnded
		case f.Error != nil:
			closeAll(f.files)
			return nil, f.Error.error()
		}
		if err := json.Unmarshal(f.Body, result); err != nil {
			closeAll(f.files)
			return nil, &common.Error{Kind: common.ErrRun, Message: "the engine's process has answered nonsense", Err: err}
		}
		return f.files, nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
		return nil, ctx.Err()
	}
}

// send sends a call that has no answer.
func (c *conn) send(op string, args any) error {
	body, err := json.Marshal(args)
	if err != nil {
		return err
	}
	return c.write(frame{Op: op, Body: body})
}

// A message on the socket: the lengths of its JSON and of its list of files, which come with the first bytes.
const prefixLen = 8

func (c *conn) write(f frame) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	message := binary.LittleEndian.AppendUint32(nil, uint32(len(text)))
	message = append(binary.LittleEndian.AppendUint32(message, uint32(len(f.files))), text...)
	var rights []byte
	if len(f.files) > 0 {
		var fds []int
		for _, file := range f.files {
			fds = append(fds, int(file.Fd()))
		}
		rights = unix.UnixRights(fds...)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	raw, err := c.socket.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for len(message) > 0 {
			n, err := unix.SendmsgN(int(fd), message, rights, nil, noSignal)
			if err == unix.EAGAIN {
				return false
			} else if err == unix.EINTR {
				continue
			} else if err != nil {
				failed = err
				return true
			}
			message, rights = message[n:], nil
		}
		return true
	})
	return errors.Join(err, failed)
}

func (c *conn) read() (f frame, err error) {
	var prefix [prefixLen]byte
	var rights []byte
	if c.async { // a program takes no files from its children
		rights = make([]byte, unix.CmsgSpace(4*maxFiles))
	}
	n, err := c.receive(prefix[:], rights, &f.files)
	if err == nil && n < prefixLen {
		_, err = io.ReadFull(c.socket, prefix[n:])
	}
	if err == nil {
		length, files := binary.LittleEndian.Uint32(prefix[:]), binary.LittleEndian.Uint32(prefix[4:])
		if int64(length) > int64(c.most) || int(files) != len(f.files) {
			err = fmt.Errorf("a message of %d bytes with %d files, of which %d came", length, files, len(f.files))
		} else {
			text := make([]byte, length)
			if _, err = io.ReadFull(c.socket, text); err == nil {
				err = json.Unmarshal(text, &f)
			}
		}
	}
	if err != nil {
		closeAll(f.files)
	}
	return f, err
}

// receive reads the first bytes of a message, and the files that come with them.
func (c *conn) receive(b, rights []byte, files *[]*os.File) (n int, err error) {
	raw, err := c.socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	var got int
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, got, _, _, failed = unix.Recvmsg(int(fd), b, rights, receiveFlags)
			if failed != unix.EINTR {
				return failed != unix.EAGAIN
			}
		}
	})
	if err = errors.Join(err, failed); err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:got])
	for _, m := range messages {
		fds, _ := unix.ParseUnixRights(&m)
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			*files = append(*files, os.NewFile(uintptr(fd), "file"))
		}
	}
	return n, err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// kinds are the kinds of errors, by their number in a wireError.
var kinds = []error{
	common.ErrNotAvailable, common.ErrVersion, common.ErrClosed, common.ErrInUse, common.ErrBusy, common.ErrModel,
	common.ErrDevice, common.ErrOption, common.ErrRun, common.ErrCrashed, common.ErrInput, common.ErrShape, common.ErrDType,
	common.ErrName, common.ErrCount, context.Canceled, context.DeadlineExceeded,
}

// wireError is an error in a message.
type wireError struct {
	Text                            string // of the kind
	Kinds                           []int  // those that it wraps
	Engine, Op, Path, Message, Hint string `json:",omitempty"`
	Code                            int    `json:",omitempty"`
	Searched                        []string
	Cause                           string `json:",omitempty"`
}

func toWire(err error) *wireError {
	e, ok := err.(*common.Error)
	if !ok {
		e = &common.Error{Kind: err}
	}
	w := &wireError{
		Engine: e.Engine, Op: e.Op, Path: e.Path, Message: e.Message, Hint: e.Hint, Code: e.Code, Searched: e.Searched,
	}
	if e.Kind != nil {
		w.Text = e.Kind.Error()
	}
	w.Kinds = kindsOf(e.Kind)
	if e.Err != nil {
		w.Cause = e.Err.Error()
	}
	return w
}

// kindsOf returns the numbers of the kinds that err wraps.
func kindsOf(err error) (numbers []int) {
	for i, kind := range kinds {
		if errors.Is(err, kind) {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

func (w *wireError) error() error {
	kind := wireKind{text: w.Text}
	for _, i := range w.Kinds {
		if i >= 0 && i < len(kinds) {
			kind.wraps = append(kind.wraps, kinds[i])
		}
	}
	e := &common.Error{
		Kind: kind, Engine: w.Engine, Op: w.Op, Path: w.Path, Message: w.Message, Hint: w.Hint, Code: w.Code, Searched: w.Searched,
	}
	for _, k := range kind.wraps {
		if k.Error() == w.Text && slices.Equal(kindsOf(k), w.Kinds) {
			e.Kind = k
		}
	}
	if len(kind.wraps) == 0 {
		e.Kind, e.Message = common.ErrRun, cmp.Or(w.Message, w.Text)
	}
	if w.Cause != "" {
		e.Err = errors.New(w.Cause)
	}
	return e
}

// wireKind is a kind that is none of package common's variables but wraps some.
type wireKind struct {
	text  string
	wraps []error
}

func (k wireKind) Error() string        { return k.text }
func (k wireKind) Is(target error) bool { return slices.Contains(k.wraps, target) }
