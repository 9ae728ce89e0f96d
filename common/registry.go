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

// Registration describes an engine to Register, which its package's init calls.
type Registration struct {
	Name    string
	Formats []Format // the formats that it reads, the one that it reads best first
	// EmptyTensors is set if the engine accepts inputs with a dimension of 0.
	// Package common refuses such inputs for other engines.
	EmptyTensors bool
	// UnpaddedTensors is set if the engine works in memory of any alignment and
	// without spare bytes behind the elements. The drivers of other engines get
	// only tensors that are Padded or have no bytes: package common copies others.
	UnpaddedTensors bool
	// Config and Options are zero values of the types that Config.Native and
	// Options.Native take, whose exported fields JSON can hold; nil: none.
	Config, Options any
	Open            func(Config) (Driver, error)
}

// Format is a model format that an engine reads. Engines that read the same
// format register it under the same name: it then has the extensions of all of
// them, and each of their Detect functions is tried.
type Format struct {
	Name       string   // "onnx"; for Source.As
	Extensions []string // of the first file, in lower case: ".onnx"
	// Detect reports whether a file that begins with head, its first 64 bytes or
	// fewer, has this format. If it is nil, only the extension shows the format.
	Detect func(head []byte) bool
	// Companions returns the names of files that belong to the file of that name
	// if they exist: "model.bin" for "model.xml". It may be nil.
	Companions func(name string) []string
}

var (
	registryMu sync.RWMutex
	registry   = map[string]Registration{}
)

// Register makes an engine available to Open and Load. It panics if an engine of
// that name is registered already, because the order of imports would decide which
// of the two is opened.
func Register(r Registration) {
	registryMu.Lock()
	defer registryMu.Unlock()
	if _, twice := registry[r.Name]; twice {
		panic("common: the engine " + strconv.Quote(r.Name) + " is registered twice")
	}
	registry[r.Name] = r
}

// findFormat returns the first Format for which f returns true, with the engines
// in the order of their names, or a zero Format.
func findFormat(f func(Format) bool) Format {
	registryMu.RLock()
	var all []Format
	for _, engine := range slices.Sorted(maps.Keys(registry)) {
		all = append(all, registry[engine].Formats...)
	}
	registryMu.RUnlock() // because f calls functions of engines
	if i := slices.IndexFunc(all, f); i >= 0 {
		return all[i]
	}
	return Format{}
}

// companions returns the names of files that belong to the file of that name in
// this format.
func companions(format, name string) []string {
	f := findFormat(func(f Format) bool { return f.Name == format && f.Companions != nil })
	if f.Companions == nil {
		return nil
	}
	return f.Companions(name)
}

// formatNames returns the names of the formats that an engine reads.
func (r Registration) formatNames() []string {
	var names []string
	for _, f := range r.Formats {
		names = append(names, f.Name)
	}
	return names
}

// Engines returns the sorted names of the engines whose packages are imported. Only
// Open finds out whether an engine's library is installed.
func Engines() []string {
	registryMu.RLock()
	defer registryMu.RUnlock()
	return slices.Sorted(maps.Keys(registry))
}

// Lookup returns the Registration of an engine, for an engine that wraps it, and
// whether it is registered.
func Lookup(name string) (Registration, bool) {
	registryMu.RLock()
	defer registryMu.RUnlock()
	r, ok := registry[name]
	return r, ok
}

// Formats returns the names of the formats that the engine of that name reads,
// the one that it reads best first; nil if there is no such engine.
func Formats(engine string) []string {
	registryMu.RLock()
	defer registryMu.RUnlock()
	return registry[engine].formatNames()
}

// packages maps this module's engines to their folders, for the error of Open.
var packages = map[string]string{
	"litert": "tflite/litert", "mnn": "mnn", "onnxruntime": "onnxruntime", "openvino": "openvino", "tensorrt": "tensorrt", "tflite": "tflite", "tnn": "tnn",
}

// Open opens the engine of that name, whose package must be imported; a nil cfg is
// the zero Config. The error wraps ErrNotAvailable if there is no such engine or
// its library is not found, ErrVersion if the library is too old, or ErrOption. An
// engine can be opened several times, with different Configs.
func Open(name string, cfg *Config) (*Engine, error) {
	r, ok := Lookup(name)
	if !ok {
		err := &Error{
			Engine: name, Op: "open", Kind: ErrNotAvailable,
			Message: "no engine of that name is imported; the imported engines are: " + cmp.Or(strings.Join(Engines(), ", "), "none"),
		}
		if folder, ok := packages[name]; ok {
			err.Hint = `import its package: _ "github.com/anyinfer/anyinfer/` + folder + `"`
		}
		return nil, err
	}
	return OpenEngine(r, cfg)
}

// OpenEngine is like Open, for an engine that is not registered, such as one made
// for a test or one that wraps another.
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

// Load opens an engine and loads a model with it; closing the model also closes the
// engine. It tries the imported engines that read the model's format, the best
// first. It continues with the next engine if one is not available, cannot read the
// model or does not support the Options, and logs the reason at Debug to
// slog.Default(). Any other error, such as a device that is out of memory, is
// returned at once. If no engine loads the model, the error has the reason of each,
// and wraps the kind of the first engine that is available.
func Load(ctx context.Context, src Source, o *Options) (*Model, error) {
	if err := src.check(); err != nil {
		return nil, err
	}
	format := src.Format()
	if format == "" {
		return nil, &Error{
			Op: "load", Path: src.Name(), Kind: ErrModel,
			Message: "no imported engine knows its format; the imported engines are: " + cmp.Or(strings.Join(Engines(), ", "), "none"),
			Hint:    `import the package of an engine that reads it, or name the format, as with Source.As("onnx")`,
		}
	}
	names := enginesFor(format)
	if len(names) == 0 {
		return nil, &Error{
			Op: "load", Path: src.Name(), Kind: ErrNotAvailable,
			Message: "none of the imported engines reads " + format + "; they are: " + strings.Join(Engines(), ", "),
			Hint:    "import the package of one that does",
		}
	}
	var reasons []error
	for _, name := range names {
		m, err := loadWith(ctx, name, src, o)
		if err == nil {
			return m, nil
		}
		if !mayTryNext(err) || ctx != nil && ctx.Err() != nil {
			return nil, err
		}
		slog.Debug("engine passed over", "engine", name, "path", src.Name(), "reason", err)
		reasons = append(reasons, err)
	}
	if len(reasons) == 1 {
		return nil, reasons[0]
	}
	return nil, noEngine(src, format, reasons)
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

// mayTryNext reports whether another engine may load the model, after one has
// returned err.
func mayTryNext(err error) bool {
	for _, kind := range []error{ErrNotAvailable, ErrVersion, ErrModel, ErrOption, ErrInput} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// noEngine returns the error if no engine loads the model, with all reasons. Its
// kind is that of the first engine that is available.
func noEngine(src Source, format string, reasons []error) error {
	e := &Error{
		Op: "load", Path: src.Name(), Kind: ErrNotAvailable, Message: "no engine for " + format + " is ready",
		Err: errors.Join(reasons...),
	}
	for _, err := range reasons {
		var reason *Error
		if errors.As(err, &reason) && !errors.Is(err, ErrNotAvailable) && !errors.Is(err, ErrVersion) {
			e.Kind, e.Message = reason.Kind, "no engine that reads "+format+" loads it"
			break
		}
	}
	return e
}

// enginesFor returns the names of the engines that read format, the best first.
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
