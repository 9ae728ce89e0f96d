// SPDX-License-Identifier: Apache-2.0

// Package models installs models that packages of PyPI contain. A model is the folder
//
//	ROOT/NAME/
//
// with the model's file, licenses/, and model.json, which names its source.
package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/anyinfer/anyinfer/internal/pypi"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/suggest"
)

// EnvRoot is the environment variable that names the root.
const EnvRoot = "ANYINFER_MODEL_DIR"

// manifest is the name of the file that describes a model.
const manifest = "model.json"

// license is that of all models.
const license = "Apache-2.0"

// Model is a model that can be installed, and the content of model.json.
type Model struct {
	Name           string   `json:"name"`
	Task           string   `json:"task"`
	Description    string   `json:"description"`
	License        string   `json:"license"` // an SPDX identifier
	Engines        []string `json:"engines"` // that were tried with it
	File           string   `json:"file"`
	Size           int64    `json:"size"`
	SHA256         string   `json:"sha256"`
	Package        string   `json:"package"` // of PyPI
	PackageVersion string   `json:"package_version"`
	Publisher      string   `json:"publisher"`
	DownloadSize   int64    `json:"download_size"`

	Path string `json:"-"` // of the installed file; "" if it is not installed
}

// Format returns the format of the file.
func (m Model) Format() string { return strings.TrimPrefix(path.Ext(m.File), ".") }

// Source describes the model's package and publisher in lines.
func (m Model) Source() string {
	return fmt.Sprintf("PyPI package %s %s (%s)\n  publisher: %s\n  licence: %s\n  SHA-256 of %s: %s\n",
		m.Package, m.PackageVersion, pypi.Size(m.DownloadSize), m.Publisher, m.License, m.File, m.SHA256)
}

func (e entry) model() Model {
	w := e.source.wheel
	return Model{e.name, e.task, e.description, license, e.engines, path.Base(e.member), e.size, e.sha256,
		w.Package, w.Version, e.source.publisher, w.Size, ""}
}

// Root returns $ANYINFER_MODEL_DIR, else anyinfer/models in the user's cache folder.
func Root() (string, error) {
	if dir := os.Getenv(EnvRoot); dir != "" {
		return filepath.Abs(dir)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for models: %w; set %s", err, EnvRoot)
	}
	return filepath.Join(cache, "anyinfer", "models"), nil
}

// List returns the models that can be installed. Those with a Path are installed.
func List() ([]Model, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	var list []Model
	for _, e := range known {
		m, _ := installed(root, e)
		list = append(list, m)
	}
	return list, nil
}

// Known returns an error that suggests names unless there is a model of that name.
func Known(name string) error {
	_, _, err := find(name)
	return err
}

// Find returns the model of that name. It has a Path if it is installed.
func Find(name string) (Model, error) {
	root, e, err := find(name)
	if err != nil {
		return Model{}, err
	}
	m, _ := installed(root, e)
	return m, nil
}

// find returns the root and a model.
func find(name string) (root string, e entry, err error) {
	var names []string
	for _, e := range known {
		if e.name == name {
			root, err = Root()
			return root, e, err
		}
		names = append(names, e.name)
	}
	return "", e, fmt.Errorf("there is no model %q%s", name, suggest.Choices(name, names))
}

// installed reports whether a model is installed and unchanged.
func installed(root string, e entry) (Model, bool) {
	m := e.model()
	file := filepath.Join(root, e.name, m.File)
	f, err := os.Open(file)
	if err != nil {
		return m, false
	}
	defer f.Close()
	got, err := pypi.Digest(f)
	if err != nil || got != m.SHA256 {
		return m, false
	}
	m.Path = file
	return m, true
}

// Path returns the path of an installed model. The error wraps fs.ErrNotExist if the model is not installed, or is
// damaged.
func Path(name string) (string, error) {
	root, e, err := find(name)
	if err != nil {
		return "", err
	}
	if m, ok := installed(root, e); ok {
		return m.Path, nil
	}
	return "", &fs.PathError{Op: "find model " + name, Path: filepath.Join(root, name), Err: fmt.Errorf("not installed (%w): type 'anyinfer model install %s'", fs.ErrNotExist, name)}
}

// Install installs a model atomically. already reports whether it was installed before. progress is called with the
// current activity several times a second; it may be nil. Several calls may run at once.
func Install(ctx context.Context, name string, progress func(text string)) (m Model, already bool, err error) {
	root, e, err := find(name)
	if err != nil {
		return m, false, err
	}
	if m, ok := installed(root, e); ok {
		return m, true, nil
	}
	if err := sdkdir.MakeRoot(root, EnvRoot); err != nil {
		return m, false, err
	}
	temp, err := sdkdir.TempDir(root, EnvRoot)
	if err != nil {
		return m, false, err
	}
	defer os.RemoveAll(temp)
	report := func(format string, args ...any) {
		if progress != nil {
			progress(name + ": " + fmt.Sprintf(format, args...))
		}
	}
	built := filepath.Join(temp, "model")
	if err := e.build(ctx, temp, built, report); err != nil {
		return m, false, err
	}
	already, err = sdkdir.Swap(built, filepath.Join(root, name), filepath.Join(temp, "old"), func() (ok bool) {
		m, ok = installed(root, e)
		return ok
	})
	return m, already, err
}

// build fetches the package and fills the folder.
func (e entry) build(ctx context.Context, temp, dir string, progress pypi.Progress) error {
	m := e.model()
	offline := fmt.Sprintf("anyinfer model install %s\nwith PIP_NO_INDEX=1 and PIP_FIND_LINKS=FOLDER in the environment; FOLDER has the file", e.name)
	wheel, err := e.source.wheel.Download(ctx, "the model "+e.name, offline, temp, progress)
	if err != nil {
		return err
	}
	defer wheel.Close()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := pypi.Unpack(ctx, wheel, []pypi.Rule{{e.member, m.File}}, dir, progress); err != nil {
		return err
	}
	file, err := os.Open(filepath.Join(dir, m.File))
	if err != nil {
		return fmt.Errorf("%s has no %s", e.source.wheel.File, e.member)
	}
	got, err := pypi.Digest(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if got != m.SHA256 {
		return fmt.Errorf("%s in %s is refused: its SHA-256 is\n  %s, but\n  %s is pinned", e.member, e.source.wheel.File, got, m.SHA256)
	}
	if _, err := os.Stat(filepath.Join(dir, "licenses")); err != nil { // the package names its licence without the text
		text := fmt.Sprintf("%s is from the package %s %s, whose publisher is\n%s.\n\nLicensed under the Apache License, Version 2.0: http://www.apache.org/licenses/LICENSE-2.0\n",
			m.File, m.Package, m.PackageVersion, m.Publisher)
		if err := errors.Join(os.Mkdir(filepath.Join(dir, "licenses"), 0o755), os.WriteFile(filepath.Join(dir, "licenses", "LICENSE"), []byte(text), 0o644)); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, manifest), append(text, '\n'), 0o644)
}

// Remove removes a model, also a damaged one, and reports whether there was one.
func Remove(name string) (bool, error) {
	root, _, err := find(name)
	if err != nil {
		return false, err
	}
	err = sdkdir.Delete(root, name, EnvRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
