// SPDX-License-Identifier: Apache-2.0

package common

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Source says where a model is: File, Files, Bytes or FS.
type Source struct {
	parts  []part
	format string
	err    error
}

type part struct {
	name string // the path where it is on disk
	disk bool
	data []byte // where it is not
}

// File is a model in one file or folder on disk. A file that belongs to it by
// convention and lies beside it is found by itself: IR's .bin, TNN's .tnnmodel.
func File(path string) Source {
	if second := second(path); second != "" {
		if _, err := os.Stat(second); err == nil {
			return Files(path, second)
		}
	}
	return Files(path)
}

// Files is a model in several files on disk, the describing one first:
// model.xml and weights.bin, model.tnnproto and model.tnnmodel.
func Files(paths ...string) Source {
	var s Source
	for _, p := range paths {
		s.parts = append(s.parts, part{name: p, disk: true})
	}
	return s
}

// Bytes is a model in memory, in as many pieces as it has files. The bytes
// must not change while the model is loaded.
func Bytes(data ...[]byte) Source {
	var s Source
	for _, d := range data {
		s.parts = append(s.parts, part{data: d})
	}
	return s
}

// FS is a model in files of fsys, such as an embed.FS. They are read at once.
// IR's .bin and TNN's .tnnmodel are found by themselves.
func FS(fsys fs.FS, names ...string) Source {
	if fsys == nil {
		return Source{err: &Error{Op: "load", Err: ErrModel, Text: "the fs.FS is nil"}}
	}
	if len(names) == 1 {
		if second := second(names[0]); second != "" {
			if _, err := fs.Stat(fsys, second); err == nil {
				names = append(names[:1:1], second)
			}
		}
	}
	var s Source
	for _, n := range names {
		data, err := fs.ReadFile(fsys, n)
		if err != nil {
			s.err = &Error{Op: "load", Path: n, Err: ErrModel, Cause: err}
			return s
		}
		s.parts = append(s.parts, part{name: n, data: data})
	}
	return s
}

// second is the file that belongs to a model's first by convention, or "".
func second(first string) string {
	for ext, other := range map[string]string{".xml": ".bin", ".tnnproto": ".tnnmodel"} {
		if name, ok := strings.CutSuffix(first, ext); ok {
			return name + other
		}
	}
	return ""
}

// As is s with its format said, for names and bytes that do not tell.
func (s Source) As(format string) Source {
	s.format = format
	return s
}

// Name is the first file's name; empty for Bytes.
func (s Source) Name() string {
	if len(s.parts) == 0 {
		return ""
	}
	return s.parts[0].name
}

// Paths are the files on disk, or nil where the model is in memory.
func (s Source) Paths() []string {
	var paths []string
	for _, p := range s.parts {
		if !p.disk {
			return nil
		}
		paths = append(paths, p.name)
	}
	return paths
}

// Read is the content of each file. Bytes and FS share their memory.
func (s Source) Read() ([][]byte, error) {
	var all [][]byte
	for _, p := range s.parts {
		data := p.data
		if p.disk {
			var err error
			if data, err = os.ReadFile(p.name); err != nil {
				return nil, &Error{Op: "load", Path: p.name, Err: ErrModel, Cause: err}
			}
		}
		all = append(all, data)
	}
	return all, nil
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
	if s.format != "" || len(s.parts) == 0 {
		return s.format
	}
	if f := extensions[strings.ToLower(filepath.Ext(s.parts[0].name))]; f != "" {
		return f
	}
	head := s.head()
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
	p := s.parts[0]
	if !p.disk {
		return p.data
	}
	f, err := os.Open(p.name)
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, 32)
	n, _ := f.Read(b)
	return b[:n]
}

// check reports what is missing or empty before an engine sees it.
func (s Source) check() error {
	if s.err != nil {
		return s.err
	}
	if len(s.parts) == 0 {
		return &Error{Op: "load", Err: ErrModel, Text: "the Source is empty", Fix: "make one with File, Files, Bytes or FS"}
	}
	for i, p := range s.parts {
		size := int64(len(p.data))
		if p.disk {
			info, err := os.Stat(p.name)
			if err != nil {
				return &Error{Op: "load", Path: p.name, Err: ErrModel, Cause: err}
			}
			if size = info.Size(); info.IsDir() {
				continue
			}
		}
		if size == 0 && i == 0 { // a weights file may be empty
			return &Error{Op: "load", Path: p.name, Err: ErrModel, Text: "there is not a byte in it"}
		}
	}
	return nil
}
