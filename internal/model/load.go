// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/suggest"
)

// Load loads the source that suits the engine. An empty name stands for the
// first engine that is ready and can load one of them. The caller closes the
// engine, which closes the model.
func Load(ctx context.Context, name string, sources []common.Source, o common.Options, in Inputs, i Isolation) (*common.Engine, *common.Model, error) {
	engines := []string{name}
	if name == "" {
		var err error
		if engines, err = EnginesFor(sources); err != nil {
			return nil, nil, err
		}
	}
	var e *common.Engine
	var m *common.Model
	err := firstOf(ctx, engines, func(name string) (err error) {
		e, m, err = loadWith(ctx, name, sources, o, in, i)
		return err
	})
	return e, m, err
}

// firstOf calls load for one engine after the other until it succeeds. Like
// common.Load it passes over an engine only if another may succeed, and logs
// that: at Debug if the engine is only not installed or not supported here.
func firstOf(ctx context.Context, engines []string, load func(engine string) error) error {
	var absent []string // engines that are not installed
	var missing error   // of the first of these
	var unsupported []error
	var failed []error
	for _, name := range engines {
		err := load(name)
		switch {
		case err == nil:
			for _, reason := range failed {
				slog.Warn("engine passed over", "reason", reason)
			}
			for _, name := range absent {
				slog.Debug("engine passed over", "reason", name+" is not installed")
			}
			for _, reason := range unsupported {
				slog.Debug("engine passed over", "reason", reason)
			}
			return nil
		case errors.As(err, &NotInstalledError{}):
			absent, missing = append(absent, name), cmp.Or(missing, err)
		case errors.As(err, &NotSupportedError{}):
			unsupported = append(unsupported, err)
		case ctx.Err() != nil:
			return err
		default:
			if failed = append(failed, err); !passOver(err) {
				return errors.Join(failed...)
			}
		}
	}
	all := slices.Concat(failed, unsupported)
	switch {
	case absent != nil && all == nil:
		return NotInstalledError{missing, absent}
	case absent != nil && failed == nil:
		all = append(all, NotInstalledError{missing, absent})
	case absent != nil: // these engines may fail, too
		all = append(all, errors.New("not tried, because not installed: "+strings.Join(absent, ", ")))
	}
	return errors.Join(all...)
}

func loadWith(ctx context.Context, name string, sources []common.Source, o common.Options, in Inputs, i Isolation) (*common.Engine, *common.Model, error) {
	src, err := SourceFor(name, sources)
	if err != nil {
		return nil, nil, err
	}
	e, err := Open(name, i)
	if err != nil {
		return nil, nil, err
	}
	m, err := LoadOn(ctx, e, src, o, in, i)
	if err != nil {
		e.Close()
		return nil, nil, err
	}
	return e, m, nil
}

// passOver reports whether another engine may succeed after one returned err, as
// in common.Load: a failing device would fail there, too.
func passOver(err error) bool {
	for _, kind := range []error{common.ErrNotAvailable, common.ErrVersion, common.ErrModel, common.ErrOption, common.ErrInput} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// LoadOn loads a model, if it passes the probe. An engine that needs the shapes of
// inputs for that gets those of in.
func LoadOn(ctx context.Context, e *common.Engine, src common.Source, o common.Options, in Inputs, i Isolation) (m *common.Model, err error) {
	if err := i.Probe(ctx, e.Info().Name, src, o, in); err != nil {
		return nil, err
	}
	err = in.withShapes(o, func(o *common.Options) error {
		m, err = e.Load(ctx, src, o)
		return err
	})
	return m, err
}

// withShapes calls load, and again with the shapes of in if it refuses the options.
func (in Inputs) withShapes(o common.Options, load func(*common.Options) error) error {
	err := load(&o)
	if !errors.Is(err, common.ErrOption) {
		return err
	}
	shapes := maps.Clone(in.Shapes)
	for name, t := range in.Tensors {
		if shapes == nil {
			shapes = map[string]common.Shape{}
		}
		shapes[name] = t.Shape()
	}
	if len(shapes) == 0 {
		return err
	}
	o.Shapes = FixedShapes(shapes)
	return load(&o)
}

// FixedShapes converts shapes to the form of Options.Shapes.
func FixedShapes(shapes map[string]common.Shape) map[string]common.ShapeRange {
	fixed := map[string]common.ShapeRange{}
	for name, s := range shapes {
		fixed[name] = common.Fixed(s...)
	}
	return fixed
}

// NewSession makes a session for the signature of that name; an empty name stands
// for the first signature.
func NewSession(ctx context.Context, m *common.Model, signature string) (*common.Session, error) {
	var names []string
	for _, s := range m.Signatures() {
		names = append(names, s.Name)
	}
	switch {
	case signature == "" || slices.Contains(names, signature):
		return m.NewSession(ctx, signature)
	case len(names) == 1 && names[0] == "":
		return nil, fmt.Errorf("--signature: the model has only one signature, without a name; leave out %q", signature)
	}
	return nil, fmt.Errorf("--signature: the model has no signature %q%s", signature, suggest.Choices(signature, names))
}
