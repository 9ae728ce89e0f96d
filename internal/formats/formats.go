// SPDX-License-Identifier: Apache-2.0

// Package formats has the model formats that engines of this module register.
package formats

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/anyinfer/anyinfer/common"
)

var (
	ONNX = common.Format{Name: "onnx", Extensions: []string{".onnx"}, Detect: isONNX}
	// ORT is ONNX Runtime's own format.
	ORT = common.Format{
		Name: "ort", Extensions: []string{".ort"},
		Detect: func(head []byte) bool { return len(head) >= 8 && string(head[4:8]) == "ORTM" },
	}
	// OpenVINO is OpenVINO's IR: an .xml and, if the model has weights, a .bin.
	OpenVINO = common.Format{
		Name: "openvino", Extensions: []string{".xml"},
		Detect: func(head []byte) bool {
			return bytes.HasPrefix(head, []byte("<?xml")) || bytes.HasPrefix(head, []byte("<net"))
		},
		Companions: withExtension(".bin"),
	}
	TFLite = common.Format{
		Name: "tflite", Extensions: []string{".tflite"},
		Detect: func(head []byte) bool { return len(head) >= 8 && string(head[4:8]) == "TFL3" },
	}
	TensorFlow = common.Format{Name: "tensorflow", Extensions: []string{".pb"}}
	Paddle     = common.Format{Name: "paddle", Extensions: []string{".pdmodel"}}
	MNN        = common.Format{Name: "mnn", Extensions: []string{".mnn"}}
	TNN        = common.Format{
		Name: "tnn", Extensions: []string{".tnnproto"}, Detect: tnnproto.Match, Companions: withExtension(".tnnmodel"),
	}
	// TensorRT is a plan, which trtexec calls an engine, possibly after metadata.
	TensorRT = common.Format{
		Name: "tensorrt", Extensions: []string{".engine", ".plan"},
		Detect: func(head []byte) bool {
			return bytes.HasPrefix(head, []byte("ptrt")) || bytes.HasPrefix(head, []byte("ftrt")) || HasMetadata(head)
		},
	}
	// Reference is the format of the engine in cinclude/reference.
	Reference = common.Format{Name: "reference", Extensions: []string{".ref"}}
)

// tnnproto matches the beginning of a .tnnproto: three counts and the magic number.
var tnnproto = regexp.MustCompile(`^"1 \d+ 1 42066247`)

// HasMetadata reports whether head begins with what Ultralytics writes before a plan:
// the length of a JSON object, of less than 16 MB, in 4 bytes, and the object.
func HasMetadata(head []byte) bool {
	return len(head) > 5 && head[3] == 0 && head[4] == '{' && bytes.HasPrefix(bytes.TrimLeft(head[5:], " \t\r\n"), []byte(`"`))
}

// isONNX reports whether head begins a ModelProto: with ir_version, then
// producer_name or graph.
func isONNX(head []byte) bool {
	return len(head) > 2 && head[0] == 0x08 && head[1] < 0x20 && (head[2] == 0x12 || head[2] == 0x3a)
}

// withExtension returns the function Companions of a format whose model has a
// second file with that extension.
func withExtension(extension string) func(string) []string {
	return func(name string) []string {
		return []string{strings.TrimSuffix(name, filepath.Ext(name)) + extension}
	}
}
