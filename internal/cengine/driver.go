// SPDX-License-Identifier: Apache-2.0

// Package cengine drives every engine that implements the C ABI of cinclude.
//
// The counts, shapes, handles and strings that an engine returns are checked before
// they are used. Only its addresses are trusted, because they cannot be checked.
package cengine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/nativelog"
)

// Engine describes an engine to this driver.
type Engine struct {
	Library dylib.Spec
	Formats []common.Format
	Options any // Registration.Options
	// Native converts Options.Native, which is not nil, to keys and values of
	// anyinfer_source. It is nil if the engine has no options of its own.
	Native func(native any) (map[string]string, error)
	// Check refuses a model whose structure is damaged, or that could crash the SDK
	// with these options. It also reads the files that the model refers to
	// (ModelFiles.Beside), whose paths the shim then gets. It may be nil.
	Check func(files *common.ModelFiles, o common.Options) error
	// Metadata returns the metadata of a model that Check accepted. It may be nil.
	Metadata func(files *common.ModelFiles, o common.Options) map[string]string
	// PrintsLog is set if the SDK has no log interface and prints to C's stderr,
	// which is then captured.
	PrintsLog bool
	// Rebuild is the command that builds a shim for this version of the program.
	Rebuild string
}

// Register makes e known to package common.
func Register(e Engine) {
	common.Register(common.Registration{
		Name: e.Library.Engine, Formats: e.Formats, Options: e.Options, Open: func(c common.Config) (common.Driver, error) { return Open(&e, c) },
	})
}

// driver is an open engine (anyinfer_engine_t).
type driver struct {
	engine  *Engine
	lib     *dylib.Library // the functions of the engine's table
	handle  uintptr
	info    common.EngineInfo
	devices []common.Device
	log     nativelog.Log
	logID   uintptr // the engine passes it to the log callback
}

// Open opens e. It is for an engine whose driver wraps this one; others use
// Register.
func Open(e *Engine, c common.Config) (common.Driver, error) {
	if c.Native != nil {
		return nil, &common.Error{Kind: common.ErrOption, Message: "this engine has no options for Config.Native"}
	}
	lib, err := dylib.Open(e.Library, entry, c.Library)
	if err != nil {
		return nil, err
	}
	functions, err := e.functions(lib)
	if err != nil {
		return nil, err
	}
	d := &driver{
		engine: e, lib: functions, info: common.EngineInfo{Name: e.Library.Engine, Library: lib.Path},
		log: nativelog.New(c, e.Library.Engine, e.PrintsLog),
	}
	d.logID = registerLog(d.log)
	if err := d.log.Capture(d.start); err != nil {
		d.Close()
		if e := (*common.Error)(nil); errors.As(err, &e) && e.Path == "" {
			e.Path = lib.Path // the user may have several libraries: the error names the one that failed
		}
		return nil, err
	}
	return d, nil
}

// functions reads the engine's table.
func (e *Engine) functions(lib *dylib.Library) (*dylib.Library, error) {
	refuse := func(format string, args ...any) (*dylib.Library, error) {
		return nil, &common.Error{Op: "open", Path: lib.Path, Kind: common.ErrVersion, Message: fmt.Sprintf(format, args...), Hint: e.Rebuild}
	}
	table := lib.Call(0)
	if table == 0 {
		return refuse("the library has no table of functions")
	}
	var a api
	begin := unsafe.Slice((*byte)(unsafe.Pointer(&a)), unsafe.Sizeof(a))
	dylib.CopyOut(begin[:unsafe.Offsetof(a.name)], table)
	if a.abi != abiVersion {
		return refuse("the library has version %d of the engine ABI, but this program needs version %d", a.abi, abiVersion)
	}
	dylib.CopyOut(begin[:min(uintptr(a.size), unsafe.Sizeof(a))], table)
	if i := slices.Index(a.functions[:required], 0); i >= 0 {
		return refuse("the engine's table, of %d bytes, lacks function %d", a.size, i)
	}
	if name := dylib.GoString(a.name); name != e.Library.Engine {
		return refuse("the library has the engine %.100q", name)
	}
	return dylib.FromTable(lib.Path, a.functions[:]), nil
}

// start opens the engine and reads its version and its devices.
func (d *driver) start() (err error) {
	if d.handle, err = d.create(fnOpen, dylib.Ptr(&host{logCallback(), d.logID})); err != nil {
		return err
	}
	if d.info.Version = text(d.lib.Call(fnVersion, dylib.Int(d.handle)), &err); err != nil {
		return err
	}
	return forEachIndex("devices", 1, 1<<10, statusDevice, func(i int) (int32, error) {
		c := new(device)
		status, err := d.callStatus(fnDevice, dylib.Int(d.handle), dylib.Int(i), dylib.Ptr(c))
		if err == nil {
			d.devices = append(d.devices, common.Device{Name: text(c.name, &err), Description: text(c.description, &err)})
			if err == nil && c.name == 0 {
				err = errBadReturn(common.ErrDevice, "a device without a name")
			}
		}
		return status, err
	})
}

func (d *driver) Info() common.EngineInfo { return d.info }

func (d *driver) Devices(context.Context) ([]common.Device, error) {
	return slices.Clone(d.devices), nil
}

func (d *driver) Close() error {
	if d.handle != 0 {
		d.lib.Call(fnClose, dylib.Int(d.handle))
	}
	unregisterLog(d.logID)
	return nil
}

// call calls a function whose last parameter is an anyinfer_error.
func (d *driver) call(fn int, args ...dylib.Arg) error {
	_, err := d.callStatus(fn, args...)
	return err
}

// callStatus is like call, and also returns the function's status.
func (d *driver) callStatus(fn int, args ...dylib.Arg) (int32, error) {
	e := new(errorBuffer)
	status := int32(d.lib.Call(fn, append(args, dylib.Ptr(e))...))
	return status, e.error(status)
}

// create calls a function that makes an object, and returns its handle.
func (d *driver) create(fn int, args ...dylib.Arg) (uintptr, error) {
	handle := new(uintptr)
	if err := d.call(fn, append(args, dylib.Ptr(handle))...); err != nil {
		return 0, err
	}
	if *handle == 0 {
		return 0, errBadReturn(common.ErrRun, "no handle")
	}
	return *handle, nil
}

// forEachIndex calls f for 0, 1, ... until it returns the status past, which means
// that the index is past the last. There must be minCount to maxCount items; what
// is their name in errors.
func forEachIndex(what string, minCount, maxCount int, past int32, f func(i int) (int32, error)) error {
	for i := range maxCount + 1 {
		status, err := f(i)
		if status == past && i >= minCount {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errBadReturn(common.ErrRun, "more than %d %s", maxCount, what)
}

// errBadReturn returns the error for a value that no engine may return.
func errBadReturn(kind error, format string, args ...any) error {
	return &common.Error{Kind: kind, Message: "the engine returned " + fmt.Sprintf(format, args...)}
}

// text copies a string from C. If the string is too long to be valid, it sets err,
// unless that is set already.
func text(addr uintptr, err *error) string {
	s := dylib.GoString(addr)
	if len(s) > 1<<16 && *err == nil {
		*err = errBadReturn(common.ErrRun, "a name of %d bytes or more", len(s))
	}
	return s
}

// error converts a status, and the text that the engine wrote to e, to an error.
func (e *errorBuffer) error(status int32) error {
	if status == 0 {
		return nil
	}
	kind := kinds[status]
	if kind == nil {
		kind = common.ErrRun
	}
	return &common.Error{Kind: kind, Code: int(e.code), Message: e.message()}
}

func (e *errorBuffer) message() string {
	n := slices.Index(e.text[:], 0)
	if n < 0 {
		n = len(e.text)
	}
	return string(e.text[:n])
}
