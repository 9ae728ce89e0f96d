// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/sandbox"
	"golang.org/x/sys/unix"
)

// variable is the environment variable that makes a program a child. It has a childSettings as JSON.
const variable = "ANYINFER_ISOLATED"

// socketFD is the descriptor of the child's socket.
const socketFD = 3

// childSettings are what a child needs to know before it reads its socket.
type childSettings struct {
	Confined bool           // it has executed itself again since it confined itself
	Sandbox  *sandbox.Rules // nil: none
	Temp     string         // the private folder
}

// runChild is the whole life of a child. It ends when the program closes the socket or ends itself.
func runChild(settings string) error {
	var s childSettings
	if err := json.Unmarshal([]byte(settings), &s); err != nil {
		return fmt.Errorf("%s is not what package isolate sets: %w", variable, err)
	}
	if s.Sandbox != nil && !s.Confined {
		return confineAndRestart(s)
	}
	os.Unsetenv(variable)
	if s.Sandbox != nil {
		if err := sandbox.Filter(); err != nil {
			return err
		}
	}
	unix.CloseOnExec(socketFD)
	if err := unix.SetNonblock(socketFD, true); err != nil {
		return fmt.Errorf("this process was not started by package isolate: %w", err)
	}
	c := &child{sessions: map[sessionID]*childSession{}}
	c.conn = newConn(os.NewFile(socketFD, "socket"), c.handle, true, maxCall)
	c.conn.serve()
	if s.Temp != "" {
		os.RemoveAll(s.Temp) // if the program cannot do so any more
	}
	return nil
}

// confineAndRestart executes the program again, so that the sandbox, which a thread gives itself, holds for all threads.
func confineAndRestart(s childSettings) error {
	runtime.LockOSThread()
	if err := sandbox.Confine(*s.Sandbox); err != nil {
		return err
	}
	if err := endWithProgram(); err != nil {
		return err
	}
	s.Confined = true
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	os.Setenv(variable, string(text))
	executable, err := ownExecutable()
	if err != nil {
		return err
	}
	return unix.Exec(executable, os.Args, os.Environ())
}

// child is a process that runs an engine for the program that has started it, with at most one model. It trusts the
// program: package common there has checked every call.
type child struct {
	conn         *conn
	registration common.Registration
	level        slog.LevelVar // the lowest that is sent

	mu       sync.Mutex // guards what follows; calls of one session come one at a time
	driver   common.Driver
	files    *common.ModelFiles
	model    common.DriverModel
	sessions map[sessionID]*childSession
}

func decode[T any](body json.RawMessage) (v T, err error) {
	err = json.Unmarshal(body, &v)
	return v, err
}

// handle answers one call of the program.
func (c *child) handle(op string, body json.RawMessage, files []*os.File) (any, []*os.File, error) {
	defer closeAll(files)
	result, err := c.do(op, body, files)
	return result, nil, err
}

func (c *child) do(op string, body json.RawMessage, files []*os.File) (any, error) {
	switch op {
	case opOpen:
		return call(c.open, body)
	case opDevices:
		return c.driver.Devices(context.Background())
	case opProperty:
		return call(c.property, body)
	case opLoad:
		return call(func(a loadArgs) (loadResult, error) { return c.load(a, files) }, body)
	case opSession:
		return call(func(a sessionArgs) (sessionResult, error) { return c.newSession(a, files) }, body)
	case opClose:
		return nil, c.close()
	}
	// The rest is about a session.
	var id struct{ ID sessionID }
	if err := json.Unmarshal(body, &id); err != nil {
		return nil, err
	}
	c.mu.Lock()
	s := c.sessions[id.ID]
	c.mu.Unlock()
	if s == nil {
		return nil, &common.Error{Kind: common.ErrClosed}
	}
	switch op {
	case opBind:
		return call(func(a bindArgs) ([]common.Shape, error) { return s.bind(a, files) }, body)
	case opStrings:
		return call(s.setStrings, body)
	case opResults:
		return call(func(a memoryArgs) (any, error) { return nil, s.setResults(a, files) }, body)
	case opFailure:
		return nil, s.failure()
	case opProfile:
		return s.profile()
	case opCancel:
		return call(s.cancel, body)
	case opEnd:
		c.mu.Lock()
		delete(c.sessions, id.ID)
		c.mu.Unlock()
		return nil, s.close()
	}
	return nil, fmt.Errorf("there is no call %q", op)
}

// call calls f with the arguments in body.
func call[A, R any](f func(A) (R, error), body json.RawMessage) (any, error) {
	args, err := decode[A](body)
	if err != nil {
		return nil, err
	}
	return f(args)
}

func (c *child) open(a openArgs) (info common.EngineInfo, err error) {
	if a.Protocol != protocol {
		return info, &common.Error{
			Kind: common.ErrVersion, Message: fmt.Sprintf("the child's program has version %d of isolate's protocol; this program has %d", protocol, a.Protocol),
			Hint: "build both from the same version of this module",
		}
	}
	r, ok := common.Lookup(a.Engine)
	if !ok {
		return info, &common.Error{Kind: common.ErrNotAvailable, Message: "the child's program does not import the engine"}
	}
	c.level.Set(a.Level)
	cfg := common.Config{Library: a.Library, Logger: slog.New(logSender{c.conn, &c.level, nil}), KeepStderr: true}
	if cfg.Native, err = decodeNative(a.Native, r.Config); err != nil {
		return info, err
	}
	d, err := r.Open(cfg)
	if err != nil {
		return info, err
	}
	c.registration, c.driver = r, d
	return d.Info(), nil
}

// decodeNative decodes a value of the same type as like.
func decodeNative(text json.RawMessage, like any) (any, error) {
	if text == nil {
		return nil, nil
	}
	if like == nil {
		return nil, &common.Error{Kind: common.ErrOption, Message: "the engine takes no options of its own"}
	}
	v := reflect.New(reflect.TypeOf(like))
	if err := json.Unmarshal(text, v.Interface()); err != nil {
		return nil, &common.Error{Kind: common.ErrOption, Message: "the value of Native cannot be passed to another process", Err: err}
	}
	return v.Elem().Interface(), nil
}

func (c *child) property(a propertyArgs) (string, error) {
	of := any(c.driver)
	if a.OfModel {
		of = c.model
	}
	p, ok := of.(common.Propertier)
	if !ok {
		return "", &common.Error{Kind: common.ErrOption, Message: "this engine has no properties to read"}
	}
	return p.Property(a.Key)
}

func (c *child) load(a loadArgs, files []*os.File) (r loadResult, err error) {
	if a.Options.Native, err = decodeNative(a.Native, c.registration.Options); err != nil {
		return r, err
	}
	c.level.Set(a.Level)
	ctx := context.Background()
	var src common.Source
	switch {
	case a.Folder != "":
		src = common.File(a.Folder)
	case a.Names == nil:
		// The names are only for finding the files again.
		for i := range files {
			a.Names = append(a.Names, fmt.Sprintf("file%d", i))
		}
		fallthrough
	default:
		src = common.FS(&passedFiles{c.conn, a.Names, files}, a.Names...)
	}
	if a.Format != "" {
		src = src.As(a.Format)
	}
	opened, err := common.OpenFiles(ctx, src, a.Options.MapFiles)
	if err != nil {
		return r, err
	}
	m, err := c.driver.Load(ctx, opened, a.Options)
	if err != nil {
		opened.Release()
		return r, err
	}
	c.files, c.model = opened, m
	r.Info, r.Signatures = m.Info(), m.Signatures()
	return r, nil
}

func (c *child) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, s := range c.sessions {
		errs = append(errs, s.close())
	}
	clear(c.sessions)
	if c.model != nil {
		errs = append(errs, c.model.Close())
		c.files.Release()
	}
	if c.driver != nil {
		errs = append(errs, c.driver.Close())
	}
	c.model, c.driver = nil, nil
	return errors.Join(errs...)
}

// passedFiles is the file system with the files that came with a load call. Other files are those that a model refers
// to: the program is asked for them.
type passedFiles struct {
	conn  *conn
	names []string
	files []*os.File
}

func (p *passedFiles) Open(name string) (fs.File, error) {
	if i := slices.Index(p.names, name); i >= 0 {
		return duplicate(p.files[i]) // because package common closes what it opens
	}
	var nothing any
	files, err := p.conn.call(context.Background(), opFile, name, &nothing)
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		closeAll(files)
		return nil, fs.ErrNotExist
	}
	return files[0], nil
}

func duplicate(file *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), file.Name()), nil
}

// logSender sends records to the program.
type logSender struct {
	conn  *conn
	level *slog.LevelVar
	attrs []slog.Attr
}

func (l logSender) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level.Level() }

func (l logSender) Handle(_ context.Context, r slog.Record) error {
	record := logRecord{Level: r.Level, Message: r.Message, Attrs: map[string]string{}}
	add := func(a slog.Attr) bool { record.Attrs[a.Key] = a.Value.String(); return true }
	for _, a := range l.attrs {
		add(a)
	}
	r.Attrs(add)
	return l.conn.send(opLog, record)
}

func (l logSender) WithAttrs(attrs []slog.Attr) slog.Handler {
	l.attrs = append(slices.Clip(l.attrs), attrs...)
	return l
}

func (l logSender) WithGroup(string) slog.Handler { return l }

// childSession is a session of the child's model. One goroutine, on a thread of its own, runs it.
type childSession struct {
	driver    common.DriverSession
	child     *child
	signature int
	control   *shared

	mu      sync.Mutex // held by Run and by the calls that come between Runs
	tensors *shared
	results *shared
	in, out []*common.Tensor
	placed  []*common.Tensor // the outputs in shared memory; nil: the output has no place
	err     error            // of the last Run
	closed  bool
	done    chan struct{} // closed when the goroutine ends

	canceling sync.Mutex
	running   uint32 // the number of the Run that executes; 0: none
	ctx       context.Context
	stop      context.CancelFunc
}

func (c *child) newSession(a sessionArgs, files []*os.File) (r sessionResult, err error) {
	if len(files) != 1 || c.model == nil {
		return r, errors.New("a session needs a model and memory")
	}
	outputs := len(c.model.Signatures()[a.Signature].Outputs)
	control, err := mapShared(files[0], controlSize(outputs))
	if err != nil {
		return r, err
	}
	d, err := c.model.NewSession(context.Background(), a.Signature)
	if err != nil {
		control.close()
		return r, err
	}
	s := &childSession{driver: d, child: c, signature: a.Signature, control: control, done: make(chan struct{})}
	s.ctx, s.stop = context.WithCancel(context.Background())
	c.mu.Lock()
	c.sessions[a.ID] = s
	c.mu.Unlock()
	go s.serve(control.header().request.Load())
	_, r.Cancels = d.(common.Canceler)
	_, r.Resets = d.(common.Resetter)
	_, r.Profiles = d.(common.Profiler)
	return r, nil
}

// bind makes tensors at the places in new memory and binds them.
func (s *childSession) bind(a bindArgs, files []*os.File) ([]common.Shape, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(files) != 1 {
		return nil, errors.New("bind needs memory")
	}
	memory, err := mapShared(files[0], a.Size)
	if err != nil {
		return nil, err
	}
	signature := s.child.model.Signatures()[s.signature]
	in, placed := make([]*common.Tensor, len(a.In)), make([]*common.Tensor, len(a.Out))
	for i, info := range signature.Inputs {
		if info.DType == common.String {
			in[i], err = common.NewTensor(info.DType, a.In[i].Shape...)
		} else {
			in[i], err = common.TensorIn(memory.data[a.In[i].Offset:], info.DType, a.In[i].Shape...)
		}
		if err != nil {
			memory.close()
			return nil, err
		}
	}
	for i, info := range signature.Outputs {
		if a.Out[i].Shape != nil {
			if placed[i], err = common.TensorIn(memory.data[a.Out[i].Offset:], info.DType, a.Out[i].Shape...); err != nil {
				memory.close()
				return nil, err
			}
		}
	}
	out := slices.Clone(placed)
	err = s.driver.Bind(in, out)
	// The driver uses the new tensors only, or none.
	s.tensors.close()
	s.tensors, s.in, s.out, s.placed = memory, in, out, placed
	if err != nil {
		return nil, err
	}
	shapes := make([]common.Shape, len(out))
	for i, t := range out {
		if t != nil {
			shapes[i] = t.Shape()
		}
	}
	return shapes, nil
}

func (s *childSession) setStrings(a stringsArgs) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	values, err := common.Data[string](s.in[a.Input])
	if err != nil || len(values) != len(a.Values) {
		return nil, errors.New("not as many strings as the input has")
	}
	for i, v := range a.Values {
		values[i] = string(v)
	}
	return nil, nil
}

func (s *childSession) setResults(a memoryArgs, files []*os.File) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(files) != 1 {
		return errors.New("results need memory")
	}
	s.results.close()
	if s.results, err = mapShared(files[0], a.Size); err != nil {
		return err
	}
	if s.writeResults() != succeeded {
		return errors.New("the memory of the results is too small")
	}
	return nil
}

func (s *childSession) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *childSession) profile() ([]common.LayerTime, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.driver.(common.Profiler)
	if !ok {
		return nil, &common.Error{Kind: common.ErrOption, Message: "this engine has no profile"}
	}
	return p.Profile()
}

// close ends the goroutine and closes the session.
func (s *childSession) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	word := &s.control.header().request
	word.Add(1)
	wake(word)
	<-s.done
	s.canceling.Lock() // cancel uses the control memory
	defer s.canceling.Unlock()
	s.stop()
	err := s.driver.Close()
	for _, m := range []*shared{s.control, s.tensors, s.results} {
		m.close()
	}
	return err
}

// serve runs the model whenever the program has written another number than last into request.
func (s *childSession) serve(last uint32) {
	runtime.LockOSThread()
	defer close(s.done)
	h := s.control.header()
	for {
		request := h.request.Load()
		if request == last {
			sleep(&h.request, last, time.Hour)
			continue
		}
		last = request
		if !s.run(h, last) {
			return
		}
		h.reply.Store(last)
		wake(&h.reply)
	}
}

// run runs the model once. It returns false if the session is closed.
func (s *childSession) run(h *header, number uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.err = nil
	if r, ok := s.driver.(common.Resetter); ok && h.reset != 0 {
		s.err = r.Reset()
	}
	s.setRunning(number) // not before, because a driver is not cancelled while it resets
	if s.err == nil {
		s.err = s.driver.Run(s.ctx)
	}
	s.setRunning(0)
	if h.status = failed; s.err == nil {
		h.status = s.writeResults()
	}
	return true
}

// writeResults copies outputs that are in no place to the memory of results.
func (s *childSession) writeResults() uint32 {
	var l layout
	places := make([]int, 0, 8)
	for i, t := range s.out {
		places = append(places, l.size)
		if t == s.placed[i] && t != nil {
			continue
		}
		if len(t.Shape()) > maxRank {
			s.err = &common.Error{Kind: common.ErrRun, Err: errRank}
			return failed
		}
		l.size = (l.size + encodedSize(t) + common.TensorAlign - 1) &^ (common.TensorAlign - 1)
	}
	h := s.control.header()
	if h.needed = uint64(l.size); s.results == nil && l.size > 0 || s.results != nil && l.size > len(s.results.data) {
		return tooSmall
	}
	for i, t := range s.out {
		r := s.control.result(i)
		if r.loose = 0; t == s.placed[i] && t != nil {
			continue
		}
		r.loose, r.offset, r.size = 1, uint64(places[i]), uint64(encodedSize(t))
		shape := t.Shape()
		r.rank = uint32(len(shape))
		for j, d := range shape {
			r.dims[j] = int64(d)
		}
		if r.size > 0 {
			encode(s.results.data[places[i]:], t)
		}
	}
	return succeeded
}

func (s *childSession) setRunning(number uint32) {
	s.canceling.Lock()
	defer s.canceling.Unlock()
	if s.running = number; number == 0 && s.ctx.Err() != nil {
		s.ctx, s.stop = context.WithCancel(context.Background())
	}
}

// cancel cancels the Run of that number until it has ended. It is repeated, because an SDK ignores a cancel that comes
// before its own work has begun.
func (s *childSession) cancel(a cancelArgs) (any, error) {
	for s.cancelOnce(a.Run) {
		time.Sleep(5 * time.Millisecond)
	}
	return nil, nil
}

// cancelOnce reports whether the Run has not ended.
func (s *childSession) cancelOnce(number uint32) bool {
	s.canceling.Lock()
	defer s.canceling.Unlock()
	if s.control.data == nil {
		return false
	}
	if s.running == number {
		s.stop()
		if c, ok := s.driver.(common.Canceler); ok {
			c.Cancel()
		}
	}
	h := s.control.header()
	return h.request.Load() == number && h.reply.Load() != number
}
