// SPDX-License-Identifier: Apache-2.0

package common

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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

// File is a model in one file or folder on disk. A file that belongs to it by
// convention and lies beside it is found by itself: IR's .bin, TNN's .tnnmodel.
func File(path string) Source { return Source{names: []string{path}} }

// Files is a model in several files on disk, the describing one first:
// model.xml and weights.bin, model.tnnproto and model.tnnmodel.
func Files(paths ...string) Source { return Source{names: slices.Clone(paths)} }

// Bytes is a model in memory, in as many pieces as it has files. The bytes
// must not change while the model is loaded.
func Bytes(data ...[]byte) Source { return Source{data: slices.Clone(data)} }

// FS is a model in files of fsys, such as an embed.FS. IR's .bin and TNN's
// .tnnmodel are found by themselves.
func FS(fsys fs.FS, names ...string) Source {
	if fsys == nil {
		return Source{err: &Error{Op: "load", Kind: ErrModel, Message: "the fs.FS is nil"}}
	}
	return Source{names: slices.Clone(names), fsys: fsys}
}

// companions are the extensions of files that belong to a model's first by
// convention and lie beside it, by format.
var companions = map[string]string{"openvino": ".bin", "tnn": ".tnnmodel"}

// files are the names of all files, with a companion that is there.
func (s Source) files() []string {
	if len(s.names) == 1 {
		if extension := companions[s.Format()]; extension != "" {
			second := strings.TrimSuffix(s.names[0], filepath.Ext(s.names[0])) + extension
			if info, err := s.stat(second); err == nil && info.Mode().IsRegular() {
				return []string{s.names[0], second}
			}
		}
	}
	return s.names
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

// Formats by file name extension.
var extensions = map[string]string{
	".onnx": "onnx", ".xml": "openvino", ".tflite": "tflite", ".pb": "tensorflow", ".pdmodel": "paddle",
	".mnn": "mnn", ".tnnproto": "tnn", ".engine": "tensorrt", ".plan": "tensorrt",
	".ref": "reference",
}

// tnnproto is how a .tnnproto begins: the numbers of inputs, blobs and outputs, and one that is always the same.
var tnnproto = regexp.MustCompile(`^"1 \d+ 1 42066247`)

// Format is "onnx", "openvino", "tflite", "tensorflow", "paddle", "mnn",
// "tnn", "tensorrt", or "" where neither As, the name nor the first bytes tell.
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
	return extensions[strings.ToLower(filepath.Ext(s.Name()))]
}

// formatOf is the format of a file that begins with head, or "".
func formatOf(head []byte) string {
	switch {
	case len(head) >= 8 && string(head[4:8]) == "TFL3":
		return "tflite"
	case bytes.HasPrefix(head, []byte("<?xml")), bytes.HasPrefix(head, []byte("<net")):
		return "openvino"
	case tnnproto.Match(head):
		return "tnn"
	case bytes.HasPrefix(head, []byte("ptrt")), bytes.HasPrefix(head, []byte("ftrt")):
		return "tensorrt"
	case len(head) > 2 && head[0] == 0x08 && head[1] < 0x20 && (head[2] == 0x12 || head[2] == 0x3a):
		return "onnx" // ModelProto: ir_version, then producer_name or graph
	}
	return ""
}

// head is the first bytes of the first file, as far as they can be had.
func (s Source) head() []byte {
	const enough = 32
	if len(s.data) > 0 {
		return s.data[0][:min(len(s.data[0]), enough)]
	}
	f, err := s.open(s.Name())
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, enough)
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
