// SPDX-License-Identifier: Apache-2.0

package common

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Registration is how an engine makes itself known, from its package's init.
type Registration struct {
	Name    string
	Formats []Format // what it reads, what it is best at first
	// EmptyTensors is set where the engine takes inputs with a dimension of 0.
	// Such inputs of others are refused before their drivers see them.
	EmptyTensors bool
	// UnpaddedTensors is set where the engine works in memory of any alignment,
	// also without bytes behind it. Drivers of others see only tensors that are
	// Padded, but for those without bytes: package common copies what is not.
	UnpaddedTensors bool
	Open            func(Config) (Driver, error)
}

// Format is a model format that an engine reads. Engines that read the same one
// register it under the same name: it has the extensions of all of them, and is
// detected by any. An engine that is not registered adds none.
type Format struct {
	Name       string   // "onnx"; for Source.As
	Extensions []string // of the first file, in lower case: ".onnx"
	// Detect reports whether a file that begins with head, its first 64 bytes or
	// fewer, has this format; nil: only extensions do.
	Detect func(head []byte) bool
	// Companions are the names of files that belong to the one of that name,
	// where they are there: "model.bin" for "model.xml"; nil: there are none.
	Companions func(name string) []string
}

var (
	registryMu sync.RWMutex
	registry   = map[string]Registration{}
)

// Register makes an engine known. It panics where there is one of that name:
// which of two it would be depended on the order of imports.
func Register(r Registration) {
	registryMu.Lock()
	defer registryMu.Unlock()
	if _, twice := registry[r.Name]; twice {
		panic("common: the engine " + strconv.Quote(r.Name) + " is registered twice")
	}
	registry[r.Name] = r
}

// findFormat is the first Format of the engines, these by name, for which f is
// true; or a zero one.
func findFormat(f func(Format) bool) Format {
	registryMu.RLock()
	var all []Format
	for _, engine := range slices.Sorted(maps.Keys(registry)) {
		all = append(all, registry[engine].Formats...)
	}
	registryMu.RUnlock() // f calls functions of engines
	if i := slices.IndexFunc(all, f); i >= 0 {
		return all[i]
	}
	return Format{}
}

// companions are the names of files that belong to the one of that name, in
// a format, by what any engine has of it.
func companions(format, name string) []string {
	f := findFormat(func(f Format) bool { return f.Name == format && f.Companions != nil })
	if f.Companions == nil {
		return nil
	}
	return f.Companions(name)
}

// formatNames are the names of the formats that an engine reads.
func (r Registration) formatNames() []string {
	var names []string
	for _, f := range r.Formats {
		names = append(names, f.Name)
	}
	return names
}

// Engines are the names of the engines whose packages are imported, sorted.
// Whether one is ready only Open tells.
func Engines() []string {
	registryMu.RLock()
	defer registryMu.RUnlock()
	return slices.Sorted(maps.Keys(registry))
}

// Formats are the names of the formats that the engine of that name reads,
// what it is best at first.
func Formats(engine string) []string {
	registryMu.RLock()
	defer registryMu.RUnlock()
	return registry[engine].formatNames()
}

// packages are the folders of this module's engines, for the error of Open.
var packages = map[string]string{
	"litert": "tflite/litert", "mnn": "mnn", "openvino": "openvino", "tensorrt": "tensorrt", "tflite": "tflite", "tnn": "tnn",
}

// Open opens the engine of that name. cfg may be nil. Open again where
// different Configs are wanted; an Engine serves any number of goroutines.
func Open(name string, cfg *Config) (*Engine, error) {
	registryMu.RLock()
	r, ok := registry[name]
	registryMu.RUnlock()
	if !ok {
		err := &Error{
			Engine: name, Op: "open", Kind: ErrNotAvailable,
			Message: "no engine of that name is imported; there are: " + cmp.Or(strings.Join(Engines(), ", "), "none"),
		}
		if folder, ok := packages[name]; ok {
			err.Hint = `import its package: _ "github.com/anyinfer/anyinfer/` + folder + `"`
		}
		return nil, err
	}
	return OpenEngine(r, cfg)
}

// OpenEngine opens an engine that need not be registered, such as one made for
// a test, or one that wraps another. cfg may be nil.
func OpenEngine(r Registration, cfg *Config) (*Engine, error) {
	var c Config
	if cfg != nil {
		c = *cfg
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	d, err := r.Open(c)
	if err != nil {
		return nil, wrap(err, r.Name, "open", "")
	}
	return newEngine(r, d), nil
}

// Load loads a model with the first engine that is ready, reads this kind of
// file, and takes this one with these Options; engines made for the format go
// before those that also read it. It passes over an engine that is not
// available or cannot read the model or the Options, and logs why at Debug to
// slog.Default(). Any other error, such as a device that is out of memory,
// ends it. Where no engine takes the model, the error says why each did not. The
// engine is opened for this model and closed with it.
func Load(ctx context.Context, src Source, o *Options) (*Model, error) {
	if err := src.check(); err != nil {
		return nil, err
	}
	format := src.Format()
	if format == "" {
		return nil, &Error{
			Op: "load", Path: src.Name(), Kind: ErrModel,
			Message: "no imported engine knows its format; there are: " + cmp.Or(strings.Join(Engines(), ", "), "none"),
			Hint:    `import the package of an engine that reads it, or name the format, as with Source.As("onnx")`,
		}
	}
	names := enginesFor(format)
	if len(names) == 0 {
		return nil, &Error{
			Op: "load", Path: src.Name(), Kind: ErrNotAvailable,
			Message: "none of the imported engines reads " + format + "; there are: " + strings.Join(Engines(), ", "),
			Hint:    "import the package of one that does",
		}
	}
	var passed []error
	for _, name := range names {
		m, err := loadWith(ctx, name, src, o)
		if err == nil {
			return m, nil
		}
		if !passOver(err) || ctx != nil && ctx.Err() != nil {
			return nil, err
		}
		slog.Debug("engine passed over", "engine", name, "path", src.Name(), "reason", err)
		passed = append(passed, err)
	}
	if len(passed) == 1 {
		return nil, passed[0]
	}
	return nil, noEngine(src, format, passed)
}

// loadWith loads with the engine of that name, opened for this model.
func loadWith(ctx context.Context, name string, src Source, o *Options) (*Model, error) {
	e, err := Open(name, nil)
	if err != nil {
		return nil, err
	}
	m, err := e.load(ctx, src, o, true)
	if err != nil {
		e.Close()
	}
	return m, err
}

// passOver reports whether another engine may do better than the one that
// returned err.
func passOver(err error) bool {
	for _, kind := range []error{ErrNotAvailable, ErrVersion, ErrModel, ErrOption, ErrInput} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// noEngine is the error of a Load that has passed over all engines: of the
// kind of the first that was ready, with the reasons of all.
func noEngine(src Source, format string, passed []error) error {
	e := &Error{
		Op: "load", Path: src.Name(), Kind: ErrNotAvailable, Message: "no engine for " + format + " is ready",
		Err: errors.Join(passed...),
	}
	for _, err := range passed {
		var reason *Error
		if errors.As(err, &reason) && !errors.Is(err, ErrNotAvailable) && !errors.Is(err, ErrVersion) {
			e.Kind, e.Message = reason.Kind, "no engine that reads "+format+" loads it"
			break
		}
	}
	return e
}

// enginesFor are the engines that read format, the best first.
func enginesFor(format string) []string {
	registryMu.RLock()
	defer registryMu.RUnlock()
	var names []string
	for name, r := range registry {
		if slices.Contains(r.formatNames(), format) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(
			cmp.Compare(slices.Index(registry[a].formatNames(), format), slices.Index(registry[b].formatNames(), format)),
			cmp.Compare(a, b))
	})
	return names
}
