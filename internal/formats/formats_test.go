// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/stretchr/testify/require"
)

func init() {
	common.Register(common.Registration{Name: "formats", Formats: []common.Format{
		formats.ONNX, formats.OpenVINO, formats.TFLite, formats.TensorFlow, formats.Paddle, formats.MNN, formats.TNN, formats.TensorRT,
	}, Open: func(common.Config) (common.Driver, error) {
		return nil, &common.Error{Kind: common.ErrNotAvailable, Message: "this engine only registers formats"}
	}})
}

func TestFormat(t *testing.T) {
	for name, want := range map[string]string{
		"a.onnx": "onnx", "dir.x/A.ONNX": "onnx", "a.xml": "openvino", "a.tflite": "tflite", "a.pb": "tensorflow",
		"a.pdmodel": "paddle", "a.mnn": "mnn", "a.tnnproto": "tnn", "a.engine": "tensorrt", "a.plan": "tensorrt",
		"a.bin": "", "a": "", "": "",
	} {
		require.Equal(t, want, common.File(name).Format(), name)
	}
	for content, want := range map[string]string{
		"\x1c\x00\x00\x00TFL3....": "tflite", "<?xml version": "openvino", "<net name": "openvino", "ptrt....": "tensorrt",
		"ftrt....": "tensorrt", "\x08\x08\x12\x08anyinfer": "onnx", "\x08\x03:\x05": "onnx", "\x89PNG\r\n\x1a\n": "", "": "", "\x08": "",
		"\xe8\x07\x00\x00{\"description\": \"Ultralytics": "tensorrt", "\xe8\x07\x00\x01{\"a": "", "\xc3\xa9\x00\x00{\n  \"a": "tensorrt", "\xe8\x07\x00\x00{]": "",
		"TFL3": "", "\x1c\x00\x00\x00TFL": "",
	} {
		require.Equal(t, want, common.Bytes([]byte(content)).Format(), "%q", content)
		file := filepath.Join(t.TempDir(), "model")
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		require.Equal(t, want, common.File(file).Format(), "%q in a file", content)
	}
	require.Equal(t, "tnn", common.File("a.onnx").As("tnn").Format(), "As must override the file name")
	require.Equal(t, "tnn", common.Bytes([]byte("TFL3TFL3")).As("tnn").Format())
	require.Empty(t, common.Source{}.Format())
	require.Empty(t, common.Files().Format())
	require.Empty(t, common.Bytes().Format())
}
