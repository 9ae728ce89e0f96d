// SPDX-License-Identifier: Apache-2.0

package common

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Source says where a model is: File, Files, Bytes or FS. Nothing is read
// before Load, which reads each file once.
type Source struct {
	names  []string // of the files, the describing one first
	fsys   fs.FS    // that they are in; nil: on disk
	data   [][]byte // of a model in memory, which has no names
	format string
	err    error
}

// File is a model in one file or folder on disk. Files that belong to it by
// convention and lie beside it are found by themselves: IR's .bin, TNN's
// .tnnmodel.
func File(path string) Source { return Source{names: []string{path}} }

// Files is a model in several files on disk, the describing one first:
// model.xml and weights.bin, model.tnnproto and model.tnnmodel.
func Files(paths ...string) Source { return Source{names: slices.Clone(paths)} }

// Bytes is a model in memory, in as many pieces as it has files. The bytes
// must not change while the model is loaded.
func Bytes(data ...[]byte) Source { return Source{data: slices.Clone(data)} }

// FS is a model in files of fsys, such as an embed.FS. Those that belong to the
// first by convention are found by themselves.
func FS(fsys fs.FS, names ...string) Source {
	if fsys == nil {
		return Source{err: &Error{Op: "load", Kind: ErrModel, Message: "the fs.FS is nil"}}
	}
	return Source{names: slices.Clone(names), fsys: fsys}
}

// files are the names of all files, with those that belong to the first by
// convention and are there.
func (s Source) files() []string {
	if len(s.names) != 1 {
		return s.names
	}
	files := slices.Clone(s.names)
	for _, name := range companions(s.Format(), s.names[0]) {
		if info, err := s.stat(name); err == nil && info.Mode().IsRegular() {
			files = append(files, name)
		}
	}
	return files
}

func (s Source) stat(name string) (fs.FileInfo, error) {
	if s.fsys != nil {
		return fs.Stat(s.fsys, name)
	}
	return os.Stat(name)
}

func (s Source) open(name string) (fs.File, error) {
	if s.fsys != nil {
		return s.fsys.Open(name)
	}
	return os.Open(name)
}

// As gives the model's format (see Format), where neither its name nor its
// first bytes do.
func (s Source) As(format string) Source {
	s.format = format
	return s
}

// Name is the first file's name; empty for Bytes.
func (s Source) Name() string {
	if len(s.names) == 0 {
		return ""
	}
	return s.names[0]
}

// Paths are the files on disk, or nil where the model is elsewhere.
func (s Source) Paths() []string {
	if s.fsys != nil {
		return nil
	}
	return slices.Clone(s.files())
}

// Format is the name of the model's format: what As was given, or the Format of
// a registered engine to which the file's extension or its first bytes belong.
// It is "" where none does.
func (s Source) Format() string {
	if f := s.namedFormat(); f != "" {
		return f
	}
	return formatOf(s.head())
}

// namedFormat is the format as As or the first file's name gives it, or "".
func (s Source) namedFormat() string {
	if s.format != "" {
		return s.format
	}
	extension := strings.ToLower(filepath.Ext(s.Name()))
	return findFormat(func(f Format) bool { return slices.Contains(f.Extensions, extension) }).Name
}

// formatOf is the format of a file that begins with head, or "".
func formatOf(head []byte) string {
	head = head[:min(len(head), headLen)]
	return findFormat(func(f Format) bool { return f.Detect != nil && f.Detect(head) }).Name
}

// headLen is how many of a file's first bytes Format.Detect is given.
const headLen = 64

// head is the first bytes of the first file, as far as they can be had.
func (s Source) head() []byte {
	if len(s.data) > 0 {
		return s.data[0]
	}
	f, err := s.open(s.Name())
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, headLen)
	n, _ := io.ReadFull(f, b)
	return b[:n]
}

// check reports what is missing or empty before an engine is opened for it.
func (s Source) check() error {
	if s.err != nil {
		return s.err
	}
	if len(s.names)+len(s.data) == 0 {
		return &Error{Op: "load", Kind: ErrModel, Message: "the Source is empty", Hint: "make one with File, Files, Bytes or FS"}
	}
	for i, name := range s.names {
		info, err := s.stat(name)
		if err == nil && info.IsDir() && s.fsys != nil {
			err = errFolder // only those on disk can be loaded
		}
		if err != nil {
			return &Error{Op: "load", Path: name, Kind: ErrModel, Err: err}
		}
		if i == 0 && info.Mode().IsRegular() && info.Size() == 0 { // a weights file may be empty
			return errEmpty(name)
		}
	}
	if len(s.data) > 0 && len(s.data[0]) == 0 {
		return errEmpty("")
	}
	return nil
}

func errEmpty(path string) error {
	return &Error{Op: "load", Path: path, Kind: ErrModel, Message: "the file is empty"}
}
