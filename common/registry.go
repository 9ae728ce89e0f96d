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
	Formats []string // what it reads (Source.Format), what it is best at first
	// EmptyTensors is set where the engine takes inputs with a dimension of 0.
	// Such inputs of others are refused before their drivers see them.
	EmptyTensors bool
	Open         func(Config) (Driver, error)
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

// Engines are the names of the engines whose packages are imported, sorted.
// Whether one is ready only Open tells.
func Engines() []string {
	registryMu.RLock()
	defer registryMu.RUnlock()
	return slices.Sorted(maps.Keys(registry))
}

// Formats are the formats (Source.Format) that the engine of that name reads,
// what it is best at first.
func Formats(name string) []string {
	registryMu.RLock()
	defer registryMu.RUnlock()
	return slices.Clone(registry[name].Formats)
}

// Open opens the engine of that name. cfg may be nil. Open again where
// different Configs are wanted; an Engine serves any number of goroutines.
func Open(name string, cfg *Config) (*Engine, error) {
	registryMu.RLock()
	r, ok := registry[name]
	registryMu.RUnlock()
	if !ok {
		return nil, &Error{
			Engine: name, Op: "open", Kind: ErrNotAvailable,
			Message: "no engine of that name; there are: " + strings.Join(Engines(), ", "),
			Hint:    `import its package: _ "github.com/anyinfer/anyinfer/` + name + `"`,
		}
	}
	var c Config
	if cfg != nil {
		c = *cfg
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	d, err := r.Open(c)
	if err != nil {
		return nil, wrap(err, name, "open", "")
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
		return nil, &Error{Op: "load", Path: src.Name(), Kind: ErrModel, Message: "its format is unknown", Hint: `name it with Source.As("onnx"), or load with an Engine`}
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
		if slices.Contains(r.Formats, format) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(
			cmp.Compare(slices.Index(registry[a].Formats, format), slices.Index(registry[b].Formats, format)),
			cmp.Compare(a, b))
	})
	return names
}
