// SPDX-License-Identifier: Apache-2.0

package common

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Registration is how an engine makes itself known, from its package's init.
type Registration struct {
	Name    string
	Formats []string // what it reads (Source.Format), what it is best at first
	Open    func(Config) (Driver, error)
}

var (
	registryMu sync.RWMutex
	registry   = map[string]Registration{}
)

// Register makes an engine known. A later one of the same name replaces it.
func Register(r Registration) {
	registryMu.Lock()
	defer registryMu.Unlock()
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
			Engine: name, Op: "open", Err: ErrNotAvailable,
			Text: "no engine of that name; there are: " + strings.Join(Engines(), ", "),
			Fix:  `import its package: _ "github.com/anyinfer/anyinfer/` + name + `"`,
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
	return newEngine(name, d), nil
}

// Load loads a model with the first engine that is ready, reads this kind of
// file, and takes this one with these Options; engines made for the format go
// before those that also read it. Where none takes it, the error is the first
// one's. The engine is opened for this model and closed with it.
func Load(ctx context.Context, src Source, o *Options) (*Model, error) {
	if err := src.check(); err != nil {
		return nil, err
	}
	format := src.Format()
	if format == "" {
		return nil, &Error{Op: "load", Path: src.Name(), Err: ErrModel, Text: "cannot tell its format", Fix: `say it with Source.As("onnx"), or load with an Engine`}
	}
	names := enginesFor(format)
	if len(names) == 0 {
		return nil, &Error{
			Op: "load", Path: src.Name(), Err: ErrNotAvailable,
			Text: "none of the imported engines reads " + format + "; there are: " + strings.Join(Engines(), ", "),
			Fix:  "import the package of one that does",
		}
	}
	var missing []error
	var refused error // by the best of those that are ready
	for _, name := range names {
		e, err := Open(name, nil)
		if err != nil {
			missing = append(missing, err)
			continue
		}
		m, err := e.load(ctx, src, o, true)
		if err == nil {
			return m, nil
		}
		e.Close()
		if ctx != nil && ctx.Err() != nil {
			return nil, err
		}
		refused = cmp.Or(refused, err)
	}
	if refused != nil {
		return nil, refused
	}
	return nil, &Error{
		Op: "load", Path: src.Name(), Err: ErrNotAvailable,
		Text:  "no engine for " + format + " is ready",
		Cause: errors.Join(missing...),
	}
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
