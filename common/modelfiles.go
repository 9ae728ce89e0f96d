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
	"github.com/anyinfer/anyinfer/internal/memlimit"
)

// ModelFiles are the files of a model that is being loaded, for engine
// implementations. Each was read once, into memory that nobody can change, so the
// SDK gets the same bytes that a driver has checked, even if the user's files
// change meanwhile. Package common closes them after the model, or after Load if
// the driver has called Release.
type ModelFiles struct {
	ctx       context.Context
	source    Source
	format    string
	mapped    bool // Options.MapFiles
	folder    bool
	userFiles int // the number of files that the user named; Beside has added the others
	files     []modelFile
	pin       runtime.Pinner // pins memory of the caller
	links     string         // a private folder, or ""
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

// OpenFiles reads the files of a Source, or maps them as Options.MapFiles says, for
// an engine that wraps another one. The caller must release them. Other engines get
// their files from Load.
func OpenFiles(ctx context.Context, src Source, mapFiles bool) (*ModelFiles, error) {
	if err := src.check(); err != nil {
		return nil, err
	}
	return src.openFiles(orBackground(ctx), mapFiles)
}

// openFiles reads the files of a Source that check has passed.
func (s Source) openFiles(ctx context.Context, mapped bool) (_ *ModelFiles, err error) {
	f := &ModelFiles{ctx: ctx, source: s, mapped: mapped && s.data == nil}
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
	f.userFiles = len(f.files)
	if f.format = s.namedFormat(); f.format == "" && !f.folder {
		f.format = formatOf(f.Bytes(0))
	}
	return f, nil
}

// addBytes adds memory of the caller, or a copy if its address is not aligned to
// TensorAlign, as SDKs that read vectors from it need.
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
		return f.errorIn(name, errNoFile) // opening a pipe would block
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
	case !f.mapped && info.Size() > int64(memlimit.Bytes()):
		file.Close()
		return &Error{
			Op: "load", Path: name, Kind: ErrModel, Message: fmt.Sprintf("the file has %d bytes, more than the %d bytes of memory that this process can have", info.Size(), memlimit.Bytes()),
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
			return &Error{Op: "load", Path: name, Kind: ErrOption, Message: "the file cannot be mapped for Options.MapFiles", Err: err}
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

// errorIn returns an error about a file, or the context's error.
func (f *ModelFiles) errorIn(name string, err error) error {
	if f.ctx.Err() != nil {
		return f.ctx.Err()
	}
	return &Error{Op: "load", Path: name, Kind: ErrModel, Err: err}
}

// Name returns the first file's name as the user gave it; "" for Bytes.
func (f *ModelFiles) Name() string { return f.source.Name() }

// Format returns the name of the model's format (Source.Format), or "" if it is
// not known.
func (f *ModelFiles) Format() string { return f.format }

// Folder reports whether the model is a folder. Its files are read only by
// LinkFolder.
func (f *ModelFiles) Folder() bool { return f.folder }

// Len returns the number of files that the user named.
func (f *ModelFiles) Len() int { return f.userFiles }

// Bytes returns the content of file i, aligned to TensorAlign. It must not be
// written to, and is valid until the model is closed or Release is called.
func (f *ModelFiles) Bytes(i int) []byte { return f.files[i].content.Bytes() }

// All returns the content of each file that the user named.
func (f *ModelFiles) All() [][]byte {
	all := make([][]byte, f.userFiles)
	for i := range all {
		all[i] = f.Bytes(i)
	}
	return all
}

// Beside reads one more file, which the model's first file refers to, and returns
// its content. The name is relative to the first file's folder, with slashes. Link
// makes a link to this file, too. The error wraps ErrModel if there is no such
// file, if the name leads out of the folder, or if the model was given as Bytes.
func (f *ModelFiles) Beside(name string) ([]byte, error) {
	local := filepath.FromSlash(name)
	switch {
	case f.source.names == nil:
		return nil, &Error{
			Op: "load", Kind: ErrModel, Message: fmt.Sprintf("a part of the model is in the file %q, but the model was not loaded from a file", name),
			Hint: "load it with common.File or common.FS",
		}
	case !filepath.IsLocal(local):
		return nil, &Error{Op: "load", Path: f.Name(), Kind: ErrModel, Message: fmt.Sprintf("the model refers to %q, which is not a file in its folder", name)}
	}
	full := filepath.Join(filepath.Dir(f.Name()), local)
	if f.source.fsys != nil {
		full = path.Join(path.Dir(f.Name()), name)
	}
	for _, file := range f.files[f.userFiles:] {
		if file.name == full {
			return file.content.Bytes(), nil
		}
	}
	if err := f.add(full); err != nil {
		return nil, err
	}
	return f.files[len(f.files)-1].content.Bytes(), nil
}

// Names returns the names of all files as the user gave them, then of those that
// Beside has read; nil if the model was given as Bytes.
func (f *ModelFiles) Names() (names []string) {
	for _, file := range f.files {
		if f.source.names != nil {
			names = append(names, file.name)
		}
	}
	return names
}

// OpenFile opens the content of file i for reading, for an engine in another
// process. On Linux it is the sealed memory file itself, and FS with such files
// does not copy them. The caller closes it.
func (f *ModelFiles) OpenFile(i int) (*os.File, error) {
	file, err := f.files[i].content.Open()
	if err != nil {
		return nil, &Error{Op: "load", Path: f.files[i].name, Kind: ErrModel, Err: err} // the context of Load has ended since
	}
	return file, nil
}

// RefersToOthers reports whether Beside has read files.
func (f *ModelFiles) RefersToOthers() bool { return len(f.files) > f.userFiles }

// Link makes a private folder with a link to each file, and returns the paths of
// the links, for an SDK that can only read models from paths. File i has the name
// names[i]; further files, such as those of Beside, keep their own names relative
// to the first file's folder. The links lead to the memory that Bytes returns.
func (f *ModelFiles) Link(names ...string) ([]string, error) {
	return f.placeFiles((*memfile.File).Link, names)
}

// Copy is like Link, with copies on disk, for an SDK that resolves symbolic links.
func (f *ModelFiles) Copy(names ...string) ([]string, error) {
	return f.placeFiles((*memfile.File).Copy, names)
}

func (f *ModelFiles) placeFiles(how func(*memfile.File, string) error, names []string) ([]string, error) {
	paths := make([]string, len(f.files))
	if err := f.linkFolder(); err != nil {
		return nil, err
	}
	for i := range paths {
		if i == len(names) {
			names = append(names, f.ownName(i))
		}
		paths[i] = filepath.Join(f.links, filepath.FromSlash(names[i]))
		if err := f.placeFile(how, i, paths[i]); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// ownName returns the name of file i relative to the first file's folder.
func (f *ModelFiles) ownName(i int) string {
	if name, err := filepath.Rel(filepath.Dir(f.Name()), f.files[i].name); err == nil && filepath.IsLocal(name) {
		return filepath.ToSlash(name)
	}
	return "file" + strconv.Itoa(i)
}

// LinkFolder is like Link, for a model that is a folder: it reads and links every
// file in it, and returns the path of the folder with the links.
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
		return f.placeFile((*memfile.File).Link, len(f.files)-1, filepath.Join(root, relative))
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

func (f *ModelFiles) placeFile(how func(*memfile.File, string) error, i int, path string) error {
	f.files[i].path = path
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = how(f.files[i].content, path)
	}
	if err != nil {
		return &Error{Op: "load", Path: f.files[i].name, Kind: ErrModel, Message: "cannot make a temporary file for the model", Err: err}
	}
	return nil
}

// Release frees the files at once. A driver calls it if the SDK has its own copy
// of everything.
func (f *ModelFiles) Release() { f.close() }

// close frees the files and removes the links. It may be called again.
func (f *ModelFiles) close() error {
	var errs []error
	if f.links != "" {
		if err := os.RemoveAll(f.links); err != nil {
			errs = append(errs, &Error{Op: "close", Path: f.links, Kind: ErrModel, Message: "cannot remove a temporary folder", Err: err})
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

// restoreNames replaces the paths of links in an SDK's error by the names that
// the user gave.
func (f *ModelFiles) restoreNames(err error) error {
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
