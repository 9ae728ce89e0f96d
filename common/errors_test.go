// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

var kinds = []error{
	common.ErrNotAvailable, common.ErrVersion, common.ErrClosed, common.ErrInUse, common.ErrModel, common.ErrDevice,
	common.ErrOption, common.ErrRun, common.ErrInput, common.ErrShape, common.ErrDType, common.ErrName, common.ErrCount,
}

func TestErrorKinds(t *testing.T) {
	input := []error{common.ErrInput, common.ErrShape, common.ErrDType, common.ErrName, common.ErrCount}
	texts := map[string]bool{}
	for _, k := range kinds {
		texts[k.Error()] = true
		err := error(&common.Error{Kind: k})
		require.Equal(t, k.Error(), err.Error())
		for _, other := range kinds {
			want := k == other
			if other == common.ErrInput {
				for _, i := range input {
					want = want || k == i
				}
			}
			require.Equal(t, want, errors.Is(err, other), "errors.Is(%v, %v)", k, other)
		}
	}
	require.Len(t, texts, len(kinds), "two kinds have the same text")
}

func TestErrorText(t *testing.T) {
	cause := &fs.PathError{Op: "open", Path: "m.onnx", Err: fs.ErrNotExist}
	for want, e := range map[string]*common.Error{
		"session in use": {Kind: common.ErrInUse},
		"openvino: load m.onnx: model not usable: bad node (code -3); convert it again": {
			Engine: "openvino", Op: "load", Path: "m.onnx", Kind: common.ErrModel, Message: " bad node\n", Code: -3, Hint: "convert it again"},
		"load m.onnx: model not usable: open m.onnx: " + fs.ErrNotExist.Error(): {
			Op: "load", Path: "m.onnx", Kind: common.ErrModel, Err: cause},
		"model not usable: cannot open m.onnx: " + fs.ErrNotExist.Error(): {
			Kind: common.ErrModel, Message: "cannot " + cause.Error(), Err: cause},
		"tflite: open: engine not available: no library\n  tried /a: no such file\n  tried /b: not ELF\n  fix: install it": {
			Engine: "tflite", Op: "open", Kind: common.ErrNotAvailable, Message: "no library", Hint: "install it",
			Searched: []string{"/a: no such file", "/b: not ELF"}},
	} {
		require.Equal(t, want, e.Error())
	}
}

func TestUnknownDevice(t *testing.T) {
	devices := []common.Device{{Name: "CPU"}, {Name: "GPU.0"}, {Name: "GPU.1"}}
	for name, want := range map[string]string{
		"TPU":                  `there is no device "TPU"; the devices are: CPU, GPU.0, GPU.1`,
		"cpu":                  `there is no device "cpu"; did you mean CPU? (the devices are: CPU, GPU.0, GPU.1)`,
		"CPUExecutionProvider": `there is no device "CPUExecutionProvider"; did you mean CPU? (the devices are: CPU, GPU.0, GPU.1)`,
		"gpu":                  `there is no device "gpu"; did you mean GPU.0 or GPU.1? (the devices are: CPU, GPU.0, GPU.1)`,
	} {
		require.EqualError(t, common.UnknownDevice(name, devices), "no such device: "+want)
	}
}

func TestErrorUnwrap(t *testing.T) {
	cause := &fs.PathError{Op: "open", Path: "m.onnx", Err: fs.ErrNotExist}
	err := error(&common.Error{Kind: common.ErrModel, Err: cause})
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorIs(t, err, fs.ErrNotExist)
	var path *fs.PathError
	require.ErrorAs(t, err, &path)
	require.Same(t, cause, path)
	joined := errors.Join(errors.New("other"), err)
	require.ErrorIs(t, joined, common.ErrModel)
	var typed *common.Error
	require.ErrorAs(t, joined, &typed)
}
