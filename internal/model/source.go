// SPDX-License-Identifier: Apache-2.0

// Package model finds and loads the models in a user's files, and makes their
// inputs. Its errors name the flags of the command.
package model

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/suggest"
)

// extensions are the extensions of a model's first file.
var extensions = []string{".onnx", ".xml", ".tflite", ".pb", ".pdmodel", ".mnn", ".tnnproto", ".engine", ".plan", ".ort"}

// Companions maps the extension of a model's second file to the extension of its
// first file.
var Companions = map[string]string{".bin": ".xml", ".tnnmodel": ".tnnproto"}

// Extensions returns the extensions of files that one of the engines reads.
func Extensions(engines ...string) []string {
	return slices.DeleteFunc(slices.Clone(extensions), func(ext string) bool {
		return len(Readers(common.File(ext).Format(), engines)) == 0
	})
}

// Readers returns the engines that read format, the engines made for it first.
func Readers(format string, engines []string) []string {
	rank := func(e string) int { return slices.Index(common.Formats(e), format) }
	able := slices.DeleteFunc(slices.Clone(engines), func(e string) bool { return rank(e) < 0 })
	slices.SortStableFunc(able, func(a, b string) int { return rank(a) - rank(b) })
	return able
}

// Group groups files by the model that they belong to.
func Group(files []string) [][]string {
	var groups [][]string
	for _, f := range files {
		if n := len(groups); n > 0 {
			if first := Companions[filepath.Ext(f)]; first != "" && filepath.Ext(groups[n-1][0]) == first {
				groups[n-1] = append(groups[n-1], f)
				continue
			}
		}
		groups = append(groups, []string{f})
	}
	return groups
}

// Sources makes a Source of each model among files.
func Sources(files []string) ([]common.Source, error) {
	var sources []common.Source
	for _, g := range Group(files) {
		for _, f := range g {
			if err := CheckExists(f); err != nil {
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

// CheckExists returns an error that suggests similar names if the file does not exist.
func CheckExists(file string) error {
	_, err := os.Stat(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if strings.HasPrefix(file, "-") {
		return fmt.Errorf("there is no file %q; write flags before --", file)
	}
	dir, base := filepath.Split(file)
	var names []string
	entries, _ := os.ReadDir(cmp.Or(dir, ".")) // without entries there is nothing to suggest
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if similar := suggest.Similar(base, names); similar != nil {
		return fmt.Errorf("there is no file %q; did you mean %s%s?", file, dir, strings.Join(similar, " or "+dir))
	}
	return fmt.Errorf("there is no file %q", file)
}

// SourceFor returns the source whose format comes first in the engine's list.
// Every engine accepts a source of unknown format.
func SourceFor(engine string, sources []common.Source) (common.Source, error) {
	for _, format := range append(common.Formats(engine), "") {
		for _, s := range sources {
			if s.Format() == format {
				return s, nil
			}
		}
	}
	s := sources[0]
	text := fmt.Sprintf("%s does not read %s; it reads files that end in %s", engine, s.Name(), strings.Join(Extensions(engine), ", "))
	if others := Readers(s.Format(), common.Engines()); len(others) > 0 {
		text += "; try --engine " + strings.Join(others, ",")
	}
	return s, errors.New(text)
}

// EnginesFor returns all engines that read one of sources.
func EnginesFor(sources []common.Source) ([]string, error) {
	var names []string
	for _, s := range sources {
		for _, e := range Readers(s.Format(), common.Engines()) {
			if !slices.Contains(names, e) {
				names = append(names, e)
			}
		}
	}
	if names != nil {
		return names, nil
	}
	file, all := sources[0].Name(), strings.Join(common.Engines(), ", ")
	if first := Companions[filepath.Ext(file)]; first != "" {
		return nil, fmt.Errorf("%s is not the first file of a model; name its %s file before it", file, first)
	}
	if format := sources[0].Format(); format != "" {
		return nil, fmt.Errorf("none of the engines reads %s, a model for %s; there are: %s", file, format, all)
	}
	return nil, fmt.Errorf("%s does not end in %s; if it is a model, name its engine with --engine (there are: %s)",
		file, strings.Join(Extensions(common.Engines()...), ", "), all)
}
