// SPDX-License-Identifier: Apache-2.0

// Package cengine drives every engine that implements the C ABI of cinclude.
//
// An engine is not trusted with more than its memory: counts, shapes, handles
// and strings that it returns are looked at before they are used. What cannot
// be looked at is whether an address leads anywhere.
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

// Engine says what differs from engine to engine.
type Engine struct {
	dylib.Spec
	Formats []common.Format
	// Native makes pairs of keys and values of Options.Native, which is not
	// nil; it is nil where the engine has none.
	Native func(native any) (map[string]string, error)
	// Check, where set, refuses a model that the SDK might not survive, damaged
	// or with these options. It also adds files that the model refers to
	// (ModelFiles.Beside): the shim then gets paths, too, where it finds them.
	Check func(files *common.ModelFiles, o common.Options) error
	// Unknown, where set, names the operators that Check does not know.
	Unknown func(files *common.ModelFiles) []string
	// PrintsLog says that the SDK has no log of its own and prints on C's
	// stderr instead, which is then captured.
	PrintsLog bool
	// Rebuild is what to type where the shim does not fit this program.
	Rebuild string
}

// Register makes e known to package common.
func Register(e Engine) {
	common.Register(common.Registration{
		Name: e.Spec.Engine, Formats: e.Formats, Open: func(c common.Config) (common.Driver, error) { return Open(&e, c) },
	})
}

// driver is an open engine (anyinfer_engine_t).
type driver struct {
	*Engine
	*dylib.Library // of the engine's functions
	handle         uintptr
	info           common.EngineInfo
	devices        []common.Device
	log            nativelog.Log
	id             uintptr // by which the engine logs
}

// Open opens e, for an engine whose driver does more than this one.
func Open(e *Engine, c common.Config) (common.Driver, error) {
	if c.Native != nil {
		return nil, &common.Error{Kind: common.ErrOption, Message: "this engine has no options for Config.Native"}
	}
	lib, err := dylib.Open(e.Spec, entry, c.Library)
	if err != nil {
		return nil, err
	}
	functions, err := e.functions(lib)
	if err != nil {
		return nil, err
	}
	d := &driver{
		Engine: e, Library: functions, info: common.EngineInfo{Name: e.Spec.Engine, Library: lib.Path},
		log: nativelog.New(c, e.Spec.Engine, e.PrintsLog),
	}
	d.id = registerLog(d.log)
	if err := d.log.Capture(d.start); err != nil {
		d.Close()
		if e := (*common.Error)(nil); errors.As(err, &e) && e.Path == "" {
			e.Path = lib.Path // where it is what it is
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
		return refuse("the library has version %d of the engine ABI, this program %d", a.abi, abiVersion)
	}
	dylib.CopyOut(begin[:min(uintptr(a.size), unsafe.Sizeof(a))], table)
	if i := slices.Index(a.functions[:required], 0); i >= 0 {
		return refuse("the engine's table, of %d bytes, lacks function %d", a.size, i)
	}
	if name := dylib.GoString(a.name); name != e.Spec.Engine {
		return refuse("the library has the engine %.100q", name)
	}
	return dylib.Functions(lib.Path, a.functions[:]), nil
}

func (d *driver) start() (err error) {
	if d.handle, err = d.create(fnOpen, dylib.Ptr(&host{logCallback(), d.id})); err != nil {
		return err
	}
	if d.info.Version = text(d.Call(fnVersion, dylib.Int(d.handle)), &err); err != nil {
		return err
	}
	return d.each(1, 1<<10, statusDevice, func(i int) (int32, error) {
		c := new(device)
		status, err := d.try(fnDevice, dylib.Int(d.handle), dylib.Int(i), dylib.Ptr(c))
		if err == nil {
			d.devices = append(d.devices, common.Device{Name: text(c.name, &err), Description: text(c.description, &err)})
			if err == nil && c.name == 0 {
				err = absurd(common.ErrDevice, "a device without name")
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
		d.Call(fnClose, dylib.Int(d.handle))
	}
	unregisterLog(d.id)
	return nil
}

// do calls a function whose last parameter is an anyinfer_error.
func (d *driver) do(fn int, args ...dylib.Arg) error {
	_, err := d.try(fn, args...)
	return err
}

// try is do with the status.
func (d *driver) try(fn int, args ...dylib.Arg) (int32, error) {
	e := new(errorBuffer)
	status := int32(d.Call(fn, append(args, dylib.Ptr(e))...))
	return status, e.error(status)
}

// create calls a function that makes an object, and returns its handle.
func (d *driver) create(fn int, args ...dylib.Arg) (uintptr, error) {
	handle := new(uintptr)
	if err := d.do(fn, append(args, dylib.Ptr(handle))...); err != nil {
		return 0, err
	}
	if *handle == 0 {
		return 0, absurd(common.ErrRun, "NULL as what it has made")
	}
	return *handle, nil
}

// each calls f for 0, 1, ... until it says that this is past the last.
func (d *driver) each(least, most int, past int32, f func(i int) (int32, error)) error {
	for i := range most + 1 {
		status, err := f(i)
		if status == past && i >= least {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return absurd(common.ErrRun, "more than %d of something, without end", most)
}

// absurd is an error for what no engine should return.
func absurd(kind error, format string, args ...any) error {
	return &common.Error{Kind: kind, Message: "the engine returns " + fmt.Sprintf(format, args...)}
}

// text is a string from C; one without a sensible end is an error.
func text(addr uintptr, err *error) string {
	s := dylib.GoString(addr)
	if len(s) > 1<<16 && *err == nil {
		*err = absurd(common.ErrRun, "a name of %d bytes or more", len(s))
	}
	return s
}

// error is what a status means, with what the engine wrote to e.
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
