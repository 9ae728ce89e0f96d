// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"runtime"
)

// Engine is an open engine. Any number of goroutines may use it.
type Engine struct{ engine *engine }

// engine is the resource behind an Engine.
type engine struct {
	lifetime
	name         string
	emptyTensors bool // Registration.EmptyTensors
	unpadded     bool // Registration.UnpaddedTensors
	driver       Driver
	info         EngineInfo
	ctx          context.Context // ends when the engine closes, and Load with it
}

func newEngine(reg Registration, d Driver) *Engine {
	ctx, cancel := context.WithCancel(context.Background())
	r := &engine{name: reg.Name, emptyTensors: reg.EmptyTensors, unpadded: reg.UnpaddedTensors, driver: d, info: d.Info(), ctx: ctx}
	r.interrupted, r.cancel, r.release = make(chan struct{}), cancel, d.Close
	r.track("engines")
	e := &Engine{r}
	runtime.AddCleanup(e, func(r *engine) { r.closeUnused(r.close) }, r)
	return e
}

// Info returns the engine's name, its version and the path of its library.
func (e *Engine) Info() EngineInfo {
	if e.isZero() {
		return EngineInfo{}
	}
	return e.engine.info
}

// Devices returns the processors that Options.Device can name, the default first.
// It asks the SDK, which may load libraries and look for hardware, so it can take
// a second, and memory that is not freed. The error wraps ErrDevice or ErrClosed,
// or is the context's.
func (e *Engine) Devices(ctx context.Context) ([]Device, error) {
	if e.isZero() {
		return nil, errNotOpen("devices")
	}
	if err := e.engine.begin(); err != nil {
		return nil, wrap(err, e.engine.name, "devices", "")
	}
	defer runtime.KeepAlive(e)
	defer e.engine.end()
	devices, err := e.engine.driver.Devices(orBackground(ctx))
	return devices, wrap(err, e.engine.name, "devices", "")
}

func (e *Engine) isZero() bool { return e == nil || e.engine == nil }

// Property returns a setting of the engine by the engine's own name for it
// (OpenVINO: ov_core_get_property). Any number of goroutines may call it. The
// error wraps ErrOption if the engine has no such setting.
func (e *Engine) Property(key string) (string, error) {
	if e.isZero() {
		return "", errNotOpen("property")
	}
	if err := e.engine.begin(); err != nil {
		return "", wrap(err, e.engine.name, "property", "")
	}
	defer runtime.KeepAlive(e)
	defer e.engine.end()
	return property(e.engine.driver, e.engine.name, key)
}

func property(of any, engine, key string) (string, error) {
	p, ok := of.(Propertier)
	if !ok {
		return "", &Error{Engine: engine, Op: "property", Kind: ErrOption, Message: "this engine has no properties to read"}
	}
	v, err := p.Property(key)
	return v, wrap(err, engine, "property", "")
}

// Close closes the engine, every model loaded with it and their sessions. It
// cancels calls that execute and waits for them. Further calls of Close do nothing.
func (e *Engine) Close() error {
	if e.isZero() {
		return nil
	}
	defer runtime.KeepAlive(e)
	return wrap(e.engine.close(), e.engine.name, "close", "")
}

// Load loads a model; nil Options are the zero Options. It reads the model's files
// once, and later changes of the files do not affect the model (but see
// Options.MapFiles). If the engine cannot be interrupted while it loads, Load
// returns only after it has finished, even if ctx ends. The error wraps ErrModel,
// ErrDevice, ErrOption, ErrClosed, ErrInput for Options.Shapes that the model
// cannot have, or is the context's.
func (e *Engine) Load(ctx context.Context, src Source, o *Options) (*Model, error) {
	if e.isZero() {
		return nil, errNotOpen("load")
	}
	if err := src.check(); err != nil {
		return nil, wrap(err, e.engine.name, "load", "")
	}
	return e.load(ctx, src, o, false)
}

// load does the work of Load, after src.check. With owns, closing the model also
// closes the engine.
func (e *Engine) load(ctx context.Context, src Source, o *Options, owns bool) (*Model, error) {
	var opts Options
	if o != nil {
		opts = o.clone()
	}
	if err := opts.check(e.engine, src); err != nil {
		return nil, wrap(err, e.engine.name, "load", src.Name())
	}
	ctx = orBackground(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := e.engine.begin(); err != nil {
		return nil, wrap(err, e.engine.name, "load", src.Name())
	}
	defer runtime.KeepAlive(e)
	defer e.engine.end()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.engine.ctx, cancel)()
	files, err := src.openFiles(ctx, opts.MapFiles)
	var d DriverModel
	if err == nil {
		if d, err = e.engine.driver.Load(ctx, files, opts); err != nil {
			err = files.restoreNames(err)
			files.close()
		}
	}
	if err != nil {
		if e.engine.closing.Load() {
			err = &Error{Kind: ErrClosed}
		}
		return nil, wrap(err, e.engine.name, "load", src.Name())
	}
	return newModel(e, d, files, opts, owns), nil
}
