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

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/memfile"
	"github.com/anyinfer/anyinfer/internal/module"
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
	Temp     string         // its private folder
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
	setName("anyinfer-child")
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
	if version := module.Version(); a.Protocol != protocol || a.Version != version {
		return info, &common.Error{
			Kind: common.ErrVersion, Message: fmt.Sprintf("the child's program has version %s (%d) of this module, and this program %s (%d)", version, protocol, a.Version, a.Protocol),
			Hint: "build both from the same version",
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
	src := common.File(a.Folder)
	if a.Folder == "" {
		if a.Names == nil { // then names are only for finding the files again
			for i := range files {
				a.Names = append(a.Names, fmt.Sprintf("file%d", i))
			}
		}
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
		return memfile.Duplicate(p.files[i]) // because package common closes what it opens
	}
	files, err := p.conn.call(context.Background(), opFile, name, nil)
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		closeAll(files)
		return nil, fs.ErrNotExist
	}
	return files[0], nil
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
