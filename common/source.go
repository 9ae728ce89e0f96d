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

// Source describes where a model is. File, Files, Bytes and FS make one. Nothing
// is read before Load, which reads each file once.
type Source struct {
	names  []string // the files, the one that describes the model first
	fsys   fs.FS    // the file system with the files; nil: they are on disk
	data   [][]byte // the content of a model in memory, which has no names
	format string
	err    error
}

// File is a model in one file or folder on disk. Load also reads the files beside
// it that belong to it by convention: the .bin of an OpenVINO IR, the .tnnmodel of
// a .tnnproto.
func File(path string) Source { return Source{names: []string{path}} }

// Files is a model in several files on disk, the one that describes it first, such
// as "model.xml", "weights.bin".
func Files(paths ...string) Source { return Source{names: slices.Clone(paths)} }

// Bytes is a model in memory, one slice for each of its files. The bytes are not
// copied if they are aligned to TensorAlign, and must not change while the model is
// loaded.
func Bytes(data ...[]byte) Source { return Source{data: slices.Clone(data)} }

// FS is a model in files of fsys, such as an embed.FS. Load also reads the files
// that belong to the first one by convention, as for File.
func FS(fsys fs.FS, names ...string) Source {
	if fsys == nil {
		return Source{err: &Error{Op: "load", Kind: ErrModel, Message: "the fs.FS is nil"}}
	}
	return Source{names: slices.Clone(names), fsys: fsys}
}

// files returns the names of all files, with those beside the first one that
// belong to it by convention and exist.
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

// As returns s with the format of that name, such as "onnx", for a model whose
// file name and first bytes do not show its format.
func (s Source) As(format string) Source {
	s.format = format
	return s
}

// Name returns the first file's name; "" for Bytes.
func (s Source) Name() string {
	if len(s.names) == 0 {
		return ""
	}
	return s.names[0]
}

// Paths returns the paths of the model's files, or nil if it is not on disk.
func (s Source) Paths() []string {
	if s.fsys != nil {
		return nil
	}
	return slices.Clone(s.files())
}

// Format returns the name of the model's format: the one given to As, or the one
// of a registered engine that has the file's extension or detects its first bytes,
// or "".
func (s Source) Format() string {
	if f := s.namedFormat(); f != "" {
		return f
	}
	return formatOf(s.head())
}

// namedFormat returns the format that As or the first file's extension names, or
// "".
func (s Source) namedFormat() string {
	if s.format != "" {
		return s.format
	}
	extension := strings.ToLower(filepath.Ext(s.Name()))
	return findFormat(func(f Format) bool { return slices.Contains(f.Extensions, extension) }).Name
}

// formatOf returns the format of a file that begins with head, or "".
func formatOf(head []byte) string {
	head = head[:min(len(head), headLen)]
	return findFormat(func(f Format) bool { return f.Detect != nil && f.Detect(head) }).Name
}

// headLen is the number of a file's first bytes that Format.Detect gets.
const headLen = 64

// head returns the first bytes of the first file; fewer than headLen if it is
// shorter or cannot be read.
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

// check returns an error for a missing or empty file, before an engine is opened
// for the model.
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
			err = errFolder // only folders on disk can be loaded
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
