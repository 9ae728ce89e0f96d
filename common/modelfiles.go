// SPDX-License-Identifier: Apache-2.0

package common

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"github.com/anyinfer/anyinfer/internal/memfile"
)

// ModelFiles are the files of a model that is being loaded, for engine
// implementations. Each was read once, into memory that nobody can change:
// what a driver checks is what the SDK gets, whatever happens to the user's
// files meanwhile. Package common closes them after the model, or after Load
// where the driver has called Release.
type ModelFiles struct {
	ctx    context.Context
	source Source
	format string
	mapped bool // Options.MapFiles
	folder bool
	given  int // how many of files the user gave; Beside has added the others
	files  []modelFile
	pin    runtime.Pinner // of memory of the caller's
	links  string         // a private folder, or ""
}

type modelFile struct {
	name    string // as the user gave it
	content *memfile.File
	path    string // of the link to it, or ""
}

var (
	errFolder = errors.New("it is a folder")
	errNoFile = errors.New("it is neither a regular file nor a folder")
)

// OpenFiles reads the files of a Source, for an engine that wraps another one.
// The caller releases them. Load does it for other engines.
func OpenFiles(ctx context.Context, src Source) (*ModelFiles, error) {
	if err := src.check(); err != nil {
		return nil, err
	}
	return src.openFiles(orBackground(ctx), false)
}

// openFiles reads the files of a Source that check has passed.
func (s Source) openFiles(ctx context.Context, mapped bool) (_ *ModelFiles, err error) {
	f := &ModelFiles{ctx: ctx, source: s, mapped: mapped && s.fsys == nil && s.data == nil}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	for _, data := range s.data {
		if err := f.addBytes(data); err != nil {
			return nil, err
		}
	}
	for _, name := range s.files() {
		if info, err := s.stat(name); err == nil && info.IsDir() {
			f.folder = true
			break
		}
		if err := f.add(name); err != nil {
			return nil, err
		}
	}
	f.given = len(f.files)
	if f.format = s.namedFormat(); f.format == "" && !f.folder {
		f.format = formatOf(f.Bytes(0))
	}
	return f, nil
}

// addBytes takes memory of the caller's as it is, or a copy where its address
// does not suit SDKs that read vectors from it.
func (f *ModelFiles) addBytes(data []byte) error {
	content := memfile.Of(data)
	if len(data) > 0 && uintptr(unsafe.Pointer(unsafe.SliceData(data)))%TensorAlign != 0 {
		var err error
		if content, err = memfile.Read(f.ctx, bytes.NewReader(data), int64(len(data))); err != nil {
			return f.errorIn("", err)
		}
	} else if len(data) > 0 {
		f.pin.Pin(unsafe.SliceData(data))
	}
	f.files = append(f.files, modelFile{content: content})
	return nil
}

// add reads a file.
func (f *ModelFiles) add(name string) error {
	if info, err := f.source.stat(name); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return f.errorIn(name, errNoFile) // to open a pipe would wait
	}
	file, err := f.source.open(name)
	if err != nil {
		return f.errorIn(name, err)
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errFolder
	case !f.mapped && info.Size() > int64(maxBytes()):
		file.Close()
		return &Error{
			Op: "load", Path: name, Kind: ErrModel, Message: fmt.Sprintf("the file has %d bytes, more than the %d bytes of memory that this process can have", info.Size(), maxBytes()),
			Hint: "load it where there is more memory, or with Options.MapFiles",
		}
	}
	if err != nil {
		file.Close()
		return f.errorIn(name, err)
	}
	var content *memfile.File
	if onDisk, ok := file.(*os.File); ok && f.mapped {
		if content, err = memfile.Map(onDisk, info.Size()); err != nil {
			file.Close()
			return &Error{Op: "load", Path: name, Kind: ErrOption, Message: "MapFiles", Err: err}
		}
	} else {
		content, err = memfile.Read(f.ctx, file, info.Size())
		file.Close()
		if err != nil {
			return f.errorIn(name, err)
		}
	}
	if f.files = append(f.files, modelFile{name: name, content: content}); len(f.files) == 1 && info.Size() == 0 {
		return errEmpty(name)
	}
	return nil
}

// errorIn is an error about a file, or the context's.
func (f *ModelFiles) errorIn(name string, err error) error {
	if f.ctx.Err() != nil {
		return f.ctx.Err()
	}
	return &Error{Op: "load", Path: name, Kind: ErrModel, Err: err}
}

// Name is the first file's name as the user gave it; empty for Bytes.
func (f *ModelFiles) Name() string { return f.source.Name() }

// Format is the model's format (Source.Format), or "" where nothing gives it.
func (f *ModelFiles) Format() string { return f.format }

// Folder reports whether the model is a folder. It then has no files before
// LinkFolder.
func (f *ModelFiles) Folder() bool { return f.folder }

// Len is the number of files that the user gave.
func (f *ModelFiles) Len() int { return f.given }

// Bytes is the content of file i, aligned to TensorAlign and to be read only.
// It is valid until the model is closed, or until Release.
func (f *ModelFiles) Bytes(i int) []byte { return f.files[i].content.Bytes() }

// All is the content of each file that the user gave.
func (f *ModelFiles) All() [][]byte {
	all := make([][]byte, f.given)
	for i := range all {
		all[i] = f.Bytes(i)
	}
	return all
}

// Beside returns the content of one more file, which the model's first refers
// to by its name relative to the folder that both are in, with slashes. Link
// makes links to it, too. The error wraps ErrModel where there is no such file,
// the name leads out of the folder, or the model was given as Bytes.
func (f *ModelFiles) Beside(name string) ([]byte, error) {
	local := filepath.FromSlash(name)
	switch {
	case f.source.names == nil:
		return nil, &Error{
			Op: "load", Kind: ErrModel, Message: fmt.Sprintf("the model has a part of it in the file %q, but was not given as a file", name),
			Hint: "load it with common.File or common.FS",
		}
	case !filepath.IsLocal(local):
		return nil, &Error{Op: "load", Path: f.Name(), Kind: ErrModel, Message: fmt.Sprintf("the model refers to %q, which is not a file in its folder", name)}
	}
	full := filepath.Join(filepath.Dir(f.Name()), local)
	if f.source.fsys != nil {
		full = path.Join(path.Dir(f.Name()), name)
	}
	for _, file := range f.files[f.given:] {
		if file.name == full {
			return file.content.Bytes(), nil
		}
	}
	if err := f.add(full); err != nil {
		return nil, err
	}
	return f.files[len(f.files)-1].content.Bytes(), nil
}

// RefersToOthers reports whether Beside has found files.
func (f *ModelFiles) RefersToOthers() bool { return len(f.files) > f.given }

// Link makes a private folder in which file i is called names[i], and returns
// the path of each: for an SDK that reads models from paths only. Files beyond
// names, as those of Beside, have their own, relative to the first's folder.
// What the SDK finds there is what Bytes has.
func (f *ModelFiles) Link(names ...string) ([]string, error) {
	return f.place((*memfile.File).Link, names)
}

// Copy is Link with copies on disk, for an SDK that resolves symbolic links.
func (f *ModelFiles) Copy(names ...string) ([]string, error) {
	return f.place((*memfile.File).Copy, names)
}

func (f *ModelFiles) place(how func(*memfile.File, string) error, names []string) ([]string, error) {
	paths := make([]string, len(f.files))
	if err := f.linkFolder(); err != nil {
		return nil, err
	}
	for i := range paths {
		if i == len(names) {
			names = append(names, f.ownName(i))
		}
		paths[i] = filepath.Join(f.links, filepath.FromSlash(names[i]))
		if err := f.placeOne(how, i, paths[i]); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// ownName is the name of file i relative to the first's folder.
func (f *ModelFiles) ownName(i int) string {
	if name, err := filepath.Rel(filepath.Dir(f.Name()), f.files[i].name); err == nil && filepath.IsLocal(name) {
		return filepath.ToSlash(name)
	}
	return "file" + strconv.Itoa(i)
}

// LinkFolder is Link for a model that is a folder, with all that is in it.
func (f *ModelFiles) LinkFolder() (string, error) {
	if err := f.linkFolder(); err != nil {
		return "", err
	}
	root := filepath.Join(f.links, "model")
	err := filepath.WalkDir(f.Name(), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(f.Name(), name)
		if err != nil {
			return err
		}
		if err := f.add(name); err != nil {
			return err
		}
		return f.placeOne((*memfile.File).Link, len(f.files)-1, filepath.Join(root, relative))
	})
	var e *Error
	if err != nil && !errors.As(err, &e) {
		err = f.errorIn(f.Name(), err)
	}
	return root, err
}

func (f *ModelFiles) linkFolder() (err error) {
	if f.links == "" {
		if f.links, err = os.MkdirTemp("", "anyinfer-"); err != nil {
			return &Error{Op: "load", Path: f.Name(), Kind: ErrModel, Message: "the engine needs a temporary folder for the model's files", Hint: "set TMPDIR to a folder that can be written", Err: err}
		}
	}
	return nil
}

func (f *ModelFiles) placeOne(how func(*memfile.File, string) error, i int, path string) error {
	f.files[i].path = path
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = how(f.files[i].content, path)
	}
	if err != nil {
		return &Error{Op: "load", Path: f.files[i].name, Kind: ErrModel, Message: "a temporary file for the model", Err: err}
	}
	return nil
}

// Release frees the files at once: the SDK has read them, and what it keeps
// is its own.
func (f *ModelFiles) Release() { f.close() }

// close frees the files and removes the links. It may be called again.
func (f *ModelFiles) close() error {
	var errs []error
	if f.links != "" {
		if err := os.RemoveAll(f.links); err != nil {
			errs = append(errs, &Error{Op: "close", Path: f.links, Kind: ErrModel, Message: "a temporary folder stays", Err: err})
		}
		f.links = ""
	}
	for _, file := range f.files {
		errs = append(errs, file.content.Close())
	}
	f.files = nil
	f.pin.Unpin()
	return errors.Join(errs...)
}

// explain puts the user's names for files where an SDK's error has those of
// the links to them.
func (f *ModelFiles) explain(err error) error {
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	c := *e
	for _, file := range f.files {
		if file.path != "" {
			c.Message = strings.ReplaceAll(c.Message, file.path, file.name)
		}
	}
	return &c
}
