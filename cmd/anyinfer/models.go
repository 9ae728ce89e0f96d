// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/common"
)

// extensions are those of files that models begin with.
var extensions = []string{".onnx", ".xml", ".tflite", ".pb", ".pdmodel", ".mnn", ".tnnproto", ".engine", ".plan"}

// belongsTo are the extensions of files that continue the model before them.
var belongsTo = map[string]string{".bin": ".xml", ".tnnmodel": ".tnnproto"}

// someModels is the Args of commands that take models.
func someModels(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("name a model: %s MODEL..., a file that ends in %s", cmd.CommandPath(), strings.Join(readable(common.Engines()...), ", "))
	}
	return nil
}

// readable are the extensions of files that one of the engines reads.
func readable(engines ...string) []string {
	return slices.DeleteFunc(slices.Clone(extensions), func(ext string) bool {
		return len(readers(common.File(ext).Format(), engines)) == 0
	})
}

// readers are those of engines that read format, the ones made for it first.
func readers(format string, engines []string) []string {
	rank := func(e string) int { return slices.Index(common.Formats(e), format) }
	able := slices.DeleteFunc(slices.Clone(engines), func(e string) bool { return rank(e) < 0 })
	slices.SortStableFunc(able, func(a, b string) int { return rank(a) - rank(b) })
	return able
}

// groupFiles groups files by model.
func groupFiles(files []string) [][]string {
	var groups [][]string
	for _, f := range files {
		if n := len(groups); n > 0 {
			if first := belongsTo[filepath.Ext(f)]; first != "" && filepath.Ext(groups[n-1][0]) == first {
				groups[n-1] = append(groups[n-1], f)
				continue
			}
		}
		groups = append(groups, []string{f})
	}
	return groups
}

// newSources makes a Source of each model among files.
func newSources(files []string) ([]common.Source, error) {
	var sources []common.Source
	for _, g := range groupFiles(files) {
		for _, f := range g {
			if err := exists(f); err != nil {
				return nil, err
			}
		}
		if len(g) == 1 {
			sources = append(sources, common.File(g[0]))
		} else {
			sources = append(sources, common.Files(g...))
		}
	}
	return sources, nil
}

func exists(file string) error {
	_, err := os.Stat(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if strings.HasPrefix(file, "-") {
		return fmt.Errorf("there is no file %q; write flags before --", file)
	}
	dir, base := filepath.Split(file)
	var names []string
	entries, _ := os.ReadDir(cmp.Or(dir, ".")) // none: nothing to suggest
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if near := similar(base, names); near != nil {
		return fmt.Errorf("there is no file %q; did you mean %s%s?", file, dir, strings.Join(near, " or "+dir))
	}
	return fmt.Errorf("there is no file %q", file)
}

// sourceFor is the first of sources that suits the engine, by the engine's
// order of formats. One whose format nobody can tell suits them all.
func sourceFor(engine string, sources []common.Source) (common.Source, error) {
	for _, format := range append(common.Formats(engine), "") {
		for _, s := range sources {
			if s.Format() == format {
				return s, nil
			}
		}
	}
	s := sources[0]
	text := fmt.Sprintf("%s does not read %s; it reads files that end in %s", engine, s.Name(), strings.Join(readable(engine), ", "))
	if others := readers(s.Format(), common.Engines()); len(others) > 0 {
		text += "; try --engine " + strings.Join(others, ",")
	}
	return s, errors.New(text)
}

// enginesFor are all engines that read one of sources.
func enginesFor(sources []common.Source) ([]string, error) {
	var names []string
	for _, s := range sources {
		for _, e := range readers(s.Format(), common.Engines()) {
			if !slices.Contains(names, e) {
				names = append(names, e)
			}
		}
	}
	if names != nil {
		return names, nil
	}
	file, all := sources[0].Name(), strings.Join(common.Engines(), ", ")
	if first := belongsTo[filepath.Ext(file)]; first != "" {
		return nil, fmt.Errorf("%s is not where a model begins; name its %s file before it", file, first)
	}
	if format := sources[0].Format(); format != "" {
		return nil, fmt.Errorf("none of the engines reads %s, a model for %s; there are: %s", file, format, all)
	}
	return nil, fmt.Errorf("%s does not end in %s; if it is a model, say which engine reads it with --engine (there are: %s)",
		file, strings.Join(readable(common.Engines()...), ", "), all)
}

// load loads the source that suits the engine; without a name, that is the
// first that is ready and can load it. The caller closes the engine, and the
// model with it.
func load(ctx context.Context, name string, sources []common.Source, o common.Options, g given) (*common.Engine, *common.Model, error) {
	engines := []string{name}
	if name == "" {
		var err error
		if engines, err = enginesFor(sources); err != nil {
			return nil, nil, err
		}
	}
	var e *common.Engine
	var m *common.Model
	err := firstOf(ctx, engines, func(name string) (err error) {
		e, m, err = loadWith(ctx, name, sources, o, g)
		return err
	})
	return e, m, err
}

// firstOf calls load for one engine after the other until it succeeds. By the
// rule of common.Load it passes over one only where another may do better. It
// says which, where that is more than an SDK that is not installed.
func firstOf(ctx context.Context, engines []string, load func(engine string) error) error {
	var absent []string // engines that are not installed
	var missing error   // of the first of these
	var others []error  // of engines that are not for this machine
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
			for _, reason := range others {
				slog.Debug("engine passed over", "reason", reason)
			}
			return nil
		case errors.As(err, &notInstalled{}):
			absent, missing = append(absent, name), cmp.Or(missing, err)
		case errors.As(err, &notSuited{}):
			others = append(others, err)
		case ctx.Err() != nil:
			return err
		default:
			if failed = append(failed, err); !passOver(err) {
				return errors.Join(failed...)
			}
		}
	}
	all := slices.Concat(failed, others)
	switch {
	case absent != nil && all == nil:
		return notInstalled{missing, absent}
	case absent != nil && failed == nil:
		all = append(all, notInstalled{missing, absent})
	case absent != nil: // whether that would help, nobody knows
		all = append(all, errors.New("not tried, because not installed: "+strings.Join(absent, ", ")))
	}
	return errors.Join(all...)
}

func loadWith(ctx context.Context, name string, sources []common.Source, o common.Options, g given) (*common.Engine, *common.Model, error) {
	src, err := sourceFor(name, sources)
	if err != nil {
		return nil, nil, err
	}
	e, err := open(name)
	if err != nil {
		return nil, nil, err
	}
	m, err := loadFor(ctx, e, src, o, g)
	if err != nil {
		e.Close()
		return nil, nil, err
	}
	return e, m, nil
}

// passOver reports whether another engine may do better than the one that
// returned err, as in common.Load: a device that fails would fail there, too.
func passOver(err error) bool {
	for _, kind := range []error{common.ErrNotAvailable, common.ErrVersion, common.ErrModel, common.ErrOption, common.ErrInput} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// loadFor loads a model. An engine that wants to know the shapes of inputs
// beforehand gets those of g.
func loadFor(ctx context.Context, e *common.Engine, src common.Source, o common.Options, g given) (*common.Model, error) {
	m, err := e.Load(ctx, src, &o)
	if !errors.Is(err, common.ErrOption) {
		return m, err
	}
	shapes := maps.Clone(g.shapes)
	for name, t := range g.data {
		if shapes == nil {
			shapes = map[string]common.Shape{}
		}
		shapes[name] = t.Shape()
	}
	if len(shapes) == 0 {
		return nil, err
	}
	o.Shapes = fixedShapes(shapes)
	return e.Load(ctx, src, &o)
}

// fixedShapes are shapes as Options has them.
func fixedShapes(shapes map[string]common.Shape) map[string]common.ShapeRange {
	fixed := map[string]common.ShapeRange{}
	for name, s := range shapes {
		fixed[name] = common.Fixed(s...)
	}
	return fixed
}
